"""The test reports that a run wrote: copied as it ends, so that no later run can change what is told of it.

Which files were there before the job's gate opened is noted first: a file that is still the same one is an
earlier run's, however recent, and whatever the resolution of the file system's clock. The work is bounded, and
nothing here fails a run: where no report could be taken, the copies say why, or there are none. This is
loaded only for jobs that declare reports, before their gate opens.
"""

from __future__ import annotations

import os
import stat
import time

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import meta
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bgrun.store.paths import RunPaths

MOST_FILES = 2000
"""How many reports are taken of a run at most, and noted before it begins."""
MOST_BYTES = 64 << 20
"""How many bytes are copied at most, of all reports of a run together."""
LOOK_S, TAKE_S = 0.5, 2.0
"""How long looking for reports may take before a run, and taking them after it."""
INDEX = "index"
NOTE = "note"
"""The file beside the copies, of `number=path` lines, and its line on what was left out."""
CLOCK_SLACK_S = 2.0
"""How far behind ours the clock of a file system may be (FAT counts in steps of two seconds)."""
_TICK_S = 0.02
_BLOCK = 1 << 18


class Before(NamedTuple):
    """The files that matched before a run began, each with what changes when it is written; `began` is that time.

    Where there were too many to look at in time it is not `complete`; then only times tell. `place` is the device
    and inode of the job's folder.
    """

    began: float
    seen: dict[str, tuple[int, ...]]
    complete: bool
    place: tuple[int, ...] = ()


class ReportRequest(NamedTuple):
    """The reports of a job: a glob, relative to its folder."""

    folder: str
    pattern: str


def of_facts(facts: Mapping[str, str]) -> ReportRequest:
    """Return the reports that the job of a run declares, from its meta."""
    return ReportRequest(facts.get("working_dir", "/"), facts.get("junit", ""))


def look(wanted: ReportRequest) -> Before:
    """Note which files match before a run begins."""
    seen, began, complete = _look(wanted)
    return Before(began, seen, complete, _place(wanted.folder))


def _look(wanted: ReportRequest) -> tuple[dict[str, tuple[int, ...]], float, bool]:
    began = time.time()
    until = time.monotonic() + LOOK_S
    seen: dict[str, tuple[int, ...]] = {}
    for path in matching(wanted, until):
        if len(seen) >= MOST_FILES:
            return seen, time.time(), False
        with suppress(OSError):
            seen[_name(path, wanted)] = _signature(os.lstat(path))
    complete = time.monotonic() < until
    return seen, began if complete else time.time(), complete


def _name(path: str, wanted: ReportRequest) -> str:
    """Return what a file is called from the job's folder, wherever that is by now."""
    return path.removeprefix(f"{wanted.folder}/")


def _place(folder: str) -> tuple[int, ...]:
    try:
        found = os.stat(folder)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino)


def take(at: RunPaths, wanted: ReportRequest, before: Before) -> None:
    """Copy the reports that a run wrote to `jobs/<run_id>.reports/`, which comes into view whole or not at all."""
    hidden = at.hidden_reports
    try:
        os.mkdir(hidden, files.FOLDER_MODE)
        _fill(hidden, wanted, before)
        os.rename(hidden, at.reports)
    except OSError:  # the disk is full, say: then the digest is the log's alone
        files.remove_folder(hidden)


def _fill(folder: str, wanted: ReportRequest, before: Before) -> None:
    if _place(wanted.folder) != before.place:
        told = f"{wanted.pattern}: the directory {wanted.folder} was removed, or another is in its place"
        _write_index(folder, {}, told)
        return
    until = time.monotonic() + TAKE_S
    index: dict[str, str] = {}
    left_out, room = "", MOST_BYTES
    met: set[str] = set()  # two `**` in a glob meet a file more than once
    for path in matching(wanted, until):
        if len(index) >= MOST_FILES:
            left_out = f"{wanted.pattern}: only {MOST_FILES} of the files were taken"
            break
        if path in met or not _is_fresh(path, _name(path, wanted), before):
            met.add(path)
            continue
        met.add(path)
        try:
            size = _copy(path, f"{folder}/{len(index)}", room, until)
        except StorageError as error:
            left_out = f"{wanted.pattern}: {error.message}"
            continue
        room -= size
        index[str(len(index))] = path
    else:
        if time.monotonic() >= until:
            left_out = f"{wanted.pattern}: not all of it was found within {TAKE_S:g} s"
    if not index and not left_out:
        left_out = f"{wanted.pattern} {'is older than the run' if met else 'was not written'}"
    _write_index(folder, index, left_out)


def _write_index(folder: str, index: Mapping[str, str], left_out: str) -> None:
    files.replace(f"{folder}/{INDEX}", f"{folder}/.{INDEX}", meta.pack({**index, NOTE: left_out}))


