"""Define the frozen values that all rooms pass along.

Times are seconds since the epoch (float), durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from bgrun import codec
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    State = Literal["queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost", "unknown"]
    Condition = Literal["succeeded", "completed", "started", "ready"]
    """What a run waits for: that another one has succeeded, has finished in any way, was launched, or is ready."""
    ReadyKind = Literal["log", "http", "port", "command", "delay"]
    Kept = Literal["", "jobs", "stop"]
    """How long a service runs that nothing needs: not at all, while any job of the plan is active, until it is stopped.
    """

Scalar = str | int | float | bool
"""A value of a parameter or of an axis of a matrix."""
STATES: tuple[State, ...] = (
    *("queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost"),
    "unknown",
)
LIVE_STATES: tuple[State, ...] = ("queued", "running", "unknown")
"""`unknown`: neither the files nor the cluster say anything now; it is never recorded."""
DEFAULT_STOP_SIGNAL = "SIGTERM"
DEFAULT_GRACE_S = 10.0
DEFAULT_MAX_LOG = 1 << 30


def as_text(value: object) -> str:
    """Return a value as it is written in a job file and on the command line: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Retention(NamedTuple):
    """Which finished runs of a label are kept; None is no limit."""

    max_runs: int | None = None
    max_age_s: float | None = None


class Limits(NamedTuple):
    """The limits of a run, how it is stopped, and which exit codes count as success."""

    timeout_s: float | None = None
    stop_signal: str = DEFAULT_STOP_SIGNAL
    stop_grace_s: float = DEFAULT_GRACE_S
    success_exit_codes: tuple[int, ...] = (0,)
    max_log_bytes: int = DEFAULT_MAX_LOG


class Hook(NamedTuple):
    """An action after a run has finished: a shell command, or a desktop notification."""

    when: Literal["finish", "success", "failure"]
    command: str = ""
    notify: bool = False
    timeout_s: float = 60.0


class Concurrency(NamedTuple):
    """The concurrency group of a run.

    limit: how many of its runs may run at the same time.
    when_busy: what happens to a start when the group is full.
    scope: whether the group belongs to the project or to all projects of the user.
    """

    group: str
    limit: int = 1
    when_busy: Literal["queue", "reject", "join", "replace"] = "queue"
    scope: Literal["project", "user"] = "project"


class Output(NamedTuple):
    """A declared output of a job: what to keep of the files that its command writes.

    kind: `json`, one value of a JSON document, or `glob`, the paths of files.
    path: the document or the glob, relative to the job's working directory.
    pick: the keys and indexes that lead to the value in a document.
    """

    name: str
    kind: str
    path: str
    pick: tuple[str, ...] = ()


class ReadyCheck(NamedTuple):
    """How a service is found to be ready.

    value: of `log` the regular expression, of `http` the URL, of `port` the number or '' for the service's own, of
    `command` a bash text that sets its environment up and runs it, of `delay` the seconds.
    status: the status codes of `http` that count; empty means 2xx.
    interval_s: the pause after the first try; it grows to 1 s.
    shown: the check in words, of a command without what its environment needs; '' if the value says it all.
    """

    kind: ReadyKind
    value: str = ""
    status: tuple[int, ...] = ()
    timeout_s: float = 60.0
    interval_s: float = 0.05
    shown: str = ""


class Resources(NamedTuple):
    """What a job needs of a machine, for an engine that hands out machines; None leaves it to that.

    memory: bytes.
    """

    cpus: int | None = None
    memory: int | None = None
    gpus: int | None = None


