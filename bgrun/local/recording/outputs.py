"""Keep the outputs of a run: copies of JSON files, and the paths of the files that globs match.

Nothing is parsed here: the first look at the run reads the values (`logs.outputs`). Loaded only for jobs that declare
outputs.
"""

from __future__ import annotations

import os
import stat
import time

from bgrun.errors import StorageError
from bgrun.local.recording import fresh, globs
from bgrun.store import meta
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.local.recording.fresh import Before
    from bgrun.plan import Output

INDEX = "outputs"
"""The name of the file of `key=value` lines next to the copies: `NAME.copy`, `NAME.note`, `NAME.0`, `NAME.more`."""
MOST_BYTES = 16 << 20
"""How many bytes of JSON files are copied per run, at most."""
MOST_PATHS = 20
"""How many paths of a glob are kept; the others are counted."""


def take(target: str, directory: str, wanted: Sequence[Output], before: Before) -> None:
    """Write what a run left of its outputs to a directory, with an index of it.

    Raises:
        OSError: that cannot be written.
    """
    lines: dict[str, str] = {}
    copies = _Copies(target, directory, before)
    until = time.monotonic() + fresh.TAKE_S
    for one in wanted:
        if fresh.place(directory) != before.place:
            lines[f"{one.name}.note"] = f"the directory {directory} was removed or replaced"
        elif one.kind == "glob":
            lines |= _listed(directory, one, before, until)
        else:
            key, text = copies.of(one.path, until)
            lines[f"{one.name}.{key}"] = text
    files.replace(f"{target}/{INDEX}", f"{target}/.{INDEX}", meta.pack(lines))


class _Copies:
    """The JSON files that were copied so far; several outputs may be values of one file."""

    def __init__(self, target: str, directory: str, before: Before) -> None:
        self.target = target
        self.directory = directory
        self.before = before
        self.room = MOST_BYTES
        self.known: dict[str, tuple[str, str]] = {}

    def of(self, path: str, until: float) -> tuple[str, str]:
        """Copy a file once; return `copy` and its name, or `note` and why that could not be."""
        if path not in self.known:
            self.known[path] = self._copied(path, until)
        return self.known[path]

    def _copied(self, path: str, until: float) -> tuple[str, str]:
        full = os.path.join(self.directory, path)
        if not os.path.lexists(full):
            return "note", f"{path} was not written"
        if self.before.is_older(self.directory, full):
            return "note", f"{path} is older than the run"
        copy = f"output{len(self.known)}"
        try:
            self.room -= fresh.copy(full, f"{self.target}/{copy}", self.room, MOST_BYTES, until)
        except StorageError as error:
            return "note", error.message
        return "copy", copy


def _listed(directory: str, one: Output, before: Before, until: float) -> dict[str, str]:
    """Return the lines for a glob: the time and the path of each file that the run wrote."""
    lines: dict[str, str] = {}
    old = more = 0
    for path, found in _files(directory, one.path, until):
        if before.is_older(directory, path):
            old += 1
        elif len(lines) < MOST_PATHS:
            lines[f"{one.name}.{len(lines)}"] = f"{found.st_mtime_ns} {fresh.name(directory, path)}"
        else:
            more += 1
    if more:
        lines[f"{one.name}.more"] = str(more)
    if time.monotonic() >= until:
        lines[f"{one.name}.note"] = f"{one.path}: not all files were found within {fresh.TAKE_S:g} s"
    elif not lines:
        lines[f"{one.name}.note"] = f"{one.path} {'is older than the run' if old else 'was not written'}"
    return lines


def _files(directory: str, pattern: str, until: float) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files that a glob matches, each once."""
    met: set[str] = set()
    for path in globs.matching(directory, pattern, until):
        if path in met:
            continue
        met.add(path)
        if found := _regular(path):
            yield path, found


def _regular(path: str) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None