def _is_fresh(path: str, name: str, before: Before) -> bool:
    """Return whether a run wrote a file: it is not what was there before, and was written since."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if before.seen.get(name) == _signature(found):
        return False
    slack_s = CLOCK_SLACK_S if before.complete else _TICK_S
    return found.st_mtime >= before.began - slack_s


def _signature(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written, or another one takes its place."""
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _copy(path: str, target: str, room: int, until: float) -> int:
    """Copy a report as long as it is now, and return its size.

    Raises:
        StorageError: it is no regular file, cannot be read, has no room, or takes too long.
        OSError: the copy cannot be written.
    """
    try:
        source = files.open_regular(path)
    except FileNotFoundError as error:
        raise StorageError(f"{path} was removed as the run ended") from error
    try:
        found = os.fstat(source)
        if (size := found.st_size) > room:
            raise StorageError(f"{path} is beyond the limit of {MOST_BYTES >> 20} MiB")
        fd = files.create(target)
        try:
            _copy_bytes(source, fd, path, size, until)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))  # which tells whose it is: see `logs.reports`
        finally:
            os.close(fd)
    except StorageError:
        files.remove(target)
        raise
    finally:
        os.close(source)
    return size


def _copy_bytes(source: int, target: int, path: str, size: int, until: float) -> None:
    while size > 0:
        if time.monotonic() >= until:
            raise StorageError(f"{path} could not be copied within {TAKE_S:g} s")
        try:
            data = os.read(source, min(size, _BLOCK))
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        if not data:
            return
        files.write_all(target, data)
        size -= len(data)


# --- globs ------------------------------------------------------------------------------------
# As glob.glob(recursive=True) has them, but for symbolic links, which `**` does not go through. That module
# brings `re` along, as much again as the rest of a supervisor, and cannot be held to a time.


def matching(wanted: ReportRequest, until: float) -> Iterator[str]:
    """Give the paths that a glob matches, for as long as the monotonic clock has not come to `until`."""
    segments = [segment for segment in wanted.pattern.split("/") if segment]
    if not segments or wanted.pattern.endswith("/"):
        return
    top = "/" if wanted.pattern.startswith("/") else wanted.folder
    yield from _below(top, segments, until)


def _below(folder: str, segments: Sequence[str], until: float) -> Iterator[str]:
    if time.monotonic() >= until:
        return
    first, *rest = segments
    if first == "**":
        yield from _anywhere(folder, rest, until)
    elif not _has_magic(first):
        path = os.path.join(folder, first)
        if rest:
            yield from _below(path, rest, until)
        elif os.path.lexists(path):
            yield path
    else:
        for name in _names(folder):
            if name.startswith(".") <= first.startswith(".") and fits(name, first):
                path = os.path.join(folder, name)
                yield from _below(path, rest, until) if rest else (path,)


def _anywhere(folder: str, rest: Sequence[str], until: float) -> Iterator[str]:
    """Give what matches in a folder and in all below it but the hidden ones; however deep, without recursion."""
    folders = [folder]
    while folders and time.monotonic() < until:
        here = folders.pop()
        if rest:
            yield from _below(here, rest, until)
        for name in _names(here):
            path = os.path.join(here, name)
            if name.startswith("."):
                continue
            if _is_folder(path):
                folders.append(path)
            elif not rest:
                yield path


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _has_magic(segment: str) -> bool:
    return any(sign in segment for sign in "*?[")


def fits(name: str, pattern: str) -> bool:
    """Return whether a name matches one segment of a glob, as fnmatch.fnmatchcase() has it.

    On a mismatch only the last `*` is tried on, which takes at most len(name) x len(pattern) steps.
    """
    at = place = 0
    star, tried = -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, tried = place, at
            place += 1
            continue
        following = _after_one(pattern, place, name[at]) if place < len(pattern) else -1
        if following >= 0:
            at, place = at + 1, following
        elif star >= 0:
            tried += 1
            at, place = tried, star + 1
        else:
            return False
    return all(sign == "*" for sign in pattern[place:])


def _after_one(pattern: str, place: int, character: str) -> int:
    """Return where a pattern goes on behind one character that it takes at a place, or -1."""
    if pattern[place] != "[" or (end := _set_end(pattern, place)) < 0:
        return place + 1 if pattern[place] in ("?", character) else -1
    body = pattern[place + 1 : end]
    negated = body.startswith("!")
    return end + 1 if _in_set(body[negated:], character) != negated else -1


def _set_end(pattern: str, place: int) -> int:
    """Return where a `[` is closed, or -1: then it stands for itself."""
    begin = place + 1
    begin += pattern[begin : begin + 1] == "!"
    return pattern.find("]", begin + (pattern[begin : begin + 1] == "]"))


def _in_set(body: str, character: str) -> bool:
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            if body[at] <= character <= body[at + 2]:
                return True
            at += 3
        else:
            if body[at] == character:
                return True
            at += 1
    return False