class SlurmOptions(NamedTuple):
    """How Slurm is to schedule a job.

    time_s: its limit there; None makes it from the timeout. requeue: the command may be run again.
    options: words for sbatch. config: the `slurm.conf` of the cluster, '' for that of the environment.
    secrets: `file` if secrets may be in a file of their own until the run has finished.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    time_s: float | None = None
    requeue: bool = False
    options: tuple[str, ...] = ()
    config: str = ""
    secrets: str = ""


class RenderedJob(NamedTuple):
    """A job with every template filled in: all that is needed to launch it.

    script: the text of the job script, which contains neither its run ID nor its path, so that it can be rerun.
    cmd: the command as a person would type it. job: the name of the job, '' for an ad-hoc command.
    secrets: variables that reach the job through its environment only.
    timeout_share: the timeout as a share of what runs of the label usually take (2.0 for `200%`), or None.
    problems: names of built-in problem matchers, or documents of others.
    junit: a glob of the test reports that the job writes, relative to its working directory, or ''.
    progress: names of built-in progress patterns, or regular expressions. outputs: what to keep of its files.
    only_failed_of: the run whose failed tests alone it runs, or ''. only_failed: which of them.
    join_key: two starts with the same one do the same work on the same files; '' where that is not recorded.
    work_key: two starts with the same one do the same work if the files are the same; '' for a job that none joins.
    any_shell: the script was just rendered and behaves the same in every POSIX shell.
    service: it runs until nothing needs it. port: where it listens, or 0. url: its address, or ''.
    is_port_assigned: the port was just assigned to it, and may be another one.
    ready: how it is found to be ready; None: once it is launched.
    engine: the name of the engine that its job file wants, '' for any. resources, slurm: see there.
    """

    label: str
    script: str
    cmd: str
    shell: str
    working_dir: str
    venv: str = ""
    job: str = ""
    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    limits: Limits = Limits()
    inhibit_sleep: bool = True
    retention: Retention = Retention()
    secrets: tuple[tuple[str, str], ...] = ()
    timeout_share: float | None = None
    hooks: tuple[Hook, ...] = ()
    concurrency: Concurrency | None = None
    join_key: str = ""
    progress: tuple[str, ...] = ()
    problems: tuple[Any, ...] = ()
    junit: str = ""
    any_shell: bool = False
    outputs: tuple[Output, ...] = ()
    only_failed_of: str = ""
    only_failed: str = ""
    work_key: str = ""
    service: bool = False
    port: int = 0
    ready: ReadyCheck | None = None
    url: str = ""
    engine: str = ""
    resources: Resources = Resources()
    slurm: SlurmOptions = SlurmOptions()
    is_port_assigned: bool = False


class Node(NamedTuple):
    """A job in its place in a plan.

    needs: the places of the nodes that it depends on; all are before its own.
    skip: why it does not run at all, or ''.
    conditions: what it waits for, for each of `needs`; empty if all have to succeed.
    kept: of a service, how long it runs although nothing needs it.
    uses: run IDs of services of other plans that have to be ready before it starts.
    """

    job: RenderedJob
    needs: tuple[int, ...] = ()
    skip: str = ""
    conditions: tuple[Condition, ...] = ()
    kept: Kept = ""
    uses: tuple[str, ...] = ()


class RenderedPlan(NamedTuple):
    """Jobs in an order in which each comes after those that it depends on, ready to launch.

    wanted: the places of the nodes that were given by name; the others are their dependencies.
    only: the labels of its jobs, if these are only a part of its group's.
    join_key, work_key: those of the plan's own run, or of its only one, as in `RenderedJob`.
    """

    nodes: tuple[Node, ...]
    wanted: tuple[int, ...]
    max_parallel: int | None = None
    fail_fast: bool = False
    join_key: str = ""
    only: tuple[str, ...] = ()
    work_key: str = ""


class RunPlan(NamedTuple):
    """A run that an engine is to start.

    facts: the lines of its meta that are known before it starts.
    needs: the run IDs that it depends on, all of earlier runs of the plan. skip: why it does not run, or ''.
    conditions, kept, uses: as in `Node`.
    """

    run_id: str
    job: RenderedJob
    facts: dict[str, str]
    needs: tuple[str, ...] = ()
    skip: str = ""
    conditions: tuple[Condition, ...] = ()
    kept: Kept = ""
    uses: tuple[str, ...] = ()


class GroupPlan(NamedTuple):
    """The own run of a plan with several jobs: its log is the schedule, its exit code the result of all."""

    run_id: str
    label: str
    facts: dict[str, str]
    max_parallel: int | None = None
    fail_fast: bool = False
    retention: Retention = Retention()


codec.nest(
    RenderedJob,
    limits=Limits,
    retention=Retention,
    hooks=[Hook],
    concurrency=Concurrency,
    outputs=[Output],
    ready=ReadyCheck,
    resources=Resources,
    slurm=SlurmOptions,
)
codec.nest(Node, job=RenderedJob)
codec.nest(RenderedPlan, nodes=[Node])
codec.nest(RunPlan, job=RenderedJob)
codec.nest(GroupPlan, retention=Retention)


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
