"""Find a line of a service's log that matches a regular expression, as the log grows."""

from __future__ import annotations

import os
import sys

from bgrun.errors import BgrunError
from bgrun.parsers import bounded_regex, terminal
from bgrun.system import clock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.readiness.target import Target

LINE_S, LEAST_LINE_S = 0.5, 0.01
"""How many seconds of processor time the search of one line may take: one that backtracks forever does not match. After
each such line half of it, down to the least: the pattern backtracks on other lines as well."""
LOOK_S = 1.0
"""After how many seconds a look at a log ends: a service may write faster than lines are searched."""
_ATTEMPT = b"--- bgrun: attempt "
"""What a job script writes before it runs its command again (see job.sh.j2)."""
_BLOCK = 64 << 10
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
            size = os.fstat(fd).st_size
            if size < self.offset:  # truncated
                self.offset, self.part = 0, b""
            self._read(fd, size, clock.steady_clock() + min(left_s, LOOK_S))
        finally:
            os.close(fd)
        if self.matched and self.offset >= size:
            return ""
        if self.matched:
            return "a match, but the log grows faster than it is read"
        slow = f"; the search of {self.slow} took longer than allowed" if self.slow else ""
        return f"no match in {self.lines} {'line' if self.lines == 1 else 'lines'}{slow}"

    def _read(self, fd: int, size: int, until: float) -> None:
        """Search what the log has up to this size: one that grows all the time has no end."""
        while self.offset < size and clock.steady_clock() < until:
            data = os.pread(fd, min(_BLOCK, size - self.offset), self.offset)
            if not data:
                return  # truncated meanwhile
            self.offset += len(data)
            self._search(data, until)

    def _search(self, data: bytes, until: float) -> None:
        text = self.part + data
        if self.matched and _ATTEMPT not in text:  # all else is without interest
            self.part = text[text.rfind(b"\n") + 1 :][-_MOST_LINE:]
            return
        *whole, self.part = text.split(b"\n")
        self.part = self.part[-_MOST_LINE:]
        for number, line in enumerate(whole):
            if line.startswith(_ATTEMPT):
                self.matched, self.lines = False, 0
                continue
            self.lines += 1
            self.matched = self.matched or self._matches(line)
            if clock.steady_clock() >= until:
                self.offset -= len(b"\n".join([*whole[number + 1 :], self.part]))
                self.part = b""
                return

    def _matches(self, line: bytes) -> bool:
        text = terminal.clean(terminal.decode(line))[: bounded_regex.LONGEST_LINE]
        try:
            return self.pattern.search(text, timeout=max(LEAST_LINE_S, LINE_S / 2 ** min(self.slow, 10))) is not None
        except TimeoutError:
            self.slow += 1
            return False
