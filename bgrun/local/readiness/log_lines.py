"""Find a line of a service's log that matches a regular expression, as the log grows."""

from __future__ import annotations

import os
import sys

from bgrun.errors import BgrunError
from bgrun.light import suppress
from bgrun.parsers import bounded_regex, terminal
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.readiness.target import Target

LINE_S = 0.5
"""How many seconds the search of one line may take: one that backtracks forever does not match."""
_ATTEMPT = b"--- bgrun: attempt "
"""What a job script writes before it runs its command again (see job.sh.j2)."""
_BLOCK = 256 << 10
_MOST_LINE = 64 << 10


class LogCheck:
    """Reads the lines that were added to a log since the last look.

    Only whole lines count. A match before the last attempt of the job does not: that attempt has failed.
    """

    def __init__(self, target: Target, path: str) -> None:
        sys.path.extend(one for one in target.module_path if one not in sys.path)
        self.pattern = bounded_regex.compiled(target.check.value)
        self.path = path
        self.offset = 0
        self.lines = 0
        self.slow = 0
        self.part = b""
        self.matched = False

    def __call__(self, left_s: float) -> str:
        """Return '' if a line has matched, else how many did not."""
        try:
            fd = reading.open_regular(self.path)
        except (OSError, BgrunError):
            return "its log does not exist"
        try:
            if os.fstat(fd).st_size < self.offset:  # truncated
                self.offset, self.part = 0, b""
            while data := os.pread(fd, _BLOCK, self.offset):
                self.offset += len(data)
                self._search(data, left_s)
        finally:
            os.close(fd)
        if self.matched:
            return ""
        slow = f"; the search of {self.slow} took longer than {LINE_S:g}s" if self.slow else ""
        return f"no match in {self.lines} {'line' if self.lines == 1 else 'lines'}{slow}"

    def _search(self, data: bytes, left_s: float) -> None:
        *whole, self.part = (self.part + data).split(b"\n")
        self.part = self.part[-_MOST_LINE:]
        for line in whole:
            if line.startswith(_ATTEMPT):
                self.matched, self.lines = False, 0
                continue
            self.lines += 1
            if not self.matched:
                self.matched = self._matches(line, left_s)

    def _matches(self, line: bytes, left_s: float) -> bool:
        text = terminal.clean(terminal.decode(line))[: bounded_regex.LONGEST_LINE]
        with suppress(TimeoutError):
            return self.pattern.search(text, timeout=max(0.001, min(LINE_S, left_s))) is not None
        self.slow += 1
        return False
