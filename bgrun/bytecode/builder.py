"""Build the file with the bytecode of bgrun where Python caches bytecode, or collect the same without it.

Only the owner of the installation writes the file, one start at a time, before any job of it begins. Its modules are
compiled without docstrings: each command would read them, and each of a hundred supervisors hold them. Everybody else
collects the bytecode that Python keeps of each module (PEP 3147, PEP 552), or its source.
"""

from __future__ import annotations
import __future__

import ast
import marshal
import os
import sys
import time

from bgrun.bytecode import bundle, contents
from bgrun.bytecode.loader import Kept
from bgrun.light import suppress
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from bgrun.bytecode.bundle import Copy, Marks, Sets
    from bgrun.bytecode.loader import Index

# The inner half of importlib, which is loaded in every interpreter.
_MACHINERY: Any = sys.modules["_frozen_importlib_external"]
BUILD_S = 60.0
"""Seconds that building the cache may take; after that its builder counts as killed."""


def build() -> Copy:
    """Read the code of all modules, and use that from now on.

    Raises:
        ImportError: some of it is gone already.
    """
    new = f"{bundle.CACHE}.new"
    fd = _claim(new)
    if fd < 0:
        return _use(*_collect(contents.SUPERVISOR, _code))
    try:
        before = _marks()
        code, index = _collect(contents.ALL, _compiled)
        sets = _sets(code, index, before)
        if before and before == _marks():
            _write(fd, code, sets, index, before)
            os.fchmod(fd, 0o644)  # as Python's own, whatever the umask of this start
            os.utime(fd, ns=(bundle.WRITTEN_NS, bundle.WRITTEN_NS))
            os.rename(new, bundle.CACHE)
    except OSError:
        pass  # the disk is full, say: the next start tries again
    finally:
        os.close(fd)
        with suppress(OSError):
            os.unlink(new)
    return _use(code, index)


def _use(code: bytes, index: Index) -> Copy:
    return bundle.use(lambda begin, end: code[begin:end], index)


def _claim(new: str) -> int:
    """Create the file that is to become the cache, and return its descriptor; -1 if this start is not to write it."""
    if sys.dont_write_bytecode or sys.pycache_prefix is not None:
        return -1
    try:
        if os.stat(bundle.ROOT).st_uid != os.geteuid():
            return -1
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(new))
        return os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        with suppress(OSError):
            if time.time() - os.stat(new).st_mtime > BUILD_S:
                os.unlink(new)
    except OSError:
        pass
    return -1


def _marks() -> Marks:
    """Return the mark of each module's source; none if one of them cannot be found."""
    found = {name: bundle.mark_of(_path(name)) for name in contents.ALL}
    return found if all(found.values()) else {}


def _path(name: str) -> str:
    return f"{bundle.ROOT}{name[5:].replace('.', '/')}{'/__init__' if name in contents.PACKAGES else ''}.py"


def _collect(names: tuple[str, ...], code_of: Callable[[str, str], tuple[bytes, bool]]) -> tuple[bytes, Index]:
    """Return the code of these modules and its index."""
    index: Index = {}
    parts: list[bytes] = []
    at = 0
    for name in names:
        path = _path(name)
        try:
            data, is_bytecode = code_of(name, path)
        except OSError:
            if name in contents.SUPERVISOR:
                __import__(name)  # it comes from an archive, or is gone
            continue
        index[name] = path, name in contents.PACKAGES, is_bytecode, at, at + len(data)
        parts.append(data)
        at += len(data)
    return b"".join(parts), index


def _sets(code: bytes, index: Index, marks: Marks) -> dict[str, bytes]:
    """Return the sets of modules that are loaded together, each by the module that it is for.

    In each the code of a module comes behind that of what it imports, with its entry in the index and the mark of its
    source. It is marshalled in one piece, which has each of the strings that they share once.
    """
    copy = Kept(index, lambda begin, end: code[begin:end])

    def entry(name: str) -> tuple[Any, ...]:
        code = copy.code(name)
        return name, (code.co_filename, *index[name][1:]), marks.get(name), code

    return {name: marshal.dumps([*map(entry, names)]) for name, names in _together().items()}


