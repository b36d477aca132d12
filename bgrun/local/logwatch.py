"""Word of the kernel that something is written in a folder, so that quiet logs need no looks at them."""

from __future__ import annotations

import fcntl
import os


class LogWatch:
    """What is written in one folder (fcntl(2), F_NOTIFY): Linux has it, unless it was built without."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fd = -1

    def ask(self) -> bool:
        """Ask for one SIGIO when any file of the folder is written to; return False where that is not to be had.

        Whoever asks has SIGIO blocked, which would end this process otherwise (see `event_loop.Alarm`).
        """
        asked = getattr(fcntl, "F_NOTIFY", None)
        if asked is None:
            return False
        try:
            if self._fd < 0:
                self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.fcntl(self._fd, asked, getattr(fcntl, "DN_MODIFY", 0))
        except OSError:
            return False
        return True
