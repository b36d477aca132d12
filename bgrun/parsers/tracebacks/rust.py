"""Recognize Rust: the panic that ended a thread. One within `cargo test` belongs to its test."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, Parser, finding

_PANIC = expression(r"^thread '([^']*)'(?: \(\d+\))? panicked at (\S[^:]*):(\d+):\d+:$")
_OLD = expression(r"^thread '([^']*)' panicked at '(.*)', (\S[^:]*):(\d+):\d+$")
_TESTS = expression(r"^running \d+ tests?$")
_TESTED = expression(r"^test result: ")


class RustPanic(Parser):
    """A panic of a Rust program: its message and place. In a library, that is the caller with `#[track_caller]`."""

    name = "rust-panic"
    starts = ("thread '", "running ", "test result: ")

    def __init__(self) -> None:
        super().__init__()
        self._place: tuple[str, str, int] | None = None
        self._testing = False

    def feed(self, line: str) -> bool:
        """Read a line; the one after a panic has its message."""
        if self._place:
            file, number, at = self._place
            self._place = None
            self._report(file, number, line, at)
        elif _TESTS.match(line):
            self._testing = True
        elif _TESTED.match(line):
            self._testing = False
        elif self._testing:
            return False
        elif match := _PANIC.match(line):
            self._place = (match[2], match[3], self.at)
        elif match := _OLD.match(line):
            self._report(match[3], match[4], match[2], self.at)
        return self._place is not None

    def _report(self, file: str, number: str, message: str, at: int) -> None:
        self.report(finding(file, number, None, message), LIKELY, at)
        self.close()
