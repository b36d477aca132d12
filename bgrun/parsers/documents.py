"""Recognize JSON documents in a log: what linters print with an option for machines.

A document begins at the start of a line. It is spread over lines, as by an encoder that indents, or all in one line.
Its items are read one by one, so that a large document takes little memory, and of one that is cut off the items
before the cut count. What has no shape of the tool is no finding: an application may log JSON, too.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from bgrun.parsers.shape import MOST_FOUND, SURE, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.parsers.shape import Parser

LONGEST = 64 << 10
"""How many characters of an item are read, and of a document in one line: for `longest` of a parser."""
CONTEXT = 2
"""How many lines are above that with the first key: for `context` of a parser."""


class Shape(NamedTuple):
    """What a document of a tool looks like, and where its items have what makes a problem.

    head: how the line with the first key begins. At the start of a line for a document in one line.
    indent: how far the items are indented; of no meaning for a document in one line.
    keys: what each item has.
    file, line, rule, message, severity: their places in an item, keys and positions with dots between; an absent
        severity is an error.
    severities: what the tool's names of severities mean; '' for what is no problem.
    first: the number of the first line of a file.
    prefix: what stands before a rule that is a number.
    named: the tool, if the document names it after the items; one that is cut off may lack the name.
    own: what file and rule of each problem match, with a space between, in a shape that other tools share.
    column, first_column: the place of the column, and the number of the first one of a line.
    """

    head: str
    indent: int
    keys: frozenset[str]
    file: str
    line: str
    rule: str
    message: str
    severity: str = ""
    severities: Mapping[str, str] = {}
    first: int = 1
    prefix: str = ""
    named: str = ""
    own: str = ""
    column: str = ""
    first_column: int = 1

    def owns(self, problem: Problem) -> bool:
        """Return whether a problem may be one of this tool."""
        return not self.own or re.fullmatch(self.own, f"{problem.file} {problem.id}") is not None

    def problem(self, item: dict[str, Any]) -> Problem | None:
        """Return the problem of an item, or None if the tool counts it as none.

        Raises:
            ValueError, LookupError, TypeError: the item has another shape.
        """
        if not self.keys <= item.keys():
            raise LookupError(self.head)
        file, message, number = (_value(item, path) for path in (self.file, self.message, self.line))
        if not isinstance(file, str) or not isinstance(message, str) or not isinstance(number, int | None):
            raise TypeError(self.head)
        rule = f"{self.prefix}{_value(item, self.rule) or ''}"
        found = str(_value(item, self.severity) or "error") if self.severity else "error"
        severity = self.severities.get(found, found)
        place = None if number is None else number + 1 - self.first
        if file.startswith("file://"):
            file = unquote(file.removeprefix("file://"))
        text = message.removeprefix(f"{rule}: ").partition("\n")[0]
        at = _value(item, self.column) if self.column else None
        column = (at + 1 - self.first_column or None) if isinstance(at, int) else None
        return Problem(file or None, place, rule or None, text, severity, column=column) if severity else None


def _value(item: Any, path: str) -> Any:
    """Return what is at a place of an item; None if only its last key is absent."""
    *parts, last = path.split(".")
    for part in parts:
        item = item[int(part) if part.isdecimal() else part]
    return item.get(last)


_UNFIT = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_RUFF = r".*\.(?:pyi?|ipynb|toml) (?:[A-Z]{1,4}\d{2,5}|invalid-syntax)"
_PLACE = "locations.0.physicalLocation"
RUFF = (
    Shape(
        head='    "cell":',
        indent=2,
        keys=frozenset({"code", "end_location", "filename", "fix", "location", "message", "noqa_row"}),
        file="filename",
        line="location.row",
        column="location.column",
        rule="code",
        message="message",
        severity="severity",
    ),
    Shape(
        head='    "check_name":',
        indent=2,
        keys=frozenset({"description", "fingerprint", "location", "severity"}),
        file="location.path",
        line="location.positions.begin.line",
        rule="check_name",
        message="description",
        own=_RUFF,
    ),
    Shape(
        head='  "diagnostics": [',
        indent=4,
        keys=frozenset({"code", "location", "message"}),
        file="location.path",
        line="location.range.start.line",
        column="location.range.start.column",
        rule="code.value",
        message="message",
        named="ruff",
        own=_RUFF,
    ),
    Shape(
        head='  "$schema":',
        indent=8,
        keys=frozenset({"level", "locations", "message", "ruleId"}),
        file=f"{_PLACE}.artifactLocation.uri",
        line=f"{_PLACE}.region.startLine",
        column=f"{_PLACE}.region.startColumn",
        rule="ruleId",
        message="message.text",
        severity="level",
        named="ruff",
        own=_RUFF,
    ),
)
"""`--output-format` of ruff: json, rdjson, sarif, and gitlab as newer versions print it, with codes of rules."""
_PYLINT = Shape(
    head='        "type":',
    indent=4,
    keys=frozenset({"module", "obj", "line", "column", "path", "symbol", "message"}),
    file="path",
    line="line",
    column="column",
    first_column=0,
    rule="symbol",
    message="message",
    severity="type",
    severities={"fatal": "error", "convention": "notice", "refactor": "notice"},
)
PYLINT = (_PYLINT, _PYLINT._replace(head='    "messages": [', indent=8))
"""`--output-format` of pylint: json and json2."""
PYRIGHT = (
    Shape(
        head='    "version":',
        indent=8,
        keys=frozenset({"file", "severity", "message"}),
        file="file",
        line="range.start.line",
        column="range.start.character",
        first_column=0,
        rule="rule",
        message="message",
        severity="severity",
        severities={"information": ""},
        first=0,
    ),
)
"""`--outputjson` of pyright. Information is no problem, as in its text."""
_SHELLCHECK = Shape(
    head='[{"file":',
    indent=0,
    keys=frozenset({"line", "endLine", "column", "level", "code", "message"}),
    file="file",
    line="line",
    column="column",
    rule="code",
    message="message",
    severity="level",
    severities={"style": "info"},
    prefix="SC",
)
SHELLCHECK = (_SHELLCHECK, _SHELLCHECK._replace(head='{"comments":['))
"""`-f` of ShellCheck: json and json1."""


def starts(shapes: Sequence[Shape]) -> tuple[str, ...]:
    """Return how lines with a first key begin, for `starts` of a parser.

    Its brackets alone would do, but are too frequent in the JSON of applications.
    """
    return tuple(re.escape(one.head.strip()) for one in shapes)


class Documents:
    """Reads the documents that a tool prints into a log, and reports their problems to its parser.

    A document over several lines ends at its closing bracket. It is cut off if a line before that is not indented. An
    item that cannot be read, since it is cut off or too long, counts only in the total.

    Args:
        parser: gets the problems of each document as one call; its `at` is the position of the line.
        shapes: how the tool's documents look.
    """

    def __init__(self, parser: Parser, shapes: Sequence[Shape]) -> None:
        self._parser = parser
        self._shapes = shapes
        self._begin("")

    def _begin(self, bracket: str) -> None:
        """Begin a document with a bracket, or wait for one."""
        self._bracket = bracket
        self._shape: Shape | None = None
        self._item: list[str] = []
        self._length = 0
        self._start = self._end = self._item_at = self._parser.at
        self._found: list[tuple[Problem, int]] = []
        self._total = 0
        self._name = ""

    @property
    def is_open(self) -> bool:
        """Whether the next line may belong to a document."""
        return bool(self._bracket)

    def feed(self, line: str) -> bool:
        """Read a line; return whether it belongs to a document."""
        if self._bracket and line[:1] == " ":
            self._end = self._parser.at
            self._within(line)
            return self.is_open
        is_last = self._bracket != "" and line[:1] == {"[": "]", "{": "}"}[self._bracket]
        if is_last:
            self._end = self._parser.at
        self.close(is_whole=is_last)
        if line.rstrip() in ("[", "{"):
            self._begin(line[0])
        elif shape := next((one for one in self._shapes if one.head[0] in "[{" and line.startswith(one.head)), None):
            self._one_line(shape, line)
            return True
        return is_last or self.is_open

    def close(self, *, is_whole: bool = False) -> None:
        """Report the problems of a document, if they are the tool's."""
        self._total += bool(self._item)
        if self._shape and self._found and self._is_own(self._shape, is_whole=is_whole):
            at, self._parser.at = self._parser.at, self._start
            self._parser.begin(owns=True)
            for problem, place in self._found:
                self._parser.report(problem, SURE, place)
            self._parser.at = self._end
            self._parser.finish(total=self._total)
            self._parser.at = at
        self._begin("")

    def _is_own(self, shape: Shape, *, is_whole: bool) -> bool:
        """Return whether the document is the tool's: by its name, or by the problems if it ends before the name."""
        if self._name or (shape.named and is_whole):
            return self._name == shape.named
        return all(shape.owns(problem) for problem, _ in self._found)

    def _within(self, line: str) -> None:
        """Read an indented line: of an item, or of what is around the items."""
        text = line.strip()
        if not self._shape and text != "{":
            self._shape = next((one for one in self._shapes if line.startswith(one.head)), None)
            if not self._shape:
                self._begin("")
                return
        if self._item:
            self._length += len(line)
            if self._length <= LONGEST:
                self._item.append(line)
            if text in ("}", "},") and self._shape and line.index("}") == self._shape.indent:
                self._take(self._shape, "".join(self._item).rstrip().rstrip(","))
        elif text == "{" and (not self._shape or line.index("{") == self._shape.indent):
            self._item, self._length, self._item_at = [line], len(line), self._parser.at
        elif self._shape and self._shape.named and not self._name and text.startswith('"name": "'):
            self._name = text.removeprefix('"name": "').rstrip('",')

    def _take(self, shape: Shape, text: str) -> None:
        """Read a whole item. If the first one has another shape, the document is not the tool's."""
        self._item = []
        try:
            self._add(shape.problem(json.loads(text)))
        except _UNFIT:
            if not self._total and self._length <= LONGEST:
                self._begin("")
            else:
                self._total += 1

    def _add(self, problem: Problem | None) -> None:
        if problem:
            self._total += 1
            if len(self._found) < MOST_FOUND:
                self._found.append((problem, self._item_at))

    def _one_line(self, shape: Shape, line: str) -> None:
        """Read a document in one line, item by item."""
        self._begin("")
        self._shape = shape
        decoder, at = json.JSONDecoder(), shape.head.index("[") + 1
        try:
            while line[at : at + 1] == "{":
                item, at = decoder.raw_decode(line, at)
                self._add(shape.problem(item))
                at += line[at : at + 1] == ","
        except _UNFIT:
            self._total += 1
        self.close()
