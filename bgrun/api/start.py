"""Start jobs, groups and any command; find an active run that an identical start can join."""

from __future__ import annotations

import os

from bgrun import codec, engine
from bgrun.api import plan_cache
from bgrun.errors import PortTakenError, StorageError, UsageError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.plan import Node, RenderedPlan, Title, free_title
from bgrun.store import index, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from bgrun.engine import Engine
    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import RenderedJob, Submitted
    from bgrun.render.command import AdHoc
    from bgrun.store.store import Store

    T = TypeVar("T")

_MOST_TAKEN = 20
"""How often a start that lost a port to another one is begun anew: one of two always gets it."""


def join_key(jobs: Iterable[RenderedJob], state: bytes) -> str:
    """Return a key that identical starts share: a hash of the jobs without their secrets, and of the work tree."""
    import json  # slow to import, and only starts that may be joined need it

    text = json.dumps([job._replace(secrets=(), join_key="", work_key="") for job in jobs])
    return codec.digest(text.encode() + b"\0" + state).hex()


def find_joinable(store: Store, job: RenderedJob, owner: Engine) -> Run | None:
    """Return the newest active run of an engine with the `join_key` of a job, or None."""
    from bgrun.store import stop_request  # only for jobs that join

    for run_id in index.find_label(store, job.label).unfinished:
        with suppress(StorageError):
            known = store.facts(run_id) or {}
            if known.get("join_key") == job.join_key and (known.get("engine") or engine.LOCAL) == owner.name:
                run = store.read(run_id)
                if run and run.live and not stop_request.is_asked_to_end(store.run(run_id), run):
                    return run
    return None


SHORTEST_TIMEOUT_S = 1.0
"""The minimum of a relative timeout, in seconds: short jobs vary with the load of the machine."""


class Overrides(NamedTuple):
    """Overrides for a plan: how many runs at once, whether one failure stops the rest, and the name of the engine.

    None, False and '' change nothing.
    """

    max_parallel: int | None = None
    fail_fast: bool = False
    engine: str = ""


class Started(NamedTuple):
    """The run of a start; `joined` if the start attached to an active run."""

    run: Run
    joined: bool = False


def start(
    project: Project, words: Sequence[str], extra: Sequence[str] = (), overrides: Overrides | None = None
) -> Started:
    """Launch declared jobs, after the jobs they depend on.

    Args:
        project: where.
        words: names of jobs, each followed by its parameters.
        extra: arguments to append to the command of the one job.
        overrides: overrides of the plan.

    Returns:
        The run of the requested job, or the active run that it joins; for several jobs the run of their plan.

    Raises:
        BusyError: its concurrency group is full, and it must not be queued.
    """
    request = plan_cache.PlanRequest("start", tuple(words), tuple(extra))
    return on_free_ports(lambda: _start_requested(project, request, overrides))


def on_free_ports(launch: Callable[[], T]) -> T:
    """Return what a launch does, which is begun anew if another start got a port of it at the same moment."""
    for _ in range(_MOST_TAKEN):
        with suppress(PortTakenError):
            return launch()
    return launch()


def _start_requested(project: Project, request: plan_cache.PlanRequest, overrides: Overrides | None) -> Started:
    (names, made, _), running = with_running(project, request)
    if running:
        return Started(running, joined=True)
    plan = keyed(project, overridden(made, overrides))
    owner = engine.chosen(plan, overrides.engine if overrides else "")
    refuse_unsupported(project, owner, plan)
    with _single_flight(project, plan, owner) as live:
        return Started(live, joined=True) if live else Started(_start(project, names, plan, owner))


def refuse_unsupported(project: Project, owner: Engine, plan: RenderedPlan) -> None:
    """Check that an engine carries out all of a plan.

    Raises:
        UsageError: it does not; the message says where the job file asks for it.
    """
    for found in engine.refusals(owner, plan):
        from bgrun.api import jobs

        name = next((node.job.job for node in plan.nodes if node.job.label == found.label), "")
        raise UsageError(f"{jobs.place_of(project, name, found)}{found.message}", found.hint)


def with_running(project: Project, request: plan_cache.PlanRequest) -> tuple[plan_cache.Made, Run | None]:
    """Return a plan that uses the services which were started by name and still run, instead of starting them again.

    The run is the service, if nothing else was asked for. A plan without services loads nothing for this.
    """
    made = plan_cache.load_plan(project, request)
    if not made.has_ports and not any(node.job.service for node in made.plan.nodes):
        return made, None
    from bgrun.api import services

    return services.with_running(project, request, made)


def _start(project: Project, names: Sequence[str], plan: RenderedPlan, owner: Engine) -> Run:
    cmd = f"bgrun start {' '.join(names)}"
    launched = launch(project, plan, title_of(project, plan), cmd, owner=owner)
    return begun(project, launched, launched.runs[plan.wanted[0]] if len(plan.wanted) == 1 else launched.own)


