"""Where a run's files are and how they are named; pure.

The names are a contract with shell scripts: see "Files" in docs/files.md.
"""

from __future__ import annotations

import time

from bgrun.light import NamedTuple
from bgrun.model import RunId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAMP_FORMAT = "%Y%m%d_%H%M%S"
STAMP_LENGTH = 15
MARK_RUN, MARK_DIR = "BGRUN_RUN_ID", "BGRUN_LOG_DIR"
"""The variables by which the processes of a run are known: its run id, and its log folder."""


class RunPaths(NamedTuple):
    """The paths of one run. The hidden ones exist only while it lives, or while it is being stopped."""

    log_dir: str
    run_id: str

    def other(self, run_id: str) -> RunPaths:
        """Return the paths of another run in the same log directory."""
        return RunPaths(self.log_dir, run_id)

    def _visible(self, kind: str) -> str:
        return f"{self.log_dir}/{self.run_id}.{kind}"

    def hidden(self, kind: str) -> str:
        """Return the path of a file of this run that `ls` does not show."""
        return f"{self.log_dir}/.{self.run_id}.{kind}"

    @property
    def log(self) -> str:
        """Stdout and stderr of the job, written by the job itself."""
        return self._visible("log")

    @property
    def pid(self) -> str:
        """The pid of the job; the supervisor's lock is on this file."""
        return self._visible("pid")

    @property
    def exit(self) -> str:
        """The exit code."""
        return self._visible("exit")

    @property
    def meta(self) -> str:
        """The key=value lines. A run exists when this file does."""
        return self._visible("meta")

    @property
    def script(self) -> str:
        """The job script."""
        return f"{self.log_dir}/jobs/{self.run_id}.sh"

    @property
    def hooks_log(self) -> str:
        """What its hooks wrote."""
        return f"{self.log_dir}/jobs/{self.run_id}.hooks.log"

    @property
    def reports(self) -> str:
        """The folder of copies of the test reports that it wrote, made as it ended."""
        return f"{self.log_dir}/jobs/{self.run_id}.reports"

    @property
    def hidden_reports(self) -> str:
        """The same folder while it is being filled."""
        return f"{self.log_dir}/jobs/.{self.run_id}.reports"

    @property
    def digest(self) -> str:
        """What is worth knowing of it at one look, as the first look after its end made it."""
        return f"{self.log_dir}/jobs/{self.run_id}.digest.json"

    @property
    def stop(self) -> str:
        """The stop request: what is wanted, apart from what is."""
        return self.hidden("stop")

    @property
    def all_visible(self) -> tuple[str, ...]:
        """Every path that a person may see, the meta first: with it the run is gone from view."""
        return (self.meta, self.exit, self.pid, self.log, self.script, self.hooks_log, self.digest)

    @property
    def all_folders(self) -> tuple[str, ...]:
        """Every folder of its own, seen or hidden."""
        return (self.reports, self.hidden_reports)

    @property
    def all_hidden(self) -> tuple[str, ...]:
        """Every hidden path a run can leave behind if its supervisor is killed."""
        return tuple(
            self.hidden(kind) for kind in ("stop", "exit", "meta", "meta.new", "pid", "attempt", "attempt.new")
        )


def stamp(epoch: float) -> str:
    """Return the time stamp of a run id: local time, to the second."""
    return time.strftime(STAMP_FORMAT, time.localtime(epoch))


def parse_run_id(text: str) -> RunId | None:
    """Return the parts of a run id, or None where `text` is none (a label, say)."""
    found = split_run_id(text)
    return RunId(*found) if found else None


def split_run_id(text: str) -> tuple[str, str, int, bool] | None:
    """Return label, time stamp, serial number and form as `parse_run_id` does, plain, for thousands of names."""
    if found := _split_stamp(text):
        return (*found, 1, False)
    stem, count = _split_count(text)
    if not _is_count(count):
        return None
    dashed, mark = stem.endswith("-"), "z" * len(count)
    if not dashed and not stem.endswith(mark):
        return None
    found = _split_stamp(stem[:-1] if dashed else stem[: -len(mark)])
    return (*found, int(count), dashed) if found else None


def _split_count(text: str) -> tuple[str, str]:
    """Return a text without the digits at its end, and these."""
    stem = text.rstrip("0123456789")
    return stem, text[len(stem) :]


def newest_first(label: str, files: Iterable[str], suffix: str) -> Iterator[RunId]:
    """Give the runs of exactly this label that files with this suffix are named after, the newest first."""
    begin = len(label) + 1
    stamp = slice(begin, begin + STAMP_LENGTH)
    own = [name for name in files if name.startswith(f"{label}_") and name.endswith(suffix)]
    own.sort(key=lambda name: name[stamp], reverse=True)
    of_one_second: list[RunId] = []
    for name in own:
        if of_one_second and name[stamp] != of_one_second[0].ts:
            yield from _last_first(of_one_second)
            of_one_second = []
        found = parse_run_id(name[: -len(suffix)])
        if found and found.label == label:
            of_one_second.append(found)
    yield from _last_first(of_one_second)


def _last_first(run_ids: list[RunId]) -> list[RunId]:
    return sorted(run_ids, key=lambda run_id: run_id.order, reverse=True)


def next_run_id(label: str, epoch: float, newest: RunId | None) -> RunId:
    """Return the id for a run of `label` that starts now and sorts after its `newest` run so far.

    A clock that was set back, the end of summer time or another time zone must not make an older
    run the newest one: the stamp never falls behind that of the newest run.
    """
    now = stamp(epoch)
    if newest is None or newest.ts < now:
        return RunId(label, now)
    return RunId(label, newest.ts, newest.serial + 1)


def _split_stamp(stem: str) -> tuple[str, str] | None:
    label, ts = stem[: -STAMP_LENGTH - 1], stem[-STAMP_LENGTH:]
    # One look at all its digits, not one at each part: this is asked of thousands of names.
    if label and ts[8:9] == "_" and stem[-STAMP_LENGTH - 1] == "_":
        digits = f"{ts[:8]}{ts[9:]}"
        if len(digits) == STAMP_LENGTH - 1 and digits.isdigit() and digits.isascii():
            return label, ts
    return None


def _is_count(text: str) -> bool:
    """Whether these digits are a serial number as it is written."""
    return bool(text) and not text.startswith("0") and text != "1" and len(text) < 10
