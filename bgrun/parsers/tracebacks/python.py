"""Recognize Python's tracebacks: the exception that ended a program, and the last line of its own code.

One that a program logged or printed and survived looks the same. A line with a level or `Exception ignored` above makes
it a warning; otherwise it counts, as does each of several.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, WEAK, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_HEAD = expression(r"^(.{0,80}?)(?:  \+ Exception Group )?Traceback \(most recent call last\):$")
_FRAME = expression(r'^  File "([^"]+)", line (\d+)(?:, in .+)?$')
_ALONE = expression(r'^  File "([^"]+)", line (\d+)$')
_ERROR = expression(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
_SYNTAX = expression(r"^(SyntaxError|IndentationError|TabError): (.*)$")
_LOGGED = expression(r"\b(?:ERROR|CRITICAL|WARNING|WARN|EXCEPTION)\b|^Exception ignored |was never retrieved$")
_GROUP = expression(r"^ *[|+]")
_MEMBER = expression(r"^ +\| ([A-Za-z_][\w.]*): (.*)$")
_FATAL = expression(r"^.{0,200}?Fatal Python error: (.+)$")
_FATAL_THREAD = expression(r"^(?:Current thread|Stack) .*\(most recent call first\):$")
_FATAL_FRAME = expression(r'^  File "([^"]+)", line (\d+) in (.+)$')
_MOST_FATAL = 200
"""How many lines after the beginning of a fatal error are read."""
_CHAINED = ("The above exception was the direct cause", "During handling of the above exception")
_FOREIGN = expression(r"site-packages|dist-packages|/lib(?:64)?/python\d|^<(?!stdin|string)")
_MOST_MEMBERS = 5
_LONGEST_SYNTAX = 6


class _Place(NamedTuple):
    file: str
    line: str
    source: str = ""


class _Raised(NamedTuple):
    """An exception that may be the cause of the next one."""

    place: _Place
    kind: str
    message: str
    at: int
    logged: bool


class _Fatal:
    """An error that ended the interpreter, as faulthandler prints it."""

    def __init__(self, message: str = "", at: int = 0) -> None:
        self.message = message
        self.at = self.last = at
        self.left = _MOST_FATAL
        self.is_current = False
        self.frames: list[tuple[str, str, str]] = []


class PythonTraceback(Parser):
    """An uncaught exception of a Python program, or a syntax error; of a chain, the last exception."""

    name = "python"
    stems = ("Traceback (m", "Fatal Python error: ")
    starts = ('File "', "The above exception", "During handling")
    context = 2

    def __init__(self) -> None:
        super().__init__()
        self._prefix: str | None = None
        self._group = False
        self._places: list[_Place] = []
        self._head_at = 0
        self._alone = 0
        self._logged = False
        self._before: list[str] = []
        self._raised: _Raised | None = None
        self._cause: _Raised | None = None
        self._members: list[str] = []
        self._fatal = _Fatal()

    def feed(self, line: str) -> bool:
        """Read a line of a traceback, its heading, or what links two of them."""
        if self._fatal.message:
            return self._crash(line)
        if self._prefix is None and (match := _FATAL.match(line)):
            self._flush()
            self._fatal = _Fatal(match[1], self.at)
            return True
        if self._prefix is not None:
            return self._inside(line)
        if self._members and self._raised and _GROUP.match(line):
            return self._member(line)
        if match := _HEAD.match(line):
            self._begin(match[1], "+ Exception Group" in line)
        elif match := _ALONE.match(line):
            self._flush()
            self._begin("", group=False)
            self._alone = _LONGEST_SYNTAX
            self._places = [_Place(match[1], match[2])]
        elif line.startswith(_CHAINED):
            self._cause, self._raised = self._raised or self._cause, None
        self._before = [*self._before[-1:], line]
        return self._prefix is not None

    def _crash(self, line: str) -> bool:
        """Read a line after a fatal error: the frames of the current thread, the innermost one first."""
        one = self._fatal
        one.left -= 1
        if match := _FATAL_FRAME.match(line):
            one.frames += [(match[1], match[2], match[3])] if one.is_current else []
            one.last = self.at
        elif one.frames or not one.left:
            self._end_crash()
            return self.feed(line)
        one.is_current = one.is_current or bool(_FATAL_THREAD.match(line))
        return True

    def _end_crash(self) -> None:
        """Report a fatal error at its test, or else at the innermost frame of the program's own code."""
        one, self._fatal = self._fatal, _Fatal()
        if not one.message:
            return
        own = [frame for frame in one.frames if not _FOREIGN.search(frame[0])]
        tests = [frame for frame in own if frame[2].startswith("test")]
        file, number, name = (tests[-1:] or own or one.frames or [("", "", "")])[0]
        file = "" if file.startswith("<") else file
        self.report(finding(file, number if file else "", name, f"Fatal Python error: {one.message}"), LIKELY, one.at)
        if self._call:
            self._call = self._call._replace(end=one.last)
        self.close()

    def _begin(self, prefix: str, group: bool) -> None:
        self._flush()
        self._prefix, self._group, self._alone, self._places = prefix, group, 0, []
        self._logged = any(_LOGGED.search(line) for line in self._before)
        self._head_at = self.at

    def _inside(self, line: str) -> bool:
        prefix = self._prefix or ""
        text = line[len(prefix) :] if line.startswith(prefix) else line
        if self._group:
            text = re.sub(r"^  \| ", "", text)
        if self._alone:
            return self._syntax(text)
        if match := _FRAME.match(text):
            self._places.append(_Place(match[1], match[2]))
        elif text.startswith("    ") and self._places and not self._places[-1].source:
            self._places[-1] = self._places[-1]._replace(source=text.strip())
        elif not text.startswith("  ") and text.strip():
            self._prefix = None
            if (match := _ERROR.match(text)) and self._places:
                self._raise(match[1], match[2] or "")
                self._members = [""] if self._group else []
                return self._group
        return self._prefix is not None

    def _syntax(self, text: str) -> bool:
        """Read the lines of a syntax error in the script itself, which has no heading."""
        self._alone -= 1
        match = _SYNTAX.match(text)
        if match:
            self._raise(match[1], match[2])
        if match or not self._alone or not text.startswith(" "):
            self._prefix, self._alone = None, 0
        return self._prefix is not None

    def _raise(self, kind: str, message: str) -> None:
        place = next((one for one in reversed(self._places) if not _FOREIGN.search(one.file)), self._places[-1])
        # Of an assertion without a message its source says what is wrong; that of another exception says nothing.
        text = message or (place.source if kind.endswith("AssertionError") else "")
        cause, self._cause = self._cause, None
        if cause and (cause.kind, cause.message) == (kind, text):
            place = cause.place  # raised in another process: the first traceback has the line
        self._raised = _Raised(place, kind, text, self.at, self._logged)

    def _member(self, line: str) -> bool:
        if (match := _MEMBER.match(line)) and len(self._members) <= _MOST_MEMBERS:
            self._members.append(f"{match[1]}: {match[2]}")
        return True

    def _flush(self) -> None:
        """Report the last exception, which is no cause of another one."""
        if one := self._raised:
            message = ": ".join(filter(None, (one.message, "; ".join(filter(None, self._members)))))
            severity = "warning" if one.logged else "error"
            file = None if one.place.file.startswith("<") else one.place.file
            number = one.place.line if file else None
            self.report(finding(file, number, one.kind, message, severity), WEAK, one.at)
            self.close()
        self._raised, self._members = None, []

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each traceback."""
        self._end_crash()
        self._flush()
        return super().findings()