def begun(project: Project, launched: Submitted, run_id: str) -> Run:
    """Return a launched run as its supervisor reported it, or else from its files."""
    if launched.known and run_id == (launched.own or launched.runs[0]):
        return record.launched(project.store.run(run_id), launched.known)
    return project.store.existing(run_id)


def keyed(project: Project, plan: RenderedPlan) -> RenderedPlan:
    """Set the join key of each job with `when_busy: join`."""
    return plan._replace(nodes=tuple(node._replace(job=_with_key(project, node.job)) for node in plan.nodes))


def _with_key(project: Project, job: RenderedJob) -> RenderedJob:
    if not job.concurrency or job.concurrency.when_busy != "join":
        return job
    from bgrun.system import work_tree

    return job._replace(join_key=join_key([job], work_tree.state_of(project.root)))


@contextmanager
def _single_flight(project: Project, plan: RenderedPlan, owner: Engine) -> Iterator[Run | None]:
    """Yield the active run that this start should join, or None. No identical start runs at the same time."""
    node = plan.nodes[plan.wanted[0]]
    if len(plan.wanted) > 1 or node.skip or not node.job.join_key or node.job.concurrency is None:
        yield None
        return
    project.store.make()
    with owner.single_flight(project.store, node.job.concurrency):
        yield find_joinable(project.store, node.job, owner)


def title_of(project: Project, plan: RenderedPlan) -> str:
    """Return the label of a plan's own run: another one than its title where an ad-hoc command has that.

    A job that has become a matrix keeps its name, whatever its earlier runs were.
    """
    if len(plan.nodes) == 1 and not plan.nodes[0].uses:
        return plan.title  # it has none
    if any(node.job.job == plan.title for node in plan.nodes):
        return plan.title
    return free_title(plan.title, lambda label: _is_of_a_job(project, label))


def _is_of_a_job(project: Project, label: str) -> bool:
    """Return whether the newest run of a label is that of a job or of an ad-hoc command."""
    newest = index.newest(project.store, label)
    return newest is not None and not record.is_group(project.store.facts(newest) or {"members": ""})


class RunSettings(NamedTuple):
    """The settings of an ad-hoc command; they precede the defaults of the job file.

    directory: where it runs. requested: a `working_dir` of the defaults does not change that.
    env: variables as NAME=VALUE.
    env_files: absolute paths.
    tags: are added to those of the defaults.
    timeout_s: stops the run. retries: how often a command that fails is run again. None: the defaults.
    engine: the name of the engine, '' for that of the defaults.
    """

    directory: str
    requested: bool = False
    env: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    timeout_s: float | None = None
    retries: int | None = None
    engine: str = ""


def parse_command(words: Sequence[str], directory: str) -> AdHoc:
    """Return an ad-hoc command from its words: variables before it, and whether it is shell text.

    Raises:
        UsageError: there is no command, or it is blank or a builtin of the shell; the hint gives shell text instead.
    """
    from bgrun.render import command

    found = command.parse(words, lambda word: os.path.isfile(os.path.join(directory, word)))
    if not "".join(found.argv).strip():
        raise UsageError("missing command", "put it after the variables, as in: bgrun run LABEL -- CI=1 make test")
    name = found.argv[0]
    if command.is_builtin(name) and not found.is_text and _is_no_program(name):
        text = f"cd {found.argv[1] if len(found.argv) > 1 else 'DIR'} && make" if name == "cd" else " ".join(found.argv)
        hint = f"run it in a shell: bgrun run LABEL -- {command.quoted(text)}"
        other = "\nor run the command in DIR: bgrun run LABEL -C DIR -- COMMAND" if name == "cd" else ""
        raise UsageError(f"{name!r} is a builtin of the shell, not a program", hint + other)
    return found


def _is_no_program(name: str) -> bool:
    from bgrun.system import programs

    return programs.find(name) is None


def run_command(project: Project, label: str, command: AdHoc, wanted: RunSettings) -> Run:
    """Launch an ad-hoc command and return its run.

    Raises:
        UsageError: the label, a variable or an env file is invalid, or the shell cannot parse the command.
    """
    from bgrun.jobfile import label as labels
    from bgrun.render import command as commands

    labels.check_label(label)  # before anything is written
    env = (*wanted.env, *command.env)
    _check_variables(env)
    request = plan_cache.of_command(
        wanted.directory, requested=wanted.requested, retries=wanted.retries, env=env, env_files=wanted.env_files
    )
    template = plan_cache.load_plan(project, request).plan.nodes[0].job
    if wanted.timeout_s is not None:
        limits = template.limits._replace(timeout_s=wanted.timeout_s)
        template = template._replace(limits=limits, timeout_share=None)
    if wanted.tags:
        template = template._replace(tags=tuple(dict.fromkeys((*template.tags, *wanted.tags))))
    node = Node(commands.fill(template, label, command))
    return launch_node(project, node, engine.chosen(RenderedPlan((node,), (0,)), wanted.engine))


