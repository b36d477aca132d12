"""Recognize flake8 and pycodestyle, in the default form and in `--format=pylint`."""

from __future__ import annotations

from bgrun.parsers.linters.alike import Alike
from bgrun.parsers.shape import LIKELY, WEAK, Parser, numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings


class Flake8(Parser):
    """flake8. It prints no total."""

    name = "flake8"
    stems = (*numbered(".py:"), *numbered(".pyi:"), *numbered(".ipynb:"), ".ipynb:cell ")
    starts = ("Found ",)

    def __init__(self) -> None:
        super().__init__()
        self._alike = Alike()

    def feed(self, line: str) -> bool:
        """Read a line; what follows a finding shows whose it is."""
        return self._alike.feed(line, self.at)

    def findings(self) -> tuple[Findings, ...]:
        """Return its findings; those of ruff count if nobody looks for ruff."""
        self._alike.end()
        for lines, certainty in ((self._alike.flake8, LIKELY), (self._alike.ruff, WEAK)):
            for one in lines:
                self.report(one.problem, certainty, one.at)
            lines.clear()
            self.close()
        return super().findings()
