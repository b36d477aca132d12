"""Record what rendering reads besides the job file, to validate cached plans.

A cached plan is valid while each recorded variable and file check has the result that it had then:
rendering again would give the same plan.
"""

from __future__ import annotations

import os
import time
from _collections_abc import Mapping  # loaded by every interpreter, unlike collections

from bgrun import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Input = tuple[str, str, Any]
    """A kind of check, the variable or path that it is about, and its result."""

_SALT_BYTES = 8

SETTLED_NS = 100_000_000
COARSE_SETTLED_NS = 2_000_000_000
"""The age in ns from which a file's time of change tells this change from the next one.

A kernel's clock for files moves every 1 to 10 ms. Some file systems keep fewer digits (FAT: 2 s); their
times are recognized by the zeros at the end.
"""
_COARSE_NS = 10_000_000


class RenderInputs:
    """The environment variables and files that rendering reads; each check is recorded.

    repeatable: False once an input cannot be checked again: the environment as a whole, a file that has
        just changed, or a secret, which must not be stored.
    ports: those of services that run already, by the names of the services.
    """

    def __init__(self, environ: Mapping[str, str], here: str = "") -> None:
        self.env: Mapping[str, str] = Variables(environ, self)
        self._here = here
        self.repeatable = True
        self.ports: Mapping[str, int] = {}
        self._recorded: dict[tuple[str, str], Any] = {}

    def here(self) -> str:
        """Return the directory of the caller, or '' if it is not known."""
        self._recorded["here", ""] = self._here
        return self._here

    def is_dir(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a path is a directory."""
        return bool(self._check("is_dir", path))

    def is_file(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a path is a regular file."""
        return bool(self._check("is_file", path))

    def real(self, path: str | os.PathLike[str]) -> str:
        """Return a path without symbolic links."""
        return str(self._check("real", path))

    def reads(self, path: str | os.PathLike[str]) -> None:
        """Record that the content of a file is about to be read."""
        found = self._check("stamp", path)
        if found and not _is_settled(found[0], time.time_ns()):
            self.repeatable = False  # it may change once more without another time of change

    def _check(self, kind: str, path: str | os.PathLike[str]) -> Any:
        subject = os.fspath(path)
        result = _CHECKS[kind](subject)
        if self._recorded.setdefault((kind, subject), result) != result:
            self.repeatable = False  # it changed during rendering: which of the two was used is unknown
        return result

    def note(self, kind: str, subject: str, result: Any) -> None:
        """Record what another room has checked; `unchanged` gets its check by the same kind."""
        if self._recorded.setdefault((kind, subject), result) != result:
            self.repeatable = False

    def noted(self, kind: str, subject: str) -> Any:
        """Return what was noted; None for nothing. Whatever else is rendered from it has to be made with the same."""
        return self._recorded.get((kind, subject))

    def record_variable(self, name: str, value: str | None) -> None:
        """Record the value of a variable as a salted hash; None for one that is not set."""
        self._recorded["env", name] = None if value is None else _sealed(value, os.urandom(_SALT_BYTES))

    def recorded(self) -> list[Input]:
        """Return all recorded inputs, as plain values."""
        return [(kind, subject, result) for (kind, subject), result in self._recorded.items()]


class Variables(Mapping[str, str]):
    """Environment variables; each one that is read is recorded."""

    def __init__(self, environ: Mapping[str, str], inputs: RenderInputs) -> None:
        self._environ = environ
        self._inputs = inputs

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable."""
        value = self._environ.get(name) if isinstance(name, str) else None
        self._inputs.record_variable(str(name), value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        self._inputs.repeatable = False
        return iter(self._environ)

    def __len__(self) -> int:
        """Return the number of variables."""
        self._inputs.repeatable = False
        return len(self._environ)

    def __repr__(self) -> str:
        """Return all variables as text."""
        return repr(dict(self))


def unchanged(
    recorded: list[Input],
    environ: Mapping[str, str],
    here: str = "",
    more: Mapping[str, Callable[[str], Any]] = {},  # noqa: B006 - a default of no checks
) -> bool:
    """Return whether each recorded check gives its recorded result again; `more` are the checks of other rooms."""

    def is_same(kind: str, subject: str, result: Any) -> bool:
        if kind == "env":
            return _is_value(result, environ.get(subject))
        check = _CHECKS.get(kind) or more.get(kind)
        return bool((here if kind == "here" or not check else check(subject)) == result)

    return all(is_same(*one) for one in recorded)


def _is_settled(changed_ns: int, now_ns: int) -> bool:
    """Return whether a change from now on would get another time of change."""
    return changed_ns < now_ns - (SETTLED_NS if changed_ns % _COARSE_NS else COARSE_SETTLED_NS)


def stamp(path: str) -> tuple[int, ...] | None:
    """Return values that change with the content of a file, or None if it does not exist.

    The time of change (stat(2), st_ctime) comes first. Swapping two files, or setting their times as `cp -p`
    and `touch -d` do, can make all other values equal; no program can set this one.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


_CHECKS: Mapping[str, Callable[[str], Any]] = {
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
    """Return a salt and a hash, by which a value can be recognized but not read."""
    return salt + codec.digest(value.encode("utf-8", "surrogateescape"), salt)
