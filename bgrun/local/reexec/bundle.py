"""The supervisor's own copy of all code that it may ever need: a job may remove or replace the bgrun that started it.

The copy is taken before a job begins (see `job`): the bytecode of each module as Python keeps it (PEP 3147,
PEP 552), or its source where there is none. From then on modules are imported from the copy alone. A slim
supervisor gets it through a file in memory (memfd_create(2)), of which it keeps only what it has not loaded yet.
"""

from __future__ import annotations

import marshal
import os
import sys

from bgrun import codec
from bgrun.local.reexec.loader import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from bgrun.local.reexec.loader import Index

# The inner half of importlib, which is loaded in every interpreter.
_MACHINERY: Any = sys.modules["_frozen_importlib_external"]


def _in(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{room}.{name}" for name in names)


_PACKAGES = (
    "bgrun",
    *_in("bgrun", "local", "parsers", "store", "system"),
    *_in("bgrun.local", "concurrency", "reexec", "stopping"),
)
_SELDOM = (
    *_in("bgrun", "wording"),
    *_in("bgrun.store", "cache", "facts", "foreign", "index", "masking", "newest", "record", "retention"),
    *_in("bgrun.local", "reports"),
    *_in("bgrun.local.stopping", "policy", "processes", "stopper"),
    *_in("bgrun.parsers", "terminal"),
)
_ALWAYS = (
    *_in("bgrun", "codec", "errors", "light", "model"),
    *_in("bgrun.local.reexec", "loader"),
    *_in("bgrun.local", "event_loop", "journal", "log_limit", "main", "manifest", "run", "supervisor", "workdir"),
    *_in("bgrun.system", "clock", "files", "lock", "process"),
    *_in("bgrun.store", "meta", "paths", "state"),
)
_OTHERS = (
    *_in("bgrun.local", "hooks", "inhibitor", "job", "scheduler", "wait"),
    *_in("bgrun.local.reexec", "bundle", "interpreter"),
    *_in("bgrun.system", "programs"),
    *_in("bgrun.local.concurrency", "queue", "slots"),
    *_in("bgrun.local.stopping", "request"),
    *_in("bgrun.store", "claim"),
)
SLIM = (*_SELDOM, *_PACKAGES, *_ALWAYS)
"""What the supervisor of a run that only runs may need, that which it seldom does first."""
ALL = (*SLIM, *_OTHERS)
"""What any supervisor may need."""


class Copy(Kept):
    """The code of all modules, with the interpreter that a slim supervisor can be made of."""

    def __init__(self, index: Index, read: Callable[[int, int], bytes], base: Base) -> None:
        super().__init__(index, read)
        self.base = base

    @property
    def is_whole(self) -> bool:
        """Whether a slim supervisor can be made of it."""
        return self.base.is_there() and set(SLIM) <= set(self.index)

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
    """The interpreter below a venv with its standard library, which the slim supervisor needs, and a mark of each."""

    def __init__(self) -> None:
        base = getattr(sys, "_base_executable", "") or sys.executable
        self.executable = base if _mark(base) else sys.executable
        loaded = (getattr(sys.modules.get(name), "__file__", "") for name in ("encodings", "fcntl"))
        self.marks = {path: _mark(path) for path in (self.executable, *loaded) if path}

    def is_there(self) -> bool:
        """Return whether all of it is as it was."""
        return len(self.marks) > 1 and all(mark and mark == _mark(path) for path, mark in self.marks.items())


def _mark(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def take() -> Copy:
    """Read the code of all modules that a supervisor may need, and import them from that from now on.

    Raises:
        ImportError: some of it is gone already.
    """
    root = os.path.dirname(os.path.abspath(codec.__file__))
    index: Index = {}
    parts: list[bytes] = []
    at = 0
    for name in ALL:
        path = f"{root}{name[5:].replace('.', '/')}{'/__init__' if name in _PACKAGES else ''}.py"
        try:
            data, compiled = _code(name, path)
        except OSError:
            __import__(name)  # it comes from an archive, or is gone
            continue
        index[name] = path, name in _PACKAGES, compiled, at, at + len(data)
        parts.append(data)
        at += len(data)
    held = b"".join(parts)
    copy = Copy(index, lambda begin, end: held[begin:end], Base())
    sys.meta_path.insert(0, copy)
    return copy


def _code(name: str, path: str) -> tuple[bytes, bool]:
    """Return the bytecode of a module and True, or its source and False.

    Raises:
        OSError: neither can be read.
    """
    if data := _bytecode(path):
        return data, True
    if not sys.dont_write_bytecode and os.access(os.path.dirname(path), os.W_OK):
        # As the import of it would, for all starts to come: none but a supervisor imports some of these.
        _MACHINERY.SourceFileLoader(name, path).get_code(name)
        if data := _bytecode(path):
            return data, True
    return _read(path), False


def _bytecode(path: str) -> bytes:
    """Return the bytecode that is kept of a source, or nothing where there is none that is still true.

    Raises:
        OSError: the source is gone.
    """
    header = _header(os.stat(path))
    folder, _, name = path.rpartition("/")
    if sys.pycache_prefix is not None or sys.flags.optimize:
        return b""
    try:
        data = _read(f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc")
    except OSError:
        return b""
    return data[16:] if data[:16] == header else b""


def _header(source: os.stat_result) -> bytes:
    """Return how the bytecode of a source begins that goes by the time and the size of that (PEP 552)."""
    words = (0, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return bytes(_MACHINERY.MAGIC_NUMBER) + b"".join(word.to_bytes(4, "little") for word in words)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


BOOT = """
import sys, marshal, posix
fd, begin, size = map(int, sys.argv[1:4])
index, state, end = marshal.loads(posix.pread(fd, size, begin))
path, _, compiled, begin, stop = index["bgrun.local.reexec.loader"]
code = posix.pread(fd, stop - begin, begin)
space = {"__name__": "bgrun.local.reexec.loader", "__file__": path}
exec(marshal.loads(code) if compiled else compile(code, path, "exec"), space)
space["go_on"](fd, index, posix.pread(fd, end - state, state))
"""
"""What a slim supervisor begins with; its words: a descriptor, where in that the index begins, and its length."""
