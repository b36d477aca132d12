"""Read a section of `FAILURES` or `ERRORS`, as pytest prints it: where a test failed, and why. Pure."""

from __future__ import annotations

from itertools import takewhile

from bgrun.parsers.expression import expression

_CAPTURED = expression(r"^-+ Captured .+ -+$")
PLACE = expression(r"^(\S[^:]*(?::[^:\d][^:]*)*):(\d+): (.*)$")
_NATIVE = expression(r'^  +File "([^"]+)", line (\d+)')
_ASSERTED = expression(r"^(?:AssertionError: )?assert\b")
_EXPLAINED = ("assert ", "+ ", "Use -v ")
_MOST_LINES = 5
"""How many lines of a message are kept."""


class Section:
    """The section of a failure: its places in order, the first line of its error, and the lines of each error."""

    def __init__(self, phase: str, title: str, at: int) -> None:
        self.phase = phase
        self.title = title
        self.at = at
        self.places: list[tuple[str, int, str]] = []
        self.error = ""
        self.is_muted = False
        self.is_native = False
        self.has_error = False
        self.doctest: list[str] = []
        self._errors: list[list[str]] = []
        self._is_error = False

    def feed(self, line: str) -> None:
        was_error, self._is_error = self._is_error, line.startswith("E  ")
        if self.is_muted or _CAPTURED.match(line):
            self.is_muted = True
        elif self._is_error:
            if not was_error:
                self._errors.append([])
            self._errors[-1] += [line[1:].strip()] if len(self._errors[-1]) < _MOST_LINES else []
            self._error(line[1:])
        elif line in ("Expected:", "Got:") or (self.doctest and line.startswith("    ")):
            self.doctest.append(line.strip())
        elif place := PLACE.match(line):
            self.places.append((place[1], int(place[2][:9]), place[3]))
        elif native := _NATIVE.match(line):
            self.places.append((native[1], int(native[2][:9]), ""))
            self.is_native = True
        elif self.is_native and line and not line[0].isspace():
            # The last line of a traceback as Python prints it.
            self.error = self.error or line

    def _error(self, text: str) -> None:
        if text[:4].strip():
            # The first line that is not indented is the error; a syntax error has its place and the code before it.
            self.error = self.error if self.has_error else text.strip()
            self.has_error = True
        elif native := _NATIVE.match(text[3:]):
            self.places.append((native[1], int(native[2][:9]), ""))
        else:
            self.error = self.error or text.strip()

    def line_in(self, file: str) -> int | None:
        """Return the line of the last frame in a file, which the section may name relative to another directory."""
        return next((line for path, line, _ in reversed(self.places) if is_same(path, file)), None)

    def message(self) -> str:
        if self.doctest:
            return " ".join(self.doctest)
        return self.whole(self.error) or (self.places[-1][2] if self.places else "")

    def whole(self, first: str) -> str:
        """Return the message that begins with a line; what pytest explains of an assertion is left out."""
        lines = next((one for one in reversed(self._errors) if one[0] == first.strip()), [first])
        if _ASSERTED.match(first):
            return first
        return " ".join([first, *takewhile(lambda line: line and not line.startswith(_EXPLAINED), lines[1:])])


def is_same(path: str, file: str) -> bool:
    """Return whether two paths may name one file: one of them ends with the other."""
    one, other = path.removeprefix("./"), file.removeprefix("./")
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")
