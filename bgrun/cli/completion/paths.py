"""List the paths that complete a word, where the shell cannot: in bash, and in another directory."""

from __future__ import annotations

import os

from bgrun.cli.completion.offer import Offer
from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.cli.completion.offer import Paths
    from bgrun.cli.completion.place import Place


def listed(wanted: Paths, at: Place) -> list[Offer]:
    """Return the paths that continue the word at the cursor, from the directory that bgrun would run in."""
    begun = (at.prefix + at.typed)[len(wanted.prefix) :]
    directory, slash, name = begun.rpartition("/")
    place = os.path.join(base(at), os.path.expanduser(directory + slash))
    found = [
        Offer(f"{wanted.prefix}{directory}{slash}{entry}", open=entry.endswith("/"))
        for entry in _entries(place, wanted.kind)
        if entry.startswith(name) and (name.startswith(".") or not entry.startswith("."))
    ]
    return sorted(found)


def base(at: Place) -> str:
    """Return the directory that bgrun would run in: that of --directory, else the current one."""
    return os.path.join(os.getcwd(), *map(expanded, at.given.get("directory", ())[-1:]))


def expanded(path: str) -> str:
    """Return a path with `~` and variables replaced, as the shell does when the line runs."""
    return os.path.expanduser(os.path.expandvars(path))


def _entries(directory: str, kind: str) -> Iterator[str]:
    """Yield the names in a directory that are of this kind, those of directories with a slash."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir():
                yield f"{entry.name}/"
            elif kind == "any" or (kind == "yaml" and entry.name.endswith((".yaml", ".yml"))):
                yield entry.name
