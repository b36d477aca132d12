"""Name the files of a run, and parse and make run IDs. Pure.

The names are a contract with shell scripts: see docs/reference/files.md.
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
"""The environment variables that mark the processes of a run: its run ID and its log directory."""


_HIDDEN = (
    *("stop", "exit", "meta", "meta.new", "pid", "attempt", "attempt.new", "ready", "ready.output"),
    *("job", "members", "env", "besides"),  # of runs on a cluster
)


class RunPaths(NamedTuple):
    """The paths of a run. Hidden files exist only while it is active or being stopped."""

    log_dir: str
    run_id: str

    def other(self, run_id: str) -> RunPaths:
        """Return the paths of another run in the same log directory."""
        return RunPaths(self.log_dir, run_id)

    def _visible(self, kind: str) -> str:
        return f"{self.log_dir}/{self.run_id}.{kind}"

    def hidden(self, kind: str) -> str:
        """Return the path of a hidden file of this run."""
        return f"{self.log_dir}/.{self.run_id}.{kind}"

    @property
    def log(self) -> str:
        """Standard output and error of the job, which writes it itself."""
        return self._visible("log")

    @property
    def pid(self) -> str:
        """The PID of the job; the supervisor holds a lock on this file."""
        return self._visible("pid")

    @property
    def exit(self) -> str:
        """The exit code."""
        return self._visible("exit")

    @property
    def meta(self) -> str:
        """The `key=value` lines. A run exists if this file does."""
        return self._visible("meta")

    @property
    def scripts(self) -> str:
        """The directory of the job scripts of all runs."""
        return f"{self.log_dir}/jobs"

    @property
    def script(self) -> str:
        """The job script."""
        return f"{self.log_dir}/jobs/{self.run_id}.sh"

    @property
    def hooks_log(self) -> str:
        """The output of its hooks."""
        return f"{self.log_dir}/jobs/{self.run_id}.hooks.log"

    @property
    def reports(self) -> str:
        """The directory with copies of its test reports, made when it finished."""
        return f"{self.log_dir}/jobs/{self.run_id}.reports"

    @property
    def hidden_reports(self) -> str:
        """The same directory while it is being written."""
        return f"{self.log_dir}/jobs/.{self.run_id}.reports"

    @property
    def digest(self) -> str:
        """Its cached digest."""
        return f"{self.log_dir}/jobs/{self.run_id}.digest.json"

    @property
    def stop(self) -> str:
        """The stop request."""
        return self.hidden("stop")

    @property
    def job(self) -> str:
        """The job ID that a cluster gave it, where the answer to its submission came: `12345` or `12345_7`."""
        return self.hidden("job")

    @property
    def cluster_log(self) -> str:
        """What Slurm and the launcher say about the job; its own output is in the log."""
        return f"{self.log_dir}/jobs/{self.run_id}.slurm.log"

    def claim(self, attempt: int) -> str:
        """Return the directory whose creation claims the run for this attempt, from 1; the newest one counts."""
        return self.hidden(f"claim.{attempt}")

    @property
    def all_visible(self) -> tuple[str, ...]:
        """Every path that is not hidden, the meta first: without it the run no longer exists."""
        return (self.meta, self.exit, self.pid, self.log, self.script, self.hooks_log, self.digest, self.cluster_log)

    @property
    def all_directories(self) -> tuple[str, ...]:
        """Its directories, including hidden ones."""
        return (self.reports, self.hidden_reports)

    @property
    def all_hidden(self) -> tuple[str, ...]:
        """Every hidden file that may be left if its supervisor is killed."""
        return tuple(map(self.hidden, _HIDDEN))


def stamp(epoch: float) -> str:
    """Return the time stamp in a run ID: local time, to the second."""
    return time.strftime(STAMP_FORMAT, time.localtime(epoch))


def parse_run_id(text: str) -> RunId | None:
    """Parse a run ID; return None if `text` is not one."""
    found = split_run_id(text)
    return RunId(*found) if found else None


def split_run_id(text: str) -> tuple[str, str, int, bool] | None:
    """Return label, time stamp, serial number and form like `parse_run_id`, as a plain tuple: it is fast."""
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
    """Split a text before the digits at its end."""
    stem = text.rstrip("0123456789")
    return stem, text[len(stem) :]


def newest_first(label: str, files: Iterable[str], suffix: str) -> Iterator[RunId]:
    """Yield the runs of exactly this label that files with this suffix belong to, the newest first."""
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


def newest_of_each(files: Iterable[str], suffix: str) -> dict[str, RunId]:
    """Return the newest run of each label that files with this suffix belong to."""
    newest: dict[str, tuple[str, int, bool]] = {}
    for name in files:
        if not name.endswith(suffix) or not (found := split_run_id(name[: -len(suffix)])):
            continue
        label, ts, serial, dashed = found
        known = newest.get(label)
        # As `RunId.order` has them.
        if known is None or (ts, serial, not dashed) > (known[0], known[1], not known[2]):
            newest[label] = ts, serial, dashed
    return {label: RunId(label, *rest) for label, rest in newest.items()}


def _last_first(run_ids: list[RunId]) -> list[RunId]:
    return sorted(run_ids, key=lambda run_id: run_id.order, reverse=True)


def next_run_id(label: str, epoch: float, newest: RunId | None) -> RunId:
    """Return the run ID of a run of `label` that starts now; it sorts after the `newest` run so far.

    The stamp is never earlier than that of the newest run: a clock that was set back, the end of daylight saving time
    or another time zone must not make an older run the newest one.
    """
    now = stamp(epoch)
    if newest is None or newest.ts < now:
        return RunId(label, now)
    return RunId(label, newest.ts, newest.serial + 1)


def _split_stamp(stem: str) -> tuple[str, str] | None:
    label, ts = stem[: -STAMP_LENGTH - 1], stem[-STAMP_LENGTH:]
    # One check of all digits instead of one per part: this runs for thousands of names.
    if label and ts[8:9] == "_" and stem[-STAMP_LENGTH - 1] == "_":
        digits = f"{ts[:8]}{ts[9:]}"
        if len(digits) == STAMP_LENGTH - 1 and digits.isdigit() and digits.isascii():
            return label, ts
    return None


def _is_count(text: str) -> bool:
    """Return whether these digits are a serial number."""
    return bool(text) and not text.startswith("0") and text != "1" and len(text) < 10
