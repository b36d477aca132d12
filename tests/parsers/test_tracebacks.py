"""Uncaught exceptions that a log shows in other ways than a script alone: prefixed, logged, among the output of tools."""

from __future__ import annotations

import pytest

from bgrun.parsers.recognize import Recognized, Recognizer

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/code/a.py", line 3, in f\n    g()\nValueError: no such thing\n'
)
STACK = "Error: no such thing\n    at f (/code/a.js:3:9)\n    at node:internal/main/run_main_module:28:49\n"
RUFF = "a.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n"


def read(text: str) -> Recognized:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(text.encode())
    return recognizer.result()


def found_in(text: str) -> list[tuple[str, str | None, int | None, str]]:
    return [(one.tool, one.file, one.line, one.severity) for one in (found.problem for found in read(text).found)]


def test_lines_may_have_a_prefix() -> None:
    prefixed = "".join(f"web-1  | {line}\n" for line in TRACEBACK.splitlines())
    assert found_in(prefixed) == [("python", "/code/a.py", 3, "error")]


@pytest.mark.parametrize(
    "above",
    [
        "2026-11-26 01:00:00,000 ERROR it failed",
        "Exception ignored in: <function f>",
        "Task exception was never retrieved",
    ],
)
def test_one_that_was_logged_is_a_warning(above: str) -> None:
    assert found_in(f"{above}\n{TRACEBACK}done\n") == [("python", "/code/a.py", 3, "warning")]


def test_a_stack_that_was_only_printed_is_a_warning() -> None:
    assert found_in(STACK) == [("nodejs", "/code/a.js", 3, "warning")]
    uncaught = f"/code/a.js:3\n  throw e;\n  ^\n\n{STACK}\nNode.js v22.0.0\n"
    assert found_in(uncaught) == [("nodejs", "/code/a.js", 3, "error")]


def test_the_line_is_one_of_the_program_and_not_of_a_library() -> None:
    library = '  File "/usr/lib/python3.11/json/decoder.py", line 9, in decode\n    raise ValueError\n'
    text = TRACEBACK.replace("ValueError: ", f"{library}ValueError: ")
    assert found_in(text) == [("python", "/code/a.py", 3, "error")]


def test_a_traceback_before_what_made_the_run_fail_does_not_count() -> None:
    assert [tool for tool, *_ in found_in(TRACEBACK + RUFF)] == ["ruff"]
    assert [tool for tool, *_ in found_in(RUFF + TRACEBACK)] == ["ruff", "python"]


def test_a_wrapper_counts_only_alone() -> None:
    make = "make: *** [Makefile:2: check] Error 1\n"
    assert found_in(make) == [("make", "Makefile", 2, "error")]
    assert read(make).wrapped
    assert [tool for tool, *_ in found_in(RUFF + make)] == ["ruff"]
    assert [tool for tool, *_ in found_in(TRACEBACK + make)] == ["python"]


def test_an_annotation_of_what_a_tool_reports_counts_once() -> None:
    same = "::error file=/home/me/code/a.py,line=1::F401 imported but unused\n"
    other = "::error file=b.py,line=1::another\n"
    assert [tool for tool, *_ in found_in(RUFF + same)] == ["ruff"]
    assert [tool for tool, *_ in found_in(RUFF + same + other)] == ["ruff", "annotations"]
    assert found_in(same) == [("annotations", "/home/me/code/a.py", 1, "error")]


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "ValueError", "app.errors.Stopped"])
def test_an_exception_without_a_message_has_none(kind: str) -> None:
    (one,) = read(f'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    raise {kind}\n{kind}\n').found
    assert (one.problem.id, one.problem.message) == (kind, "")
    (one,) = read(f"{TRACEBACK.partition('    g()')[0]}    assert x > 1\nAssertionError\n").found
    assert one.problem.message == "assert x > 1"


def test_the_lines_of_a_message_of_node_are_joined() -> None:
    log = "/code/a.js:3\nthrow x\n^\n\n" + STACK.replace("no such thing", "Command failed:\n  no key\n\nin a.pem")
    (one,) = read(log + "\nNode.js v20.20.2\n").found
    assert one.problem.message == "Command failed: no key in a.pem"
    (one,) = read(STACK.replace("no such thing", "Cannot find module\nRequire stack:\n- /code/b.js")).found
    assert one.problem.message == "Cannot find module"
    (one,) = read(STACK.replace("no such thing", "one\ntwo\nthree\nfour\nfive\nsix")).found
    assert one.problem.message == "one two three four five"


CRASH = (
    "Fatal Python error: Segmentation fault\n\nThread 0x00007f01 (most recent call first):\n"
    '  File "/usr/lib/python3.11/threading.py", line 3 in wait\n\nCurrent thread 0x00007f02 (most recent call first):\n'
    '  File "/code/lib.py", line 7 in work\n  File "/code/test_a.py", line 3 in test_seg\n'
    '  File "/code/.venv/lib/python3.11/site-packages/_pytest/python.py", line 9 in pytest_pyfunc_call\n'
    '  File "<frozen runpy>", line 88 in _run_code\n'
)
SESSION = f"{' test session starts '.center(80, '=')}\nrootdir: /code\ncollected 2 items\n\ntest_a.py ."


@pytest.mark.parametrize("before", ["", ".", SESSION, "collected\n"])
@pytest.mark.parametrize("after", ["", "\nExtension modules: a, b (total: 2)\n", "sh: 1: Segmentation fault\n"])
def test_a_crash_of_the_interpreter_is_at_its_test(before: str, after: str) -> None:
    seen = read(before + CRASH + after)
    (one,) = seen.found
    assert bool(seen.unclaimed) == after.startswith("sh")
    assert (one.problem.file, one.problem.line, one.problem.id) == ("/code/test_a.py", 3, "test_seg")
    assert one.problem.message == "Fatal Python error: Segmentation fault"


def test_a_crash_without_a_test_is_at_the_innermost_frame_of_the_program() -> None:
    (one,) = read(CRASH.replace("test_seg", "<module>")).found
    assert (one.problem.file, one.problem.line, one.problem.id) == ("/code/lib.py", 7, "work")
    (one,) = read("Fatal Python error: init_fs_encoding: failed\nPython runtime state: core initialized\n").found
    assert (one.problem.file, one.problem.message) == (None, "Fatal Python error: init_fs_encoding: failed")
