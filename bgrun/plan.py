"""Define the frozen values that say what an engine is to run, and what it answers.

Durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from bgrun import codec
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    Condition = Literal["succeeded", "completed", "started", "ready"]
    """What a run waits for: that another one has succeeded, has finished in any way, was launched, or is ready."""
    ReadyKind = Literal["log", "http", "port", "command", "delay"]
    Kept = Literal["", "jobs", "stop"]
    """How long a service runs that nothing needs: not at all, while any job of the plan is active, until it is stopped.
    """

DEFAULT_STOP_SIGNAL = "SIGTERM"
DEFAULT_GRACE_S = 10.0
DEFAULT_MAX_LOG = 1 << 30


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
    title: the label of its own run, unless that is a group's.
    """

    nodes: tuple[Node, ...]
    wanted: tuple[int, ...]
    max_parallel: int | None = None
    fail_fast: bool = False
    join_key: str = ""
    only: tuple[str, ...] = ()
    work_key: str = ""
    title: str = ""


def free_title(title: str, is_taken: Callable[[str], bool]) -> str:
    """Return a label for a plan's own run: its title, or a longer one where that is taken. Pure."""
    return free_title(f"{title}_plan", is_taken) if is_taken(title) else title


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


class Title(NamedTuple):
    """Describes the group run of a plan.

    label: its label. cmd: what a person typed. group: the name of the group. script: returns the text of its job
    script from the run IDs of its jobs. join_key, work_key: as in `RenderedJob`.
    """

    label: str
    cmd: str
    group: str
    script: Callable[[Sequence[str]], str]
    join_key: str = ""
    work_key: str = ""


class Refusal(NamedTuple):
    """Why an engine does not carry out a job.

    option: one of the `OPTIONS`, or the key of the job file. label: the job, or `the group`.
    """

    option: str
    label: str
    message: str
    hint: str = ""


class Trial(NamedTuple):
    """What an engine would refuse; `note`: why it could not be asked, or ''."""

    refusals: tuple[Refusal, ...] = ()
    note: str = ""


class Submitted(NamedTuple):
    """What was started.

    runs: the run IDs in the order of the plan. own: the run ID of the group run, or ''. known: the text of the meta of
    the group run or of the only run, if the engine has already started that.
    """

    runs: tuple[str, ...]
    own: str = ""
    known: bytes = b""


def used_options(plan: RenderedPlan) -> list[tuple[str, str]]:
    """Return the options that a plan uses, each with the label of a job that does."""
    used = [(option, node.job.label) for node in plan.nodes for option in _used_by(node.job)]
    used += [("services", node.job.label) for node in plan.nodes if node.uses]
    used += [("depends_on", node.job.label) for node in plan.nodes if node.needs]
    used += [("condition", node.job.label) for node in plan.nodes if set(node.conditions) - {"succeeded"}]
    bounds = {"max_parallel": plan.max_parallel, "fail_fast": plan.fail_fast}
    return used + [(option, "the group") for option, value in bounds.items() if value]


def _used_by(job: RenderedJob) -> list[str]:
    asked = {
        "concurrency": job.concurrency,
        "hooks": job.hooks,
        "junit": job.junit,
        "outputs": job.outputs,
        "log.max_size": job.limits.max_log_bytes != DEFAULT_MAX_LOG,
        "secrets": job.secrets,
        "services": job.service,
        "timeout": job.limits.timeout_s or job.timeout_share,
    }
    return [option for option, value in asked.items() if value]