def _together() -> dict[str, list[str]]:
    """Return the names of the modules of each set, in order, without those of the sets that are loaded before it."""
    sets: dict[str, list[str]] = {}
    loaded: dict[str, dict[str, None]] = {"": {}}
    for name, (before, wanted) in contents.TOGETHER.items():
        loaded[name] = order = dict(loaded[before])
        for one in (*wanted, name):
            _into(order, one)
        sets[name] = [*order][len(loaded[before]) :]
    return sets


def _into(order: dict[str, None], name: str) -> None:
    """Add a module to those before it, its package and what it imports when it is loaded first."""
    if name in order or name not in contents.ALL:
        return
    package = name.rpartition(".")[0]
    for one in (package, *_imports(_path(name))):
        if one != name:
            _into(order, one)
    order[name] = None


def _imports(path: str) -> Iterator[str]:
    """Yield what the statements at the left margin of a source import, as our style has them; some name no module."""
    for line in _read(path).decode().splitlines():
        words = line.replace(",", " ").replace("(", " ").split()
        if line.startswith("from bgrun") and words[2:3] == ["import"]:
            yield words[1]
            yield from (f"{words[1]}.{one}" for one in words[3:])


def _compiled(name: str, path: str) -> tuple[bytes, bool]:
    """Return the bytecode of a module's source without what it does not run, and True.

    Docstrings and what is for type checkers are left out, and the import of annotations from `__future__`, which has
    its effect when it is compiled. Otherwise each command would load that module, in a quarter of a millisecond.

    Raises:
        OSError: it is gone.
    """
    del name
    tree = ast.parse(_read(path))
    flags = __future__.annotations.compiler_flag if any(map(_is_future, tree.body)) else 0
    tree.body = [part for one in tree.body if not _is_future(one) for part in _run_of(one)]
    return marshal.dumps(compile(tree, path, "exec", flags, dont_inherit=True, optimize=2)), True


def _is_future(one: ast.stmt) -> bool:
    return isinstance(one, ast.ImportFrom) and one.module == "__future__"


def _run_of(one: ast.stmt) -> list[ast.stmt]:
    """Return what of a statement is run: of one that asks whether this is a type checker, what is for others."""
    if isinstance(one, ast.If) and isinstance(one.test, ast.Name) and one.test.id == "TYPE_CHECKING":
        return one.orelse
    return [one]


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
    """Return the bytecode that Python keeps of a source, or nothing unless it is of this very source.

    Raises:
        OSError: the source is gone.
    """
    header = _header(os.stat(path))
    directory, _, name = path.rpartition("/")
    if sys.pycache_prefix is not None or sys.flags.optimize:
        return b""
    try:
        data = _read(f"{directory}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc")
    except OSError:
        return b""
    return data[16:] if data[:16] == header else b""


def _header(source: os.stat_result) -> bytes:
    """Return the header of bytecode that is valid by the time and the size of its source (PEP 552)."""
    words = (0, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return bundle.MAGIC + b"".join(word.to_bytes(4, "little") for word in words)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def _write(fd: int, code: bytes, sets: dict[str, bytes], index: Index, marks: Marks) -> None:
    """Write the file as `bundle` reads it; the head has the packages of the sets, which are imported before these."""
    places: Sets = {}
    for name, one in sets.items():
        places[name] = contents.TOGETHER[name][0], len(code), len(code) + len(one)
        code += one
    rest = marshal.dumps((index, marks))
    packages = {name.rpartition(".")[0] for name in sets}
    first = ({name: index[name] for name in packages}, {name: marks[name] for name in packages})
    head = marshal.dumps((bundle.ROOT, *first, places, (len(code), len(code) + len(rest))))
    length = len(head).to_bytes(bundle.TRAILER - len(bundle.MAGIC), "little")
    files.write_all(fd, code + rest + head + length + bundle.MAGIC)
