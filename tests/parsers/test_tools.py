"""Each tool is recognized from its real output, and no parser claims another tool's.

A case is `tests/fixtures/tools/<tool>/<case>.log`, the bytes that the tool printed into a pipe, and `<case>.yaml`:

    tool: pytest            # the name in the registry
    version: "9.1.1"
    command: pytest -q      # as it was run
    source: run here        # or the address of the page that it is quoted from
    also: [ruff]            # other tools in the same log, if any
    problems:               # all of them, in order; keys that are left out are not compared
      - {id: ..., file: ..., line: 3, message: ..., severity: warning, phase: setup}
      - {base: packages/a, ...}  # the directory of its file, if the log names it
    counts: {failed: 1, passed: 3}
    more: 0                 # how many the tool counts beyond these
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.parsers import registry, terminal
from bgrun.parsers.recognize import Recognized, Recognizer
from bgrun.parsers.shape import WEAK
from tests.conftest import TOP

FOLDER = TOP / "tests" / "fixtures" / "tools"


class Case(NamedTuple):
    """A log of a tool, and what is to be found in it."""

    name: str
    log: bytes
    wanted: dict[str, Any]

    @property
    def tools(self) -> set[str]:
        """The tools that printed it."""
        return {self.wanted["tool"], *self.wanted.get("also", ())}


def _cases() -> list[Case]:
    found = []
    for path in sorted(FOLDER.glob("*/*.yaml")):
        wanted = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.append(Case(f"{path.parent.name}/{path.stem}", path.with_suffix(".log").read_bytes(), wanted))
    return found


CASES = _cases()
cases = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def read(log: bytes, size: int = 1 << 16) -> Recognizer:
    recognizer = Recognizer(lambda raw: terminal.clean(terminal.decode(raw)))
    for at in range(0, len(log), size):
        recognizer.feed(log[at : at + size])
    return recognizer


@cache
def recognized(log: bytes) -> Recognized:
    return read(log).result()


def test_there_is_a_log_for_each_description() -> None:
    assert {path.with_suffix("") for path in FOLDER.glob("*/*.log")} == {
        path.with_suffix("") for path in FOLDER.glob("*/*.yaml")
    }
    assert all({"tool", "version", "command", "source"} <= set(case.wanted) for case in CASES)


WITH_COLUMNS = {"gcc", "tsc", "eslint", "ruff", "flake8", "mypy", "pylint", "pyright", "rustc", "shellcheck", "go"}
"""The tools of which a log here has columns; most of them print none in some of their forms."""


def test_a_column_is_the_one_that_the_tool_printed() -> None:
    seen = set()
    for case in CASES:
        text = terminal.without_controls(case.log.decode("utf-8", "replace"))
        for one in (found.problem for found in recognized(case.log).found if found.problem.column is not None):
            seen.add(one.tool)
            assert one.column >= 1, (case.name, one)
            # Some count from 0, in text or in a document.
            place = rf"{one.line}[:,] ?(?:col )?({one.column}|{one.column - 1})\b"
            key = rf"(?:[cC]ol\w*|character)\"?[:=] ?({one.column}|{one.column - 1})\b"
            assert re.search(f"{place}|{key}", text), (case.name, one)
    assert seen >= WITH_COLUMNS, WITH_COLUMNS - seen


OTHER_ENDS = {
    "ansible/syntax", "pre-commit/color", "pre-commit/make", "pre-commit/plain", "pytest/usage_7_4", "python/notes",
    "python/thread", "terraform/make", "terraform/plain",
}  # fmt: skip
"""The logs at whose end there is more to read than the tool's last words."""
SILENT_ENDS = {f"go/script-{one}" for one in ("deadlock", "error", "make", "nil", "npm", "plain")} | {
    "javac/syntax",  # the number of warnings may follow
    "pytest/no_report_9_2",  # its total is known only at the end of the log
}
"""The logs of tools that wait for more lines, up to the end of the log."""


@cases
def test_a_log_is_recognized(case: Case) -> None:
    """All that is asked of a log, in one test: there are many logs, and a test takes longer than to read one."""
    what_a_tool_found_is_recognized(case)
    it_is_the_same_in_small_pieces(case)
    no_parser_claims_the_output_of_another_tool(case)
    what_follows_the_last_finding_of_a_tool_is_known_to_be_its_own(case)
    a_line_of_another_command_at_the_end_is_not_part_of_it(case)


def what_a_tool_found_is_recognized(case: Case) -> None:
    seen = recognized(case.log)
    wanted = case.wanted.get("problems", [])
    problems = [{**one.problem._asdict(), "base": one.base} for one in seen.found]
    if all(one.get("severity", "error") == "error" for one in wanted):
        problems = [one for one in problems if one["severity"] == "error"] or problems
    got = [{key: one[key] for key in keys} for one, keys in zip(problems, [*wanted, *problems], strict=False)]
    assert got == wanted
    assert (dict(seen.counts), seen.missing) == (case.wanted.get("counts", {}), case.wanted.get("more", 0))


def it_is_the_same_in_small_pieces(case: Case) -> None:
    assert read(case.log, 997).result() == recognized(case.log)


def no_parser_claims_the_output_of_another_tool(case: Case) -> None:
    own = {name for tool in case.tools for name in (tool, *registry.ALIASES.get(tool, ()))}
    claims = [call for call in read(case.log).claims() if call.certainty > WEAK and call.tool not in own]
    assert not claims


def what_follows_the_last_finding_of_a_tool_is_known_to_be_its_own(case: Case) -> None:
    seen = recognized(case.log)
    assert bool(seen.unclaimed and not seen.wrapped) == (case.name in OTHER_ENDS)


def a_line_of_another_command_at_the_end_is_not_part_of_it(case: Case) -> None:
    seen = read(case.log.rstrip(b"\n") + b"\nsigning failed: no key\n").result()
    if seen.found and not seen.wrapped and case.name not in SILENT_ENDS:
        assert seen.unclaimed


LINES = sorted({line for case in CASES for line in case.log.split(b"\n") if line.strip()})


@settings(max_examples=60)
@given(st.lists(st.one_of(st.sampled_from(LINES or [b""]), st.binary(max_size=60)), max_size=40))
def test_any_order_of_lines_is_read_without_an_error(lines: list[bytes]) -> None:
    seen = read(b"\n".join(lines)).result()
    assert all(number > 0 for number in seen.counts.values())
    assert all(len(one.problem.message) <= 160 for one in seen.found)


LONG = "".join(
    f"{head}{(part * 3000)[:3000]}x\n"
    for head in ("", "    ")
    for part in (
        " ",
        "a",
        ".a",
        ": ",
        "1:",
        "# ",
        " > ",
        "::",
        "at ",
        "= ",
        "(",
        "/",
        "a b ",
        "1 failed, ",
        " => ",
        "- ",
    )
).encode()


def test_long_lines_within_a_log_are_read_in_time() -> None:
    """An expression that tries very many ways to match a line takes minutes for it: then this test runs into its timeout."""
    first = {case.wanted["tool"]: case for case in reversed(CASES)}
    assert len(first) > 60
    for case in first.values():
        lines = case.log.splitlines(keepends=True)
        step = max(1, len(lines) // 6)
        parts = (line + (LONG if number % step == step // 2 else b"") for number, line in enumerate(lines))
        assert all(len(one.problem.message) <= 160 for one in read(b"".join(parts)).result().found)
