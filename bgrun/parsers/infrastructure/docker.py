"""Recognize `docker build` with BuildKit: the instruction that failed, and its line in the Dockerfile."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, WRAPPER, Parser, finding

_PLACE = expression(r"^(\S*(?:[Dd]ockerfile|[Cc]ontainerfile)\S*):(\d+)$")
_PROCESS = expression(r"^process \".*\" did not complete successfully: exit code: \d+$|^executor failed running ")
_SOLVE = expression(r"^(?:ERROR: |error: )?(?:failed to build: )?failed to solve: (.*)$")


class Docker(Parser):
    """docker build, docker buildx and docker compose build."""

    name = "docker"
    stems = ("failed to solve: ", "ockerfile:")

    def __init__(self) -> None:
        super().__init__()
        self._place: tuple[str, str] | None = None

    def feed(self, line: str) -> bool:
        """Read a line; the place comes before the reason."""
        if match := _PLACE.match(line):
            self._place = (match[1], match[2])
        elif match := _SOLVE.match(line):
            file, number = self._place or (None, None)
            # What the process printed says more, if a tool is recognized in it.
            self.report(finding(file, number, None, match[1]), WRAPPER if _PROCESS.match(match[1]) else LIKELY)
            self.close()
            self._place = None
        return False
