"""Check whether what rendering read besides the job file is still as it was.

A cached plan is valid while each recorded variable and file check has the result that it had then:
rendering again would give the same plan.
"""

from __future__ import annotations

import os

from bgrun import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Input = tuple[str, str, Any]
    """A kind of check, the variable or path that it is about, and its result."""

SALT_BYTES = 8

SETTLED_NS = 100_000_000
COARSE_SETTLED_NS = 2_000_000_000
"""The age in ns from which a file's time of change tells this change from the next one.

A kernel's clock for files moves every 1 to 10 ms. Some file systems keep fewer digits (FAT: 2 s); their
times are recognized by the zeros at the end.
"""
_COARSE_NS = 10_000_000


def unchanged(
    recorded: list[Input],
    environ: Mapping[str, str],
    here: str = "",
    more: Mapping[str, Callable[[str], Any]] = {},
) -> bool:
    """Return whether each recorded check gives its recorded result again; `more` are the checks of other rooms."""

    def is_same(kind: str, subject: str, result: Any) -> bool:
        if kind == "env":
            return _is_value(result, environ.get(subject))
        check = CHECKS.get(kind) or more.get(kind)
        return bool((here if kind == "here" or not check else check(subject)) == result)

    return all(is_same(*one) for one in recorded)


def is_settled(changed_ns: int, now_ns: int) -> bool:
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


CHECKS: Mapping[str, Callable[[str], Any]] = {
    "is_dir": os.path.isdir,
    "is_file": os.path.isfile,
    "real": os.path.realpath,
    "stamp": stamp,
}


def _is_value(sealed: bytes | None, value: str | None) -> bool:
    if sealed is None or value is None:
        return sealed is None and value is None
    return seal(value, sealed[:SALT_BYTES]) == sealed


def seal(value: str, salt: bytes) -> bytes:
    """Return a salt and a hash, by which a value can be recognized but not read."""
    return salt + codec.digest(value.encode("utf-8", "surrogateescape"), salt)
