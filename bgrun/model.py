"""Define the frozen values that say which runs there are.

Those of what is to run are in `plan`, which a command that only looks at runs does not load.
Times are seconds since the epoch (float), durations are seconds.
"""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    State = Literal["queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost", "unknown"]

Scalar = str | int | float | bool
"""A value of a parameter or of an axis of a matrix."""
STATES: tuple[State, ...] = (
    *("queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost"),
    "unknown",
)
LIVE_STATES: tuple[State, ...] = ("queued", "running", "unknown")
"""`unknown`: neither the files nor the cluster say anything now; it is never recorded."""


def as_text(value: object) -> str:
    """Return a value as it is written in a job file and on the command line: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class RunId(NamedTuple):
    """The parts of a run ID: `<label>_<YYYYmmdd_HHMMSS>`, and `z2` … `z9`, `zz10` … within one second.

    A `z` for each digit: so a shell glob sorts the runs of one second by age in any locale, whatever the extension.
    Runs recorded by an older bgrun are `dashed`: theirs were `-2`, `-3` ….
    """

    label: str
    ts: str
    serial: int = 1
    dashed: bool = False

    def __str__(self) -> str:
        """Return the run ID as it is in file names."""
        stem, count = f"{self.label}_{self.ts}", str(self.serial)
        if self.serial == 1:
            return stem
        return f"{stem}-{count}" if self.dashed else f"{stem}{'z' * len(count)}{count}"

    @property
    def order(self) -> tuple[str, int, bool]:
        """The sort key: of two runs of a label the later one is greater."""
        return (self.ts, self.serial, not self.dashed)


class Run(NamedTuple):
    """A run as text, JSON and hooks report it. Unknown values are None.

    started_at, ended_at: ISO 8601 with offset.
    group, group_run: the name of its group, and the run ID of the group run.
    reason: why it is in its state, beyond its exit code.
    members: the run IDs of a group's runs, empty for any other run.
    left_running: the PIDs of processes that it left running when it finished and that are still running.
    only_failed_of: the run whose failed tests alone it ran.
    only_jobs: the labels of its jobs, if it is a group run of only a part of its group; else empty.
    service: it is a service. ready_at: when it was first ready. port, url: where it listens.
    needed_by: the run IDs of its plan that depend on it. abandoned: it is up, and its supervisor was killed.
    engine: the name of the engine that carries it out.
    engine_job, node, attempt: on a cluster the ID of its job, where it runs, and how many times it was begun.
    """

    run_id: str
    label: str
    job: str | None
    group: str | None
    state: State
    exit_code: int | None
    signal: str | None
    pid: int | None
    pgid: int | None
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    cmd: str
    log: str
    script: str
    meta: str
    git_sha: str | None
    git_branch: str | None
    group_run: str | None = None
    reason: str | None = None
    tags: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    left_running: tuple[int, ...] = ()
    only_failed_of: str | None = None
    only_jobs: tuple[str, ...] = ()
    service: bool = False
    ready_at: str | None = None
    port: int | None = None
    url: str | None = None
    needed_by: tuple[str, ...] = ()
    abandoned: bool = False
    engine: str = "local"
    engine_job: str | None = None
    node: str | None = None
    attempt: int | None = None

    @property
    def live(self) -> bool:
        """Whether the run is active: queued, running, or unknown."""
        return self.state in LIVE_STATES

    @property
    def is_ready(self) -> bool:
        """Whether it is a service that is up and was ready."""
        return self.state == "running" and self.service and self.ready_at is not None

    @property
    def is_never_ready(self) -> bool:
        """Whether it is a service that is up and will not become ready: the supervisor that checked it was killed."""
        return self.abandoned and self.ready_at is None

    @property
    def is_partial(self) -> bool:
        """Whether it ran only a part of its job or group, so that its result is not that of the whole."""
        return bool(self.only_failed_of or self.only_jobs)

    @property
    def succeeded(self) -> bool:
        """Whether its exit code is known and counts as success."""
        return self.state == "succeeded"
