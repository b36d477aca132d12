"""What a message of a failed Python test is made of."""

from __future__ import annotations

import pytest

from bgrun.parsers.recognize import Recognizer


def messages(log: str) -> list[str]:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(log.encode())
    return [one.problem.message for one in recognizer.result().found]


ERRORS = [
    (["ValueError:", "", "lost"], "ValueError:"),
    (["ValueError: first:", "  second", "third"], "ValueError: first: second third"),
    (["ValueError: ", "really bad"], "ValueError: really bad"),
    (["AssertionError: not yet", "  line two", "assert 1 == 2"], "AssertionError: not yet line two"),
    (["AssertionError: assert 'a' == 'b'", "  ", "  - b", "  + a"], "AssertionError: assert 'a' == 'b'"),
    (["assert 1 == 2", " +  where 1 = f()"], "assert 1 == 2"),
    (["Failed: 1", "2", "3", "4", "5", "6"], "Failed: 1 2 3 4 5"),
]


@pytest.mark.parametrize(("lines", "message"), ERRORS)
@pytest.mark.parametrize("has_summary", [True, False])
@pytest.mark.parametrize("indent", ["   ", "       "])
def test_the_lines_of_a_message_of_pytest_are_joined(
    lines: list[str], message: str, indent: str, has_summary: bool
) -> None:
    earlier = "E   ValueError: first:\nE   of another error\n\nThe above exception was the direct cause\n"
    body = "".join(f"E{indent}{line}\n" for line in lines)
    heads = [f" {text} ".center(80, fill) for text, fill in (("FAILURES", "="), ("test_a", "_"))]
    summary = (
        f"{' short test summary info '.center(80, '=')}\nFAILED t.py::test_a - {lines[0]}\n" if has_summary else ""
    )
    places = "\nt.py:4: E\n"
    log = "\n".join([*heads, (earlier if has_summary else "") + body + places + summary + "1 failed in 0.01s\n"])
    assert messages(log) == [message]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["ValueError: first:", "second", "", "lost"], "ValueError: first: second"),
        (["AssertionError: 'a' != 'b'", "- a", "+ b", "", " : not yet"], "AssertionError: 'a' != 'b'"),
        (["E: 1", "2", "3", "4", "5", "6"], "E: 1 2 3 4 5"),
    ],
)
def test_the_lines_of_a_message_of_unittest_are_joined(lines: list[str], message: str) -> None:
    rule, thin = "=" * 70, "-" * 70
    trace = 'Traceback (most recent call last):\n  File "/p/t.py", line 5, in test_a\n    f()\n' + "\n".join(lines)
    log = f"{rule}\nERROR: test_a (t.T.test_a)\n{thin}\n{trace}\n\n{thin}\nRan 1 test in 0.000s\n\nFAILED (errors=1)\n"
    assert messages(log) == [message]
