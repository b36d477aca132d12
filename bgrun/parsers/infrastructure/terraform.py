"""Recognize Terraform and OpenTofu: errors and warnings, with or without a frame around them."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_HEAD = expression(r"^(│ )?(Error|Warning): (\S.*)$")
_PLACE = expression(r"^(?:│ )? {0,2}on (\S.*\.(?:tf|tofu|tfvars|hcl|json)) line (\d+)(?:, in (.*?))?:$")
_WITHIN = 5


class Terraform(Parser):
    """Terraform. A line `on FILE line N` follows the heading of what is in a file."""

    name = "terraform"
    stems = ("Error: ", "Warning: ")

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[str, str, bool, int] | None = None
        self._left = 0

    def feed(self, line: str) -> bool:
        """Read a heading, or one of the lines below it."""
        if self._open and self._left:
            self._left -= 1
            if match := _PLACE.match(line):
                self._report(match[1], match[2], match[3])
                return False
            if not _HEAD.match(line) and line != "╵":
                return True
        self._end()
        if match := _HEAD.match(line):
            self._open, self._left = (match[2], match[3], bool(match[1]), self.at), _WITHIN
        return self._open is not None

    def _report(self, file: str | None, number: str | None, block: str | None) -> None:
        if self._open:
            kind, message, _, at = self._open
            certainty = SURE if file else LIKELY
            self.report(finding(file, number, block, message, kind.lower()), certainty, at)
        self._open = None

    def _end(self) -> None:
        """Report a finding without a place, if it has Terraform's frame."""
        if self._open and self._open[2]:
            self._report(None, None, None)
        self._open = None

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within a finding."""
        self._end()
        return super().findings()
