"""Recognize ruff: `ruff check` in each of its forms, with codes or names of rules, and `ruff format --check`."""

from __future__ import annotations

import json

from bgrun.parsers import documents
from bgrun.parsers.documents import Documents
from bgrun.parsers.expression import expression
from bgrun.parsers.linters.alike import TOTAL_OF_RUFF, Alike
from bgrun.parsers.linters.ruff_junit import START, RuffJunit
from bgrun.parsers.shape import SURE, WEAK, Parser, finding, numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_HEAD = expression(r"^([A-Z]{1,4}\d{2,5}|(?!(?:error|warning|note|help|info): )[a-z][a-z0-9-]*:) (?:\[[*-]\] )?(\S.*)$")
_PLACE = expression(r"^ *--> (\S[^:]*)(?::cell \d+)?:(\d+):(\d+)$")
_GROUP = expression(r"^(\S[^:]*):$")
_IN_GROUP = expression(r"^ +(\d+):(\d+) ([A-Z]{1,4}\d{2,5}|[a-z][a-z0-9-]*:) (?:\[[*-]\] )?(.*)$")
_WOULD = expression(r"^Would reformat: (\S.*)$")
_FORMATTED = expression(r"^(\d+) files? would be reformatted(?:, \d+ files? (?:already formatted|left unchanged))?$")
_UNREADABLE = expression(r"^error: Failed to parse (\S[^:]*):(\d+):\d+: (.*)$")
_UNFORMATTED = "would be reformatted"


class Ruff(Parser):
    """ruff, versions 0.1 to 0.17: `check` in its forms for people and machines, and what `format --check` prints."""

    name = "ruff"
    stems = (
        *numbered(".py:"),
        *numbered(".pyi:"),
        *numbered(".ipynb:"),
        ".ipynb:cell ",
        *(f".{kind}:{end}" for kind in ("py", "pyi", "ipynb") for end in "\r\n"),
        "error: Failed to parse",
    )
    starts = (
        "--> ",
        "Found ",
        "Would reformat",
        r"\d[0-9]* files? would be",
        r'\{"cell":',
        START,
        *documents.starts(documents.RUFF),
    )
    context = documents.CONTEXT

    def __init__(self) -> None:
        super().__init__()
        self._alike = Alike()
        self._documents = Documents(self, documents.RUFF)
        self._junit = RuffJunit(self)
        self._head: tuple[str, str, int] | None = None
        self._group = ""
        self._unreadable: dict[tuple[str, str], tuple[str, int]] = {}

    def feed(self, line: str) -> bool:
        """Read a line; the one before a place has the rule, and the lines of a group follow its file."""
        if self._documents.feed(line) or self._junit.feed(line):
            return self._documents.is_open or self._junit.is_open
        head, self._head = self._head, None
        if head and (match := _PLACE.match(line)):
            rule, message, at = head
            self.report(finding(match[1], match[2], rule, message, column=match[3]), SURE, at)
        elif self._group and (match := _IN_GROUP.match(line)):
            self.report(finding(self._group, match[1], match[3].rstrip(":"), match[4], column=match[2]), SURE)
            return True
        elif self._totals(line):
            return False
        elif match := _HEAD.match(line):
            self._head = (match[1].rstrip(":"), match[2], self.at)
        elif match := _WOULD.match(line):
            self.report(finding(match[1], None, None, _UNFORMATTED), SURE)
        elif match := _UNREADABLE.match(line):
            self._unreadable[match[1], match[2]] = (match[3], self.at)
        elif line.startswith('{"cell":'):
            self._json(line)
        self._group = match[1] if (match := _GROUP.match(line)) else ""
        return self._alike.feed(line, self.at) or bool(self._group)

    def _totals(self, line: str) -> bool:
        if match := TOTAL_OF_RUFF.match(line):
            self._alike.feed(line, self.at)
            self._take()
            errors = int(match[2] or match[1])
            if self._call:
                self.finish({"errors": errors}, errors)
        elif match := _FORMATTED.match(line):
            self._take()
            errors = int(match[1]) + sum(one.problem.id == "invalid-syntax" for one in self._found)
            if self._call:
                self.finish({"errors": errors}, errors)
        return bool(match)

    def _take(self) -> None:
        """Report the lines that are settled to be ruff's, and the files it could not parse."""
        for one in self._alike.ruff:
            self._unreadable.pop((one.file, one.line), None)
            self.report(one.problem, at=one.at)
        self._alike.ruff.clear()
        for (file, number), (message, at) in self._unreadable.items():
            self.report(finding(file, number, "invalid-syntax", message), SURE, at)
        self._unreadable.clear()

    def _json(self, line: str) -> None:
        try:
            one = json.loads(line)
            rule = one["code"] or one.get("name")
            row, column = (str(one["location"][key]) for key in ("row", "column"))
            self.report(finding(one["filename"], row, rule, one["message"], column=column), SURE)
        except (ValueError, KeyError, TypeError):
            return

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported, and lines in a shared form: those of flake8 count if nobody looks for flake8."""
        self._documents.close()
        self._alike.end()
        self._take()
        self.close()
        for one in self._alike.flake8:
            self.report(one.problem, WEAK, one.at)
        self._alike.flake8.clear()
        return super().findings()
