"""Keep the test reports and outputs that a run wrote when it finishes, so that no later run can change its summary.

Time, number and size are limited, and nothing here fails a run: if a file could not be copied, a note says why. This
module is loaded only for jobs that declare reports or outputs.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.light import NamedTuple
from bgrun.local.recording import fresh, globs, journal
from bgrun.store import meta
from bgrun.system import directories, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.local.recording.fresh import Before
    from bgrun.plan import Output
    from bgrun.store.paths import RunPaths

MOST_FILES = 2000
"""How many reports are copied after a run, at most."""
MOST_BYTES = 64 << 20
"""How many bytes of reports are copied per run, at most."""
INDEX = "index"
NOTE = "note"
"""The name of the file of `number=path` lines next to the copies, and of its line on what was left out."""


class ReportRequest(NamedTuple):
    """What a job declares to be kept: a glob of reports, or '', and outputs, relative to its working directory."""

    directory: str
    pattern: str
    outputs: tuple[Output, ...] = ()


def begin(at: RunPaths, wanted: ReportRequest) -> Before | None:
    """Note which files match before a run begins; no error in this is worth a run."""
    try:
        return note(wanted)
    except Exception as error:  # noqa: BLE001 - recorded for us
        journal.note_fault(at.log_dir, error)
        return None


def end(at: RunPaths, wanted: ReportRequest, before: Before) -> None:
    """Copy what a run wrote, before its end is published; no error in this changes its result."""
    try:
        take(at, wanted, before)
    except Exception as error:  # noqa: BLE001 - recorded for us
        journal.note_fault(at.log_dir, error)


def note(wanted: ReportRequest) -> Before:
    """Note which files match before a run begins."""
    reports = (wanted.pattern,) if wanted.pattern else ()
    outputs = (one.path if one.kind == "glob" else globs.escaped(one.path) for one in wanted.outputs)
    return fresh.note(wanted.directory, (*reports, *outputs))


def take(at: RunPaths, wanted: ReportRequest, before: Before) -> None:
    """Copy what a run wrote to `jobs/<run_id>.reports/`, which is published complete or not at all."""
    hidden = at.hidden_reports
    try:
        os.mkdir(hidden, directories.DIRECTORY_MODE)
        if wanted.pattern:
            _fill(hidden, wanted, before)
        if wanted.outputs:
            from bgrun.local.recording import outputs

            outputs.take(hidden, wanted.directory, wanted.outputs, before)
        os.rename(hidden, at.reports)
    except OSError:  # a full disk, for example: then the summary is based on the log alone
        directories.remove(hidden)


def _fill(directory: str, wanted: ReportRequest, before: Before) -> None:
    if fresh.place(wanted.directory) != before.place:
        _write_index(directory, {}, f"{wanted.pattern}: the directory {wanted.directory} was removed or replaced")
        return
    until = time.monotonic() + fresh.TAKE_S
    index: dict[str, str] = {}
    left_out, room = "", MOST_BYTES
    met: set[str] = set()  # a glob with two `**` finds a file more than once
    for path in globs.matching(wanted.directory, wanted.pattern, until):
        if len(index) >= MOST_FILES:
            left_out = f"{wanted.pattern}: only {MOST_FILES} of the files were copied"
            break
        if path in met or before.is_older(wanted.directory, path):
            met.add(path)
            continue
        met.add(path)
        try:
            size = fresh.copy(path, f"{directory}/{len(index)}", room, MOST_BYTES, until)
        except StorageError as error:
            left_out = f"{wanted.pattern}: {error.message}"
            continue
        room -= size
        index[str(len(index))] = path
    else:
        if time.monotonic() >= until:
            left_out = f"{wanted.pattern}: not all files were found within {fresh.TAKE_S:g} s"
    if not index and not left_out:
        left_out = f"{wanted.pattern} {'is older than the run' if met else 'was not written'}"
    _write_index(directory, index, left_out)


def _write_index(directory: str, index: Mapping[str, str], left_out: str) -> None:
    files.replace(f"{directory}/{INDEX}", f"{directory}/.{INDEX}", meta.pack({**index, NOTE: left_out}))
