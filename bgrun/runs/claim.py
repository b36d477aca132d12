"""Claiming a run id: whoever creates the job script has it. A claim alone is no run yet."""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.runs import cache, files
from bgrun.runs.layout import STAMP_LENGTH, RunFiles, next_run_id, parse_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.model import RunId

LARGE = 1 << 14
"""From how many bytes on the folder of job scripts has many names; file systems count some 20 to 60 for each."""
MOST_WORDS = 20
_MOST_AT_ONCE = 10_000
_SCRIPT, _WORD = ".sh", "last."


class Last:
    """The last run of each label that was claimed in a log folder, which the next one must not sort before.

    In a folder so large that listing it would take longer than all else in a start, each claim leaves word
    of itself for the next, and the folder is listed only where there is no word.
    """

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir
        self._jobs = f"{log_dir}/jobs"
        self._large = os.stat(self._jobs).st_size > LARGE
        self._names: list[str] | None = None
        self._claimed: dict[str, RunId] = {}

    def of(self, label: str) -> RunId | None:
        """Return the last run of a label, or None where there is none."""
        return self._claimed.get(label) or self._word(label) or newest(label, self._listed())

    def note(self, run_id: RunId) -> None:
        """Take note of a run that was claimed."""
        self._claimed[run_id.label] = run_id

    def keep(self) -> None:
        """Leave word of what was claimed; of very many labels none, since to list the folder once takes less."""
        for label, run_id in self._claimed.items() if self._large else ():
            if len(self._claimed) <= MOST_WORDS:
                cache.write_word(self._log_dir, f"{_WORD}{label}", str(run_id))
            else:
                cache.remove(self._log_dir, f"{_WORD}{label}")

    def _word(self, label: str) -> RunId | None:
        found = parse_run_id(cache.read_word(self._log_dir, f"{_WORD}{label}")) if self._large else None
        return found if found and found.label == label else None

    def _listed(self) -> list[str]:
        if self._names is None:
            with files.storage(self._jobs, "list"):
                self._names = os.listdir(self._jobs)
        return self._names


def newest(label: str, scripts: Iterable[str]) -> RunId | None:
    """Return the newest run of exactly this label that one of these job scripts belongs to, or None; pure."""
    begin = len(label) + 1
    stamp = slice(begin, begin + STAMP_LENGTH)
    own = [name for name in scripts if name.startswith(f"{label}_") and name.endswith(_SCRIPT)]
    own.sort(key=lambda name: name[stamp], reverse=True)
    last: RunId | None = None
    for name in own:
        if last and name[stamp] != last.ts:
            break
        found = parse_run_id(name.removesuffix(_SCRIPT))
        if found and found.label == label and (last is None or found.serial > last.serial):
            last = found
    return last


def claim_all(log_dir: str, wanted: Iterable[tuple[str, bytes]]) -> Iterator[RunId]:
    """Write each job script under a run id of its label that nobody else has, and give these ids.

    Raises:
        StorageError: a script cannot be written; nothing is left of it.
    """
    last = Last(log_dir)
    for label, script in wanted:
        claimed = _claim(log_dir, label, script, last.of(label))
        last.note(claimed)
        yield claimed
    last.keep()


def _claim(log_dir: str, label: str, script: bytes, newest: RunId | None) -> RunId:
    wanted = next_run_id(label, time.time(), newest)
    for _ in range(_MOST_AT_ONCE):
        at = RunFiles(log_dir, str(wanted))
        if not os.path.lexists(at.meta) and _create(at.script, script):
            return wanted
        wanted = wanted._replace(serial=wanted.serial + 1)
    raise StorageError(f"{log_dir}/jobs is full of scripts of {label}", "remove those that belong to no run")


def _create(path: str, script: bytes) -> bool:
    with files.storage(path, "write"):
        try:
            fd = files.create(path)
        except FileExistsError:
            return False
        try:
            files.write_all(fd, script)
        except OSError:
            files.remove(path)
            raise
        finally:
            os.close(fd)
    return True


def give_up(log_dir: str, run_ids: Iterable[str]) -> None:
    """Remove what is left of runs that were claimed and never launched."""
    for run_id in run_ids:
        at = RunFiles(log_dir, run_id)
        for path in (*at.all_visible, *at.all_hidden):
            files.remove(path)
