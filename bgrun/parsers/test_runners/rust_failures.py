"""Read why a Rust test failed: a panic and its place, the error that it returned, or that it did not panic. Pure."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Problem, number

PANIC = expression(r"^thread '(.*)' (?:\(\d+\) )?panicked at (?:'(.*)', )?(\S[^:]*):(\d+):\d+:?$")
_OLD_START = expression(r"^thread '(.*)' panicked at '(.*)$")
_OLD_END = expression(r"^(.*)', (\S[^:]*):(\d+):\d+$")
_ERROR = expression(r"^Error: (\S.*)$")
_NOTE = expression(r"^note: ((?:test did not panic|panic did not contain).*?)(?: at (\S[^:]*):(\d+):\d+)?$")
_WANTED = expression(r"^ *(panic message|expected substring): (.*)$")
_DOCTEST = expression(r"^(\S.*\.rs) - .*\(line (\d+)\)$")
_STOP = ("note: run with ", "stack backtrace:")
_MOST_LINES = 12


class Failure:
    """What was printed of a test that failed."""

    def __init__(self) -> None:
        self.is_passed = False
        self._panics: list[tuple[str, str, int | None, list[str]]] = []
        self._notes: list[str] = []
        self._error = ""
        self._place: tuple[str | None, int | None] = (None, None)
        self._is_message = False
        self._old: tuple[str, list[str]] | None = None

    def feed(self, line: str) -> None:
        """Read a line of the section of the test."""
        if self._old:
            self._feed_old(*self._old, line)
        elif panic := PANIC.match(line):
            self._panics.append((panic[1], panic[3], number(panic[4]), [panic[2]] if panic[2] else []))
            del self._panics[:-_MOST_LINES]
            self._is_message = not panic[2]
        elif old := _OLD_START.match(line):
            self._old = (old[1], [old[2]])
        elif note := _NOTE.match(line):
            self._notes.append(note[1])
            self._place = (note[2], number(note[3])) if note[2] else self._place
            self._is_message = False
        elif self._notes and len(self._notes) < 3 and (wanted := _WANTED.match(line)):
            self._notes.append(f"{wanted[1]}: {wanted[2]}")
        elif line.startswith(_STOP) or not line.strip():
            self._is_message = False
        elif self._is_message and len(self._panics[-1][3]) < _MOST_LINES:
            self._panics[-1][3].append(line.strip())
        elif error := _ERROR.match(line):
            self._error = error[1]

    def _feed_old(self, thread: str, text: list[str], line: str) -> None:
        """Read a further line of a message that comes before its place, as before Rust 1.73."""
        end = _OLD_END.match(line)
        text.append(end[1] if end else line)
        if end:
            self._panics.append((thread, end[2], number(end[3]), [" ".join(one.split()) for one in text]))
        if end or len(text) > _MOST_LINES:
            self._old = None

    def problem(self, name: str, binary: str) -> Problem:
        """Return the failed test as a problem; `binary` is the file of its binary."""
        # Other threads may have panicked before, which is often the cause.
        own = [one for one in self._panics if one[0] == name.rpartition(" ")[2]] or self._panics[-1:]
        file, line = self._place
        message = ", ".join(self._notes)
        if own and not message:
            _, file, line, text = own[-1]
            message = " ".join(text)
        elif own and not file:
            _, file, line, _ = own[-1]
        message = message or (f"Error: {self._error}" if self._error else "")
        if doctest := _DOCTEST.match(name):
            file, line = doctest[1], number(doctest[2])
        if file and binary.startswith("tests/") and not file.endswith(binary):
            # It panicked in a library: the test is in the file of its binary.
            file, line, message = binary, None, f"{message} ({file}:{line})"
        return Problem(file or binary or None, line, name, message, test=True)
