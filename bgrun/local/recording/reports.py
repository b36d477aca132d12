"""Copy the test reports that a run wrote when it finishes, so that no later run can change its summary.

The files that exist before the job starts are noted first: a file that has not changed since is an earlier run's,
whatever the resolution of the file system's clock. Time, number and size are limited, and nothing here fails a run:
if a report could not be copied, a note says why. This module is loaded only for jobs that declare reports.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.local.recording import globs, journal
from bgrun.store import meta
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.store.paths import RunPaths

MOST_FILES = 2000
"""How many reports are noted before a run and copied after it, at most."""
MOST_BYTES = 64 << 20
"""How many bytes of reports are copied per run, at most."""
FIND_S, TAKE_S = 0.5, 2.0
"""How many seconds finding reports may take before a run, and copying them after it."""
INDEX = "index"
NOTE = "note"
"""The name of the file of `number=path` lines next to the copies, and of its line on what was left out."""
CLOCK_SLACK_S = 2.0
"""How many seconds the times of a file system may lag behind (FAT counts in steps of two seconds)."""
_TICK_S = 0.02
_BLOCK = 1 << 18


class Before(NamedTuple):
    """The files that matched before a run began.

    began: when they were noted, in epoch seconds.
    seen: the signature of each, which changes when it is written.
    complete: all of them were noted in time; otherwise only modification times are compared.
    place: device and inode of the job's directory.
    """

    began: float
    seen: dict[str, tuple[int, ...]]
    complete: bool
    place: tuple[int, ...] = ()


class ReportRequest(NamedTuple):
    """The reports of a job: a glob, relative to its working directory."""

    folder: str
    pattern: str


def of_facts(facts: Mapping[str, str]) -> ReportRequest:
    """Return the reports that the job of a run declares, from its meta."""
    return ReportRequest(facts.get("working_dir", "/"), facts.get("junit", ""))


def begin(at: RunPaths, wanted: ReportRequest) -> Before | None:
    """Note which files match before a run begins; no error in this is worth a run."""
    try:
        return note(wanted)
    except Exception as error:  # noqa: BLE001 - recorded for us
        journal.note_fault(at.log_dir, error)
        return None


def end(at: RunPaths, wanted: ReportRequest, before: Before) -> None:
    """Copy the reports that a run wrote, before its end is published; no error in this changes its result."""
    try:
        take(at, wanted, before)
    except Exception as error:  # noqa: BLE001 - recorded for us
        journal.note_fault(at.log_dir, error)


def note(wanted: ReportRequest) -> Before:
    """Note which files match before a run begins."""
    seen, began, complete = _scan(wanted)
    return Before(began, seen, complete, _place(wanted.folder))


def _scan(wanted: ReportRequest) -> tuple[dict[str, tuple[int, ...]], float, bool]:
    began = time.time()
    until = time.monotonic() + FIND_S
    seen: dict[str, tuple[int, ...]] = {}
    for path in globs.matching(wanted.folder, wanted.pattern, until):
        if len(seen) >= MOST_FILES:
            return seen, time.time(), False
        with suppress(OSError):
            seen[_name(path, wanted)] = _signature(os.lstat(path))
    complete = time.monotonic() < until
    return seen, began if complete else time.time(), complete


def _name(path: str, wanted: ReportRequest) -> str:
    """Return the path of a file relative to the job's directory, which may have been renamed."""
    return path.removeprefix(f"{wanted.folder}/")


def _place(folder: str) -> tuple[int, ...]:
    try:
        found = os.stat(folder)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino)


def take(at: RunPaths, wanted: ReportRequest, before: Before) -> None:
    """Copy the reports that a run wrote to `jobs/<run_id>.reports/`, which is published complete or not at all."""
    hidden = at.hidden_reports
    try:
        os.mkdir(hidden, files.FOLDER_MODE)
        _fill(hidden, wanted, before)
        os.rename(hidden, at.reports)
    except OSError:  # a full disk, for example: then the summary is based on the log alone
        files.remove_folder(hidden)


def _fill(folder: str, wanted: ReportRequest, before: Before) -> None:
    if _place(wanted.folder) != before.place:
        _write_index(folder, {}, f"{wanted.pattern}: the directory {wanted.folder} was removed or replaced")
        return
    until = time.monotonic() + TAKE_S
    index: dict[str, str] = {}
    left_out, room = "", MOST_BYTES
    met: set[str] = set()  # a glob with two `**` finds a file more than once
    for path in globs.matching(wanted.folder, wanted.pattern, until):
        if len(index) >= MOST_FILES:
            left_out = f"{wanted.pattern}: only {MOST_FILES} of the files were copied"
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
            left_out = f"{wanted.pattern}: not all files were found within {TAKE_S:g} s"
    if not index and not left_out:
        left_out = f"{wanted.pattern} {'is older than the run' if met else 'was not written'}"
    _write_index(folder, index, left_out)


def _write_index(folder: str, index: Mapping[str, str], left_out: str) -> None:
    files.replace(f"{folder}/{INDEX}", f"{folder}/.{INDEX}", meta.pack({**index, NOTE: left_out}))


def _is_fresh(path: str, name: str, before: Before) -> bool:
    """Return whether a run wrote a file: it changed since it was noted, and was written after that."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if before.seen.get(name) == _signature(found):
        return False
    slack_s = CLOCK_SLACK_S if before.complete else _TICK_S
    return found.st_mtime >= before.began - slack_s


def _signature(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written or replaced."""
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _copy(path: str, target: str, room: int, until: float) -> int:
    """Copy a report as long as it is now, and return its size.

    Raises:
        StorageError: it is no regular file, cannot be read, is too large, or takes too long.
        OSError: the copy cannot be written.
    """
    try:
        source = files.open_regular(path)
    except FileNotFoundError as error:
        raise StorageError(f"{path} was removed as the run finished") from error
    try:
        found = os.fstat(source)
        if (size := found.st_size) > room:
            raise StorageError(f"{path} exceeds the limit of {MOST_BYTES >> 20} MiB")
        fd = files.create(target)
        try:
            _copy_bytes(source, fd, path, size, until)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))  # shows which run wrote it: see `logs.reports`
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
