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


def rule(text: str, fill: str = "=") -> str:
    return f" {text} ".center(80, fill) + "\n"


def session(body: str, summary: str, total: str) -> str:
    """Return what pytest prints in a session, of which some tests failed."""
    start = rule("test session starts") + "platform linux\nrootdir: /p\ncollected 2 items\n\nt.py F.  [100%]\n\n"
    parts = rule("FAILURES") + body + rule("short test summary info") + summary
    return start + (parts if summary else body) + rule(total)


def section(name: str, printed: str = "") -> str:
    captured = f"{rule('Captured stdout call', '-')}{printed}" if printed else ""
    return f"{rule(name, '_')}\n>   f()\nE   assert 0\n\nt.py:4: AssertionError\n{captured}"


INNER = session(section("test_in"), "FAILED in.py::test_in - assert 0\n", "1 failed in 0.01s")
FORGED = {
    "a session": INNER,
    "a session that was cut off": INNER.rpartition("=== short")[0] + "\n",
    "a summary": rule("short test summary info") + "FAILED in.py::test_in - x\n",
    "a summary and a total": rule("short test summary info")
    + "FAILED in.py::test_in - x\n"
    + rule("9 failed in 1.00s"),
    "a total": rule("9 failed in 1.00s"),
    "a line of a result": "FAILED in.py::test_in - x\nin.py::test_in FAILED\nERROR in.py\n",
}


def seen(log: str) -> tuple[list[tuple[str | None, str]], dict[str, int], int]:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(log.encode())
    made = recognizer.result()
    return [(one.problem.id, one.problem.message) for one in made.found], dict(made.counts), made.missing


@pytest.mark.parametrize("printed", FORGED.values(), ids=list(FORGED))
def test_what_a_test_printed_is_no_result_of_pytest(printed: str) -> None:
    """What follows it tells it apart: pytest ends a session with its own summary and total."""
    body = section("test_a", printed) + section("test_b", "more\n")
    summary = "FAILED t.py::test_a - assert 0\nFAILED t.py::test_b - assert 0\n"
    assert seen(session(body, summary, "2 failed, 3 passed in 0.02s")) == (
        [("t.py::test_a", "assert 0"), ("t.py::test_b", "assert 0")],
        {"failed": 2, "passed": 3},
        0,
    )


@pytest.mark.parametrize("summary", ["FAILED t.py::test_a - assert 0\n", ""])
def test_a_session_that_a_test_runs_is_part_of_its_own(summary: str) -> None:
    body = section("test_a") if summary else ""
    total = "1 failed, 1 passed in 0.02s" if summary else "2 passed in 0.02s"
    head, dots, rest = session(body, summary, total).partition(".  [100%]")
    wanted = ({"failed": 1, "passed": 1} if summary else {"passed": 2}, 0)
    assert seen(head + INNER + dots + rest)[1:] == wanted
    assert [id for id, _ in seen(head + INNER + INNER + dots + rest)[0]] == (["t.py::test_a"] if summary else [])


def test_each_of_two_sessions_counts_whatever_their_tests_printed() -> None:
    one = session(section("test_a", "x\n"), "FAILED t.py::test_a - assert 0\n", "1 failed, 1 passed in 0.02s")
    problems, counts, missing = seen(one + one.replace("test_a", "test_c"))
    assert ([id for id, _ in problems], counts, missing) == (
        ["t.py::test_a", "t.py::test_c"],
        {"failed": 2, "passed": 2},
        0,
    )


def quiet(body: str, summary: str, total: str) -> str:
    """Return what `pytest -q` prints: no heading, and a total without a rule."""
    parts = f"{rule('FAILURES')}{body}{rule('short test summary info')}{summary}" if summary else ""
    return f"F.  [100%]\n{parts}{total}\n"


QUIET = {
    "a summary and a total": rule("short test summary info") + "FAILED in.py::test_in - x\n9 failed in 1.00s\n",
    "a total": "9 failed in 1.00s\n",
    "a summary": rule("short test summary info") + "FAILED in.py::test_in - x\nERROR in.py\n",
}


@pytest.mark.parametrize("printed", QUIET.values(), ids=list(QUIET))
@pytest.mark.parametrize("again", [1, 2])
def test_what_a_test_printed_is_no_result_of_a_quiet_pytest(printed: str, again: int) -> None:
    summary = "FAILED t.py::test_a - assert 0\nFAILED t.py::test_b - assert 0\n"
    one = quiet(section("test_a", printed) + section("test_b"), summary, "2 failed, 3 passed in 0.02s")
    assert seen(one * again) == (
        [("t.py::test_a", "assert 0"), ("t.py::test_b", "assert 0")],
        {"failed": 2 * again, "passed": 3 * again},
        0,
    )


def test_of_several_quiet_calls_each_counts() -> None:
    failing = quiet(section("test_a", "x\n"), "FAILED t.py::test_a - assert 0\n", "1 failed, 1 passed in 0.02s")
    passing = quiet("", "", "4 passed in 0.01s")
    other = "b.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n"
    assert seen(failing + passing)[1:] == ({"failed": 1, "passed": 5}, 0)
    assert seen(passing + failing + other)[1:] == ({"failed": 1, "errors": 1, "passed": 5}, 0)
