"""Import bgrun from one file that has the bytecode of all its usual modules, and hold a copy of that.

A command that reads one file instead of fifty is done in four fifths of the time. A supervisor needs the copy, because
its job may remove or replace the bgrun that started it: it is taken before the job begins (see `job`), and from then
on modules are imported from it alone. A re-executed supervisor gets its part through a file in memory
(memfd_create(2)), of which it keeps only what it has not loaded yet.

The file stands beside Python's own caches; `builder` makes it. It is used only while every source is the file that it
was made of.
"""

from __future__ import annotations

import marshal
import os
import sys

from bgrun.bytecode.loader import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bgrun.bytecode.loader import Index

# importlib.util.MAGIC_NUMBER, without loading that.
MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = f"{ROOT}/__pycache__/bgrun.{sys.implementation.cache_tag}.bundle.pyc"


def _in(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{room}.{name}" for name in names)


_PACKAGES = (
    "bgrun",
    *_in("bgrun", "bytecode", "local", "parsers", "store", "system"),
    *_in("bgrun.local", "concurrency", "launch", "recording", "stopping", "supervision"),
)
SELDOM = (
    *_in("bgrun", "engine", "wording"),
    *_in("bgrun.store", "cache", "facts", "foreign", "index", "masking", "record", "retention", "store"),
    *_in("bgrun.local", "evidence", "foreign"),
    *_in("bgrun.local.recording", "globs", "reports"),
    *_in("bgrun.local.stopping", "policy", "processes", "signals", "stopper", "supervised"),
    *_in("bgrun.parsers", "terminal"),
)
_ALWAYS = (
    *_in("bgrun", "codec", "errors", "light", "model"),
    *_in("bgrun.bytecode", "loader"),
    *_in("bgrun.local.launch", "manifest"),
    *_in("bgrun.local.recording", "journal"),
    *_in("bgrun.local.supervision", "descriptors", "event_loop", "host", "log_limit", "machine", "main", "run"),
    *_in("bgrun.local.supervision", "supervisor", "workdir"),
    *_in("bgrun.system", "clock", "files", "lock", "process"),
    *_in("bgrun.store", "meta", "paths", "state"),
)
_OTHERS = (
    *_in("bgrun.local", "wait"),
    *_in("bgrun.local.recording", "group_journal"),
    *_in("bgrun.local.supervision", "dispatcher", "hooks", "inhibitor", "job", "scheduler"),
    *_in("bgrun.bytecode", "builder", "bundle"),
    *_in("bgrun.local.launch", "interpreter"),
    *_in("bgrun.system", "programs"),
    *_in("bgrun.local.concurrency", "queue", "slots"),
    *_in("bgrun.local.stopping", "orphans", "request"),
    *_in("bgrun.store", "claim"),
)
_FACE_PACKAGES = _in("bgrun", "api", "cli", "cli.commands", "jobfile", "logs", "templating")
_FACE = (
    *_in("bgrun.api", "insight", "logs", "plan_cache", "runs", "start", "stop"),
    *_in("bgrun.cli", "choice", "digest_text", "dispatch", "exit_codes", "format", "output", "parser", "spec"),
    *_in("bgrun.cli.commands", "logs", "start", "status", "stop", "wait"),
    *_in("bgrun.jobfile", "installation", "project"),
    *_in("bgrun.local.launch", "spawn", "submit"),
    *_in("bgrun.logs", "masked", "reader", "stream"),
    *_in("bgrun.system", "git", "preflight"),
    *_in("bgrun.templating", "inputs"),
)
PACKAGES = frozenset((*_PACKAGES, *_FACE_PACKAGES))
SLIM = (*SELDOM, *_PACKAGES, *_ALWAYS)
"""What the supervisor of a run that only runs may need, that which it seldom does first."""
SUPERVISOR = (*SLIM, *_OTHERS)
"""What any supervisor may need."""
ALL = (*SUPERVISOR, *_FACE_PACKAGES, *_FACE)
"""That, and what the commands load that are typed most."""


class Copy(Kept):
    """The code of all modules, and once it is to outlast them the interpreter that runs a re-executed supervisor."""

    def __init__(self, index: Index, read: Callable[[int, int], bytes]) -> None:
        super().__init__(index, read)
        self.base: Base | None = None

    def keep(self) -> Copy:
        """Note the interpreter as it is now, and return this."""
        self.base = self.base or Base()
        return self

    @property
    def is_whole(self) -> bool:
        """Whether a supervisor can be re-executed with it."""
        return self.base is not None and self.base.is_there() and set(SLIM) <= set(self.index)

    def packed(self, names: Iterable[str], more: bytes) -> tuple[bytes, bytes]:
        """Return the index of a copy of these modules alone, and its bytes with `more` behind them."""
        parts: list[bytes] = []
        index: Index = {}
        at = 0
        for name in names:
            path, package, compiled, begin, end = self.index[name]
            parts.append(self.read(begin, end))
            index[name] = path, package, compiled, at, at + end - begin
            at += end - begin
        return marshal.dumps((index, at, at + len(more))), b"".join([*parts, more])


class Base:
    """The interpreter below a venv and its standard library, for the re-executed supervisor, with their marks."""

    def __init__(self) -> None:
        base = getattr(sys, "_base_executable", "") or sys.executable
        self.executable = base if mark_of(base) else sys.executable
        loaded = (getattr(sys.modules.get(name), "__file__", "") for name in ("encodings", "fcntl"))
        self.marks = {path: mark_of(path) for path in (self.executable, *loaded) if path}

    def is_there(self) -> bool:
        """Return whether all of it is as it was."""
        return len(self.marks) > 1 and all(mark and mark == mark_of(path) for path, mark in self.marks.items())


def mark_of(path: str) -> tuple[int, ...] | None:
    """Return what changes whenever a file is replaced or written to; None if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def cached() -> Copy | None:
    """Use the cached code of all modules; return None unless each source still is the file that it was made of.

    A process that starts several supervisors keeps the copy of the first one.
    """
    for finder in sys.meta_path:
        if isinstance(finder, Copy):
            return finder
    found = _cached()
    return use(*found) if found else None


def use(index: Index, code: bytes) -> Copy:
    """Import the modules of an index from a copy of their code from now on, and return the copy."""
    copy = Copy(index, lambda begin, end: code[begin:end])
    sys.meta_path.insert(0, copy)
    return copy


def _cached() -> tuple[Index, bytes] | None:
    """Return the index and the code in the cache; then come the length of the index and the version of the bytecode."""
    try:
        data = _read_own(CACHE)
        root, marks, index = marshal.loads(data[-8 - int.from_bytes(data[-8:-4], "little") : -8])  # noqa: S302 - our own
    except (OSError, ValueError, EOFError, TypeError):
        return None
    if data[-4:] != MAGIC or root != ROOT or any(mark_of(path) != mark for path, mark in marks.items()):
        return None
    return index, data


def _read_own(path: str) -> bytes:
    """Return the bytes of a file that only we or root can have written.

    Raises:
        OSError: it is no such file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise PermissionError
        return os.read(fd, found.st_size)
    finally:
        os.close(fd)


BOOT = """
import sys, marshal, posix
fd, begin, size = map(int, sys.argv[1:4])
index, state, end = marshal.loads(posix.pread(fd, size, begin))
path, _, compiled, begin, stop = index["bgrun.bytecode.loader"]
code = posix.pread(fd, stop - begin, begin)
space = {"__name__": "bgrun.bytecode.loader", "__file__": path}
exec(marshal.loads(code) if compiled else compile(code, path, "exec"), space)
trim = space["install"](fd, index)
from bgrun.local.supervision import main
main.take_over(posix.pread(fd, end - state, state), trim)
"""
"""What a re-executed supervisor runs. Its arguments: a descriptor, where in that the index begins, and its length."""
