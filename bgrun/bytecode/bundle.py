"""Import bgrun from one file that has the bytecode of all its usual modules, and hold a copy of that.

A command that reads one file instead of fifty is done in four fifths of the time. A supervisor needs the copy, because
its job may remove or replace the bgrun that started it: the file is open before the job begins (see `job`), in memory
once the caller is answered, and modules are imported from it alone. A re-executed supervisor gets its part through a
file in memory (memfd_create(2)), of which it keeps only what it has not loaded yet.

The file stands beside Python's own caches; `builder` makes it, and replaces it as a whole: whoever has it open can read
it for good. What is taken from it is compared with its source, which must be the file that it was made of: a command
compares what it loads, and the index of all modules, a tenth of a millisecond, is read by those only that need more
than the sets they begin with. A supervisor compares all of it before its job begins.
"""

import _thread
import marshal
import os
import sys
import time

from bgrun.bytecode.loader import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from bgrun.bytecode.loader import Index

    Mark = tuple[int, ...] | None
    """What changes whenever a file is replaced or written to; None if it does not exist."""
    Marks = dict[str, Mark]
    """The mark of each module's source."""
    Sets = dict[str, tuple[str, int, int]]
    """Of each set of modules that are loaded together, by the module that it is for: that of the set before it, which
    has what this one lacks, or ''; where its code begins and ends."""

# importlib.util.MAGIC_NUMBER, without loading that.
MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TRAILER = 8
"""How many bytes are behind the head in the cache: the length of that, and the version of the bytecode."""
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

    Its index has those of a few packages at first, and of the others once they are loaded or one of them is asked for.

    fd: the descriptor of the cache, while the code is read from that; -1 once it is in memory.
    sets: what is loaded together and is not loaded yet.
    """

    def __init__(self, index: "Index", read: "Callable[[int, int], bytes]") -> None:
        super().__init__(index, read)
        self.sets: Sets = {}
        self.fd = -1
        self.base: Base | None = None
        self._loaded: dict[str, CodeType] = {}
        self._rest = (0, 0)
        self._marks: Marks = {}
        self._opened_ns = 0

    @classmethod
    def of_cache(cls, fd: int, head: bytes) -> "Copy | None":
        """Return the copy that a cache has, by what is read of it first; None if that is of another installation.

        Raises:
            ValueError, EOFError, TypeError: it is damaged.
        """
        root, index, marks, sets, rest = marshal.loads(head)  # noqa: S302 - our own
        if root != ROOT:
            return None
        copy = cls(index, lambda begin, end: os.pread(fd, end - begin, begin))
        copy.fd, copy.sets, copy._marks, copy._rest = fd, sets, marks, rest
        copy._opened_ns = time.time_ns()
        return copy

    def _read_index(self) -> None:
        """Read the index of all modules, unless that is done.

        Raises:
            OSError, ValueError, EOFError, TypeError: it cannot be read.
        """
        if self._rest != (0, 0):
            self.index, self._marks = marshal.loads(self.read(*self._rest))  # noqa: S302 - our own
            self._rest = (0, 0)

    def is_current(self) -> bool:
        """Return whether each source was the file that this was made of when this process began.

        Once they were, that is not asked again: a job may replace them later.
        """
        try:
            self._read_index()
            for name, mark in self._marks.items():
                self._compare(self.index[name][0], mark)
        except (OSError, ValueError, EOFError, TypeError, KeyError, AttributeError):
            return False
        self._opened_ns, self._marks = 0, {}
        return True

    def _compare(self, path: str, mark: "Mark") -> None:
        """Compare a source with that which its code was made of, until all of them were compared.

        What changed only after this process began is not used: the rest of its code goes with what was there before.
        Of a file that is gone, when its directory changed says when; a time in the future says nothing.

        Raises:
            ValueError: it was another one when this process began.
        """
        if not self._opened_ns or (found := mark_of(path)) == mark:
            return
        while not found:
            path = os.path.dirname(path)
            found = mark_of(path)
        if not self._opened_ns < found[-1] <= time.time_ns():
            raise ValueError("its source has changed")

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """Return how to load a module, or None unless it is kept; load what is to be loaded along with it.

        None as well if its source has changed, or the file was written over meanwhile: then the module is imported as
        any other.
        """
        if not name.startswith("bgrun."):
            return None
        try:
            self._load_set(name)
            if name not in self.index:
                self._read_index()
            if name in self.index and name not in self._loaded:
                self._compare(self.index[name][0], self._marks.get(name))
                self._loaded[name] = super().code(name)
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return super().find_spec(name, path, target)

    def _load_set(self, name: str) -> None:
        """Load what is to be loaded along with a module, if it is the name of a set.

        While another thread may import, too, nothing is: only the import system locks each module.

        Raises:
            OSError, ValueError, EOFError, TypeError: it cannot be read, or a source has changed.
        """
        if name not in self.sets or _thread._count():
            return
        before, begin, end = self.sets.pop(name)
        if before in self.sets:
            __import__(before)
        modules = marshal.loads(self.read(begin, end))  # noqa: S302 - our own
        for one, entry, mark, _ in modules:
            self._compare(entry[0], mark)
            self.index[one], self._marks[one] = entry, mark
        for one, _, _, code in modules:
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

    def discard(self) -> None:
        """Import from this no more."""
        sys.meta_path.remove(self)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def keep(self) -> "Copy":
        """Note the interpreter as it is now, and return this."""
        self.base = self.base or Base()
        return self

    def hold(self) -> bool:
        """Read what supervisors need into memory; return whether that is as it was written, and of the sources.

        Of those, if `is_current` was asked before, as they were then.
        """
        if self.fd < 0:
            return True
        from bgrun.bytecode.contents import SUPERVISOR

        if not self.is_current():
            return False
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


def mark_of(path: str) -> "Mark":
    """Return the mark of a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def cached() -> "Copy | None":
    """Return the copy that this process imports from, which it may have to begin with; None if there is no cache.

    A process that starts several supervisors keeps the copy of the first one, whatever replaces the sources meanwhile.
    """
    used = [one for one in sys.meta_path if isinstance(one, Copy)]
    copy = used[0] if used else use_cache()
    # The descriptor of another one is not safe in a process of others.
    if copy and not (copy.is_current() if used else copy.hold()):
        copy.discard()
        return None
    return copy


def use_cache() -> "Copy | None":
    """Import from the cache from now on; return None if there is none that can be trusted."""
    try:
        fd = os.open(CACHE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    copy = None
    try:
        copy = Copy.of_cache(fd, _head(fd))
        if copy and (fd > 2 or copy.hold()):  # the number of a stream that the caller closed is used again
            sys.meta_path.insert(0, copy)
            return copy
    except (OSError, ValueError, EOFError, TypeError):
        pass
    if copy is None or copy.fd >= 0:
        os.close(fd)
    return None


def _head(fd: int) -> bytes:
    """Return what is read first of the cache.

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


def use(read: "Callable[[int, int], bytes]", index: "Index") -> "Copy":
    """Import the modules of an index from a copy of their code from now on, and return the copy."""
    copy = Copy(index, read)
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