def _check_variables(env: Sequence[str]) -> None:
    if not env:
        return
    from bgrun.jobfile import env_names
    from bgrun.render.command import is_assignment

    for one in env:
        if not is_assignment(one):
            raise UsageError(f"invalid variable {one!r}: expected NAME=VALUE", f"give it a value: --env {one}=VALUE")
        message, hint = env_names.refusal(one.partition("=")[0])
        if message:
            raise UsageError(message, hint)


def only_jobs(extra_args: Sequence[str], hint: str) -> Sequence[str]:
    """Return the jobs of `only JOB...`, the arguments after `--` of a group; none without arguments.

    Raises:
        UsageError: they are anything else, `only` alone included; with this hint.
    """
    if extra_args and (extra_args[0] != "only" or len(extra_args) == 1):
        raise UsageError(f"unexpected argument after '--': {extra_args[0]!r}", hint)
    return extra_args[1:]


def start_group(
    project: Project, name: str, overrides: Overrides | None = None, only: Sequence[str] = (), given: Sequence[str] = ()
) -> Run:
    """Launch the jobs of a declared group, or `only` some of them, and return the group run.

    `given` are parameters as KEY=VALUE, for every job of the group that declares them.
    """
    request = plan_cache.PlanRequest("group", (name, *only), tuple(given))
    return on_free_ports(lambda: _start_group(project, name, request, overrides))


def _start_group(project: Project, name: str, request: plan_cache.PlanRequest, overrides: Overrides | None) -> Run:
    (_, made, _), _ = with_running(project, request)
    plan = overridden(made, overrides)
    owner = engine.chosen(plan, overrides.engine if overrides else "")
    launched = launch(project, plan, name, f"bgrun group {name}", always=True, owner=owner)
    return begun(project, launched, launched.own)


def _with_work_key(node: Node, key: str) -> Node:
    return node._replace(job=node.job._replace(work_key=key)) if key else node


def overridden(plan: RenderedPlan, overrides: Overrides | None) -> RenderedPlan:
    """Return a plan with the overrides of a start; one that they change does not do the work of a plain start."""
    given = overrides or Overrides()
    most, fast = given.max_parallel or plan.max_parallel, given.fail_fast or plan.fail_fast
    is_same = (most, fast) == (plan.max_parallel, plan.fail_fast)
    return plan._replace(max_parallel=most, fail_fast=fast, work_key=plan.work_key if is_same else "")


def launch_node(project: Project, node: Node, owner: Engine | None = None) -> Run:
    """Launch a single job and return its run; `owner` is the engine, if it is to be a certain one."""
    plan = RenderedPlan((_timed(project, node),), (0,))
    launched = _submit(project, plan, owner)
    return begun(project, launched, launched.runs[0])


def launch(
    project: Project, plan: RenderedPlan, label: str, cmd: str, *, always: bool = False, owner: Engine | None = None
) -> Submitted:
    """Launch a plan; `always` gives it a run of its own even with a single job; `owner` as above."""

    def script(run_ids: Sequence[str]) -> str:
        from bgrun.render import group_script

        wanted = [run_id for run_id, node in zip(run_ids, plan.nodes, strict=True) if not node.skip]
        services = {one for one, node in zip(run_ids, plan.nodes, strict=True) if node.job.service}
        if not wanted or services or any(node.needs for node in plan.nodes):
            return group_script.sequential(label, wanted, services)
        return group_script.parallel(label, wanted, plan.max_parallel)

    plan = plan._replace(nodes=tuple(_timed(project, node) for node in plan.nodes))
    if not always and len(plan.nodes) == 1 and not plan.nodes[0].uses:
        (node,) = plan.nodes
        return _submit(project, plan._replace(nodes=(_with_work_key(node, plan.work_key),)), owner)
    title = Title(label, cmd, label, script, plan.join_key, plan.work_key)
    return _submit(project, plan, owner, title)


def _submit(project: Project, plan: RenderedPlan, owner: Engine | None, title: Title | None = None) -> Submitted:
    """Hand a plan to an engine, if that supports all of it."""
    chosen = owner or engine.chosen(plan)
    refuse_unsupported(project, chosen, plan)
    return chosen.submit(project.store, project.root, plan, title)


def _timed(project: Project, node: Node) -> Node:
    """Convert a relative timeout into seconds. Without successful past runs there is no timeout."""
    job = node.job
    if job.timeout_share is None:
        return node
    from bgrun.store.listing import history

    usual = history.usual_s(project.store, job.label)
    if usual is None:
        return node
    timeout_s = max(job.timeout_share * usual, SHORTEST_TIMEOUT_S)
    return node._replace(job=job._replace(limits=job.limits._replace(timeout_s=timeout_s)))


def warnings(project: Project) -> list[str]:
    """Return warnings about what may prevent runs from being recorded."""
    from bgrun.system import preflight

    return [*preflight.low_disk(project.store.log_dir), *preflight.doomed_sandbox()]
