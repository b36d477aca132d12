"""What macOS does not have, as parts of a program that takes it away on Linux before bgrun is loaded.

Each part is Python, run in the command line and again in every supervisor. A part may use `take(owner,
names)`, which deletes what is there of these, and `sys`, `os`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.conftest import TOP, Cli

if TYPE_CHECKING:
    from pathlib import Path

HEAD = f"""
import os, sys
sys.path.insert(0, {str(TOP)!r})
def take(owner, names):
    for name in names.split():
        delattr(owner, name) if hasattr(owner, name) else None
"""
PARTS = {
    # Calls and constants that only Linux has; os.waitid came to macOS with Python 3.13 only.
    "calls": """
import _signal, fcntl, time
take(os, "pidfd_open memfd_create posix_fallocate waitid waitid_result eventfd copy_file_range splice SEEK_DATA SEEK_HOLE O_PATH O_TMPFILE")
take(_signal, "pidfd_send_signal sigtimedwait sigwaitinfo")
take(time, "CLOCK_BOOTTIME")
take(fcntl, "F_NOTIFY DN_MODIFY F_OFD_SETLK F_OFD_GETLK F_SETPIPE_SZ")
""",
    # bgrun itself may not look there. psutil does: it stands for what it asks of macOS by other ways.
    "proc": """
import builtins
def blind(owner, name):
    real = getattr(owner, name)
    def looked(path, *args, **kwargs):
        if str(path).startswith("/proc") and "/bgrun/" in sys._getframe(1).f_code.co_filename:
            raise FileNotFoundError(2, "there is no /proc here", path)
        return real(path, *args, **kwargs)
    setattr(owner, name, looked)
for name in ("open", "stat", "lstat", "listdir", "readlink", "scandir", "access"):
    blind(os, name)
blind(builtins, "open")
""",
    "linux": """
from bgrun.system import process
process.LINUX = False
from bgrun.local.supervision import log_limit
log_limit._fallocate = lambda: None
""",
    # System Integrity Protection: nobody is shown the environment of Apple's own programs (bash, sh, sleep, …).
    "environments": """
from bgrun.system import process
def is_apples(pid):
    try:
        program = os.path.realpath(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False
    # The interpreter of the tests stands for one that is not Apple's, wherever it is.
    return program.startswith(("/bin/", "/usr/bin/")) and program != os.path.realpath(sys.executable)
shown = process.environment_of
process.environment_of = lambda pid: {} if is_apples(pid) else shown(pid)
""",
    # No shell there is dash: /bin/sh is a bash of 2007.
    "dash": """
from bgrun.local.supervision import job
job._DASH = ()
""",
    # What a login on macOS gives a process (launchctl limit maxfiles).
    "descriptors": """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
""",
}


def program(parts: dict[str, str]) -> str:
    """Return a bgrun, as a Python program, that has these parts taken away, and its supervisors too."""
    away = HEAD + "".join(parts.values())
    boot = away + "from bgrun.local.launch.begin import main; main()"
    return f"{away}\nfrom bgrun.local.launch import interpreter\ninterpreter._BOOT = {boot!r}\nfrom bgrun.__main__ import main\nmain()\n"


def elsewhere(bg: Cli, tmp_path: Path) -> Cli:
    """Return a bgrun as it is off Linux, in the folder of another one."""
    path = tmp_path / "bgrun_elsewhere.py"
    path.write_text(program(PARTS), encoding="utf-8")
    return Cli(bg.folder, [sys.executable, str(path)], bg.env)
