"""Import bgrun from one file that has the bytecode of all its usual modules, and hold a copy of that.

A command that reads one file instead of fifty is done in four fifths of the time. A supervisor needs the copy, because
its job may remove or replace the bgrun that started it: the file is open before the job begins (see `job`), in memory
once the caller is answered, and modules are imported from it alone. A re-executed supervisor gets its part through a
file in memory (memfd_create(2)), of which it keeps only what it has not loaded yet.

The file stands beside Python's own caches; `builder` makes it, and replaces it as a whole: whoever has it open can read
it for good. It is used only while every source is the file that it was made of.
"""

import _thread
import marshal
import os
import sys

from bgrun.bytecode.loader import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from bgrun.bytecode.loader import Index

    Sets = dict[str, tuple[str, int, int]]
    """Of each set of modules that are loaded together, by the module that it is for: that of the set before it, which
    has what this one lacks, or ''; where its code begins and ends."""

# importlib.util.MAGIC_NUMBER, without loading that.
MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TRAILER = 8
"""How many bytes are behind the index in the cache: the length of that, and the version of the bytecode."""
WRITTEN_NS = 946_684_800 * 10**9
"""The time of change that the cache is given (2000-01-01). Whatever writes over it later leaves another one."""


def cache_of(root: str) -> str:
    """Return the path of the cache of an installation.

    There is one for each path that it is reached by, which its code has, and for each level of optimization.
    """
    place = sys.modules["_imp"].source_hash(0, f"{root} {sys.flags.optimize}".encode()).hex()
    return f"{root}/__pycache__/bgrun.{sys.implementation.cache_tag}.{place}.bundle.pyc"


CACHE = cache_of(ROOT)


class Copy(Kept):
    """The code of all modules, and once it is to outlast them the interpreter that runs a re-executed supervisor.

    fd: the descriptor of the cache, while the code is read from that; -1 once it is in memory.
    """

    def __init__(self, index: "Index", read: "Callable[[int, int], bytes]", sets: "Sets | None" = None) -> None:
        super().__init__(index, read)
        self.sets = sets or {}
        self.fd = -1
        self.base: Base | None = None
        self._loaded: dict[str, CodeType] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """Return how to load a module, or None unless it is kept; load what is to be loaded along with it.

        None as well if the file was written over meanwhile: then the module is imported as any other.
        """
        try:
            self._load_set(name)
            if name in self.index and name not in self._loaded:
                self._loaded[name] = super().code(name)
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return super().find_spec(name, path, target)

    def _load_set(self, name: str) -> None:
        """Load what is to be loaded along with a module, if it is the name of a set.

        While another thread may import, too, nothing is: only the import system locks each module.

        Raises:
            OSError, ValueError, EOFError, TypeError: it cannot be read.
        """
        if name not in self.sets or _thread._count():
            return
        before, begin, end = self.sets.pop(name)
        if before in self.sets:
            __import__(before)
        for one, code in marshal.loads(self.read(begin, end)):  # noqa: S302 - our own
            if one == name:
                self._loaded[name] = code
            elif one not in sys.modules:
                self._load(one, code)

    def code(self, name: str) -> "CodeType":
        """Return the code of a module."""
        return self._loaded.pop(name, None) or super().code(name)

    def _load(self, name: str, code: "CodeType") -> None:
        """Import a module without the import system, which takes most of the time."""
        package, _, own = name.rpartition(".")
        if package and package not in sys.modules:
            __import__(package)
        module: Any = type(sys)(name)
        module.__spec__ = spec = self.spec(name)
        module.__loader__, module.__file__, module.__package__ = self, spec.origin, spec.parent
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - as every loader does
        except BaseException:
            del sys.modules[name]
            raise
        if package:
            setattr(sys.modules[package], own, module)

    def keep(self) -> "Copy":
        """Note the interpreter as it is now, and return this."""
        self.base = self.base or Base()
        return self

    def hold(self) -> bool:
        """Read what supervisors need into memory; return whether that is as it was written."""
        if self.fd < 0:
            return True
        from bgrun.bytecode.contents import SUPERVISOR

        self.index, self.sets = {name: self.index[name] for name in SUPERVISOR}, {}
        length = max(one[4] for one in self.index.values())
        code = os.pread(self.fd, length, 0)
        intact = len(code) == length and os.fstat(self.fd).st_mtime_ns == WRITTEN_NS
        os.close(self.fd)
        self.fd = -1
        self.read = lambda begin, end: code[begin:end]
        return intact

    @property
    def is_whole(self) -> bool:
        """Whether a supervisor can be re-executed with it."""
        from bgrun.bytecode.contents import SLIM

        return self.base is not None and self.base.is_there() and set(SLIM) <= set(self.index)

    def packed(self, names: "Iterable[str]", more: bytes) -> tuple[bytes, bytes]:
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
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def cached() -> "Copy | None":
    """Return the copy that this process imports from, which it may have to begin with; None if there is no cache.

    A process that starts several supervisors keeps the copy of the first one.
    """
    for finder in sys.meta_path:
        if isinstance(finder, Copy):
            return finder
    copy = use_cache()
    if copy and not copy.hold():  # the descriptor is not safe in a process of others
        sys.meta_path.remove(copy)
        return None
    return copy


def use_cache() -> "Copy | None":
    """Import from the cache from now on; return None unless each source still is the file that it was made of."""
    try:
        fd = os.open(CACHE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        root, marks, index, sets = marshal.loads(_index(fd))  # noqa: S302 - our own
        if root == ROOT and all(mark_of(path) == mark for path, mark in marks.items()):
            copy = use(lambda begin, end: os.pread(fd, end - begin, begin), index, sets)
            copy.fd = fd
            if fd > 2 or copy.hold():  # the number of a stream that the caller closed is used again
                return copy
            sys.meta_path.remove(copy)
            return None
    except (OSError, ValueError, EOFError, TypeError):
        pass
    os.close(fd)
    return None


def _index(fd: int) -> bytes:
    """Return the index of the cache.

    Raises:
        OSError: others than we or root can have written it, or it is of another version of Python.
        ValueError: it was written over.
    """
    found = os.fstat(fd)
    trailer = os.pread(fd, TRAILER, max(0, found.st_size - TRAILER))
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022 or not trailer.endswith(MAGIC):
        raise PermissionError
    if found.st_mtime_ns != WRITTEN_NS:
        raise ValueError("it was written over")
    length = int.from_bytes(trailer[: -len(MAGIC)], "little")
    return os.pread(fd, length, max(0, found.st_size - TRAILER - length))


def use(read: "Callable[[int, int], bytes]", index: "Index", sets: "Sets | None" = None) -> "Copy":
    """Import the modules of an index from a copy of their code from now on, and return the copy."""
    copy = Copy(index, read, sets)
    sys.meta_path.insert(0, copy)
    return copy


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
