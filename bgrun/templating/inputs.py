"""What rendering looks at outside of the job file, and what it saw there.

Whoever keeps a rendered job keeps the sight with it: while each look gives what it gave then, rendering
would give the same job, and need not be done.
"""

from __future__ import annotations

import os
import time
from _collections_abc import Mapping  # which every interpreter has loaded by now, unlike collections

from bgrun import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Sight = tuple[str, str, Any]

_SALT_BYTES = 8


CALM_NS = 100_000_000
COARSE_CALM_NS = 2_000_000_000
"""How long ago a file must have changed for its time of change to tell it from the next, in ns.

A kernel's clock for files moves every 1 to 10 ms. Some file systems keep fewer digits (FAT: 2 s); their
times are recognised by the zeros at the end.
"""
_COARSE_NS = 10_000_000


class RenderInputs:
    """The environment variables and files around a job file, each look at them remembered.

    `repeats` is False once something was looked at that cannot be looked at again: the environment as
    a whole, a file that has just changed, or a secret, which may be kept nowhere.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.env: Mapping[str, str] = Variables(environ, self)
        self.repeats = True
        self._seen: dict[tuple[str, str], Any] = {}

    def is_dir(self, path: str | os.PathLike[str]) -> bool:
        """Return whether there is a folder."""
        return bool(self._look("is_dir", path))

    def is_file(self, path: str | os.PathLike[str]) -> bool:
        """Return whether there is a file."""
        return bool(self._look("is_file", path))

    def real(self, path: str | os.PathLike[str]) -> str:
        """Return a path without symbolic links."""
        return str(self._look("real", path))

    def reads(self, path: str | os.PathLike[str]) -> None:
        """Remember that what a file holds is about to be read."""
        found = self._look("stamp", path)
        if found and not _is_calm(found[0], time.time_ns()):
            self.repeats = False  # it may change once more without another time of change

    def _look(self, kind: str, path: str | os.PathLike[str]) -> Any:
        what = os.fspath(path)
        found = _LOOKS[kind](what)
        if self._seen.setdefault((kind, what), found) != found:
            self.repeats = False  # it changed while it was read: nobody knows which of the two was used
        return found

    def note_variable(self, name: str, value: str | None) -> None:
        """Remember the value of a variable, in a form that does not give it away; None where it is not set."""
        self._seen["env", name] = None if value is None else _sealed(value, os.urandom(_SALT_BYTES))

    def sight(self) -> list[Sight]:
        """Return all that was seen, as plain values."""
        return [(kind, what, found) for (kind, what), found in self._seen.items()]


class Variables(Mapping[str, str]):
    """Environment variables; each that is asked for is noted."""

    def __init__(self, environ: Mapping[str, str], world: RenderInputs) -> None:
        self._environ = environ
        self._world = world

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable."""
        value = self._environ.get(name) if isinstance(name, str) else None
        self._world.note_variable(str(name), value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Give the names of all."""
        self._world.repeats = False
        return iter(self._environ)

    def __len__(self) -> int:
        """Return how many there are."""
        self._world.repeats = False
        return len(self._environ)

    def __repr__(self) -> str:
        """Return all of them as text."""
        return repr(dict(self))


def holds(sight: list[Sight], environ: Mapping[str, str]) -> bool:
    """Return whether each look gives now what it gave then."""
    return all(
        _is_value(found, environ.get(what)) if kind == "env" else _LOOKS[kind](what) == found
        for kind, what, found in sight
    )


def _is_calm(changed_ns: int, now_ns: int) -> bool:
    """Return whether a change after this one would have another time."""
    return changed_ns < now_ns - (CALM_NS if changed_ns % _COARSE_NS else COARSE_CALM_NS)


def stamp(path: str) -> tuple[int, ...] | None:
    """Return what changes with what a file holds, or None where there is none.

    Its time of change (stat(2), st_ctime) comes first: whoever swaps two files, or sets their times as `cp -p`
    and `touch -d` do, can give another file the same of all the rest, but nobody can set that.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


_LOOKS: Mapping[str, Callable[[str], Any]] = {
    "is_dir": os.path.isdir,
    "is_file": os.path.isfile,
    "real": os.path.realpath,
    "stamp": stamp,
}


def _is_value(sealed: bytes | None, value: str | None) -> bool:
    if sealed is None or value is None:
        return sealed is None and value is None
    return _sealed(value, sealed[:_SALT_BYTES]) == sealed


def _sealed(value: str, salt: bytes) -> bytes:
    """Return a salt and a digest, from which a value can be recognised and not be read."""
    return salt + codec.digest(value.encode("utf-8", "surrogateescape"), salt)
