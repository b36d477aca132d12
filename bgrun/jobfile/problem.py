"""A fault of a job file: where it is, what is wrong and how to mend it."""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Problem(NamedTuple):
    """One fault; `path` is its place in the document (`jobs.x.timeout`), lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: path: message; hint`."""
        where = f"{self.file}:{self.line}:{self.column}: "
        told = f"{self.path}: {self.message}" if self.path else self.message
        return where + (f"{told}; {self.hint}" if self.hint else told)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems in the order of the file, each once."""
    return sorted(set(problems), key=lambda one: (one.line, one.column, one.path, one.message))
