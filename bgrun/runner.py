"""What bgrun can do, as functions: no printing, no exits; whatever goes wrong is raised.

Each takes the `Project` it works in. Heavy rooms (the job file's) are imported by those that need them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import NamedTuple

from bgrun.errors import JobFileError, NoJobFileError, UnknownNameError, UsageError
from bgrun.local import prepare, slots, stop, surroundings, wait
from bgrun.model import Node, RenderedPlan
from bgrun.runs import (
    clock,
    facts,
    files,
    find,
    history,
    lock,
    logs,
    masks,
    outlook,
    reading,
    record,
    retention,
    select,
    twin,
)
from bgrun.runs import (
    digest as digests,
)
from bgrun.runs.layout import RunFiles, parse_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bgrun.jobfile.find import Project
    from bgrun.jobfile.specs import JobFile
    from bgrun.model import RenderedJob, Retention, Run, State
    from bgrun.tools.progress import Progress

_MOST_SCRIPT = 64 << 20
FOLLOW_LOOK_S = 0.02
"""How often `follow` looks for new log text, in seconds."""


SHORTEST_TIMEOUT_S = 1.0
"""What a timeout that is a share amounts to at least: the noise of a busy machine is not the job's fault."""


class Bounds(NamedTuple):
    """How a plan is to run: how many at once, and whether one failure ends the rest; None and False ask for nothing."""

    max_parallel: int | None = None
    fail_fast: bool = False


class Started(NamedTuple):
    """The run that a start is about; `joined` where it was live before, and the start only attached to it."""

    run: Run
    joined: bool = False


class Outlook(NamedTuple):
    """How far a running run is, what it usually takes, in how many seconds it may end, and its last line."""

    progress: Progress | None = None
    median_s: float | None = None
    eta_s: float | None = None
    last_line: str = ""


class Chunk(NamedTuple):
    """New bytes of the log of a run."""

    run_id: str
    label: str
    data: bytes


# --- starting ---------------------------------------------------------------------------------


def load(project: Project) -> JobFile:
    """Return the project's job file.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors.
    """
    from bgrun import jobfile

    if project.job_file is None:
        raise NoJobFileError(
            f"there is no bgjobs.yaml in {project.root} or a folder above it",
            "declare jobs there, or run a command without one: bgrun run LABEL -- COMMAND…",
        )
    return jobfile.load(project.job_file)


def render(project: Project, name: str, given: Sequence[str] = (), extra: Sequence[str] = ()) -> RenderedJob:
    """Return a declared job with all its templates filled in; nothing is launched."""
    from bgrun.jobfile import expand

    return expand.render_one(load(project), expand.Request(name, tuple(given), tuple(extra)), os.environ)


def start(project: Project, words: Sequence[str], extra: Sequence[str] = (), bounds: Bounds | None = None) -> Started:
    """Launch declared jobs, and before each what it needs.

    Args:
        project: where.
        words: names of jobs, each followed by its parameters.
        extra: words to append to the command, where it is one job.
        bounds: how the runs may run together.

    Returns:
        The run of the job that was asked for, or a live one that it joins; of several jobs the run of the
        plan that they make up.

    Raises:
        BusyError: its concurrency group is full, and it is not to wait.
    """
    from bgrun.jobfile import expand

    job_file = load(project)
    requests = expand.requests_of(job_file, words, extra)
    plan = _keyed(project, _within(expand.expand_jobs(job_file, requests, os.environ), bounds))
    with _single_flight(project, plan) as live:
        return Started(live, joined=True) if live else Started(_start(project, [one.name for one in requests], plan))


def _start(project: Project, names: Sequence[str], plan: RenderedPlan) -> Run:
    launched = _launch(project, plan, _title(names, plan), f"bgrun start {' '.join(names)}")
    if len(plan.wanted) == 1:
        return _read(project, launched.runs[plan.wanted[0]])
    return _read(project, launched.own)


def _keyed(project: Project, plan: RenderedPlan) -> RenderedPlan:
    """Give each job that others may join its key."""
    return plan._replace(nodes=tuple(node._replace(job=_with_key(project, node.job)) for node in plan.nodes))


def _with_key(project: Project, job: RenderedJob) -> RenderedJob:
    may_join = job.concurrency and job.concurrency.when_busy == "join"
    return job._replace(join_key=twin.key_of(job, str(project.root))) if may_join else job


@contextlib.contextmanager
def _single_flight(project: Project, plan: RenderedPlan) -> Iterator[Run | None]:
    """Give the live run that a start of this plan is to join, if any; until the end nobody else starts the same."""
    node = plan.nodes[plan.wanted[0]]
    if len(plan.wanted) > 1 or node.skip or not node.job.join_key or node.job.concurrency is None:
        yield None
        return
    log_dir = str(project.log_dir)
    files.ensure_log_dir(log_dir)
    with slots.single_flight(slots.place_of(log_dir, node.job.concurrency)):
        yield twin.find_twin(log_dir, node.job)


def _title(names: Sequence[str], plan: RenderedPlan) -> str:
    """Return the label of a plan's own run: that of a job whose runs are told apart by its matrix is free."""
    if len(names) > 1:
        return "plan"
    return names[0] if len(plan.wanted) > 1 else f"plan_{names[0]}"


def run_command(project: Project, label: str, argv: Sequence[str], folder: Path) -> Run:
    """Launch a command that is declared nowhere, in `folder`, and return its run."""
    from bgrun.jobfile.render import render_command

    job_file = load(project) if project.job_file else None
    job = render_command(label, argv, working_dir=folder, root=project.root, job_file=job_file, environ=os.environ)
    return _launch_one(project, job)


def start_group(
    project: Project, name: str, bounds: Bounds | None = None, only: Sequence[str] = (), given: Sequence[str] = ()
) -> Run:
    """Launch the jobs of a declared group, or `only` some of them, and return the group's own run.

    `given` are parameters as KEY=VALUE, for every job of the group that declares them.
    """
    from bgrun.jobfile import expand

    plan = _within(expand.expand_group(load(project), name, os.environ, only, given), bounds)
    return _read(project, _launch(project, plan, name, f"bgrun group {name}", always=True).own)


def _within(plan: RenderedPlan, bounds: Bounds | None) -> RenderedPlan:
    """Return a plan with the bounds that a start asks for, where it does."""
    asked = bounds or Bounds()
    most, fast = asked.max_parallel or plan.max_parallel, asked.fail_fast or plan.fail_fast
    return plan._replace(max_parallel=most, fail_fast=fast)


def rerun(project: Project, ref: str, *, failed: bool = False) -> Run:
    """Launch what a run was made of once more, from its own job script, and return the new run.

    `failed` launches of a group's run only what did not succeed, in its order; what was ruled out by
    its own condition stays out.

    Raises:
        UsageError: it was no group's run, it still goes on, or all of it succeeded.
    """
    run_id = _resolve(project, ref)
    old = _facts(project, run_id)
    if not record.is_group(old):
        if failed:
            raise UsageError(f"{run_id} is not the run of a group", f"bgrun rerun {run_id}")
        return _launch_node(project, _again(project, run_id))
    again = _unsuccessful(project, _read(project, run_id)) if failed else old["members"].split()
    place = {member: index for index, member in enumerate(again)}
    nodes = [_again(project, one)._replace(needs=_needs_again(project, one, place)) for one in again]
    plan = prepare.with_bounds_of(old, RenderedPlan(tuple(nodes), tuple(place.values())))
    return _read(project, _launch(project, plan, old.get("label", ""), old.get("cmd", ""), always=True).own)


def _again(project: Project, run_id: str) -> Node:
    """Return the job of a run to be launched once more; one that was not to run still is not."""
    known = _facts(project, run_id)
    why = known.get("reason", "it was not to run") if record.is_waived(known) else ""
    return Node(_job_again(project, run_id), (), why)


def _needs_again(project: Project, run_id: str, place: Mapping[str, int]) -> tuple[int, ...]:
    """Return which of the runs that are launched again this one needs; the others succeeded before."""
    needs = _facts(project, run_id).get("needs", "").split()
    return tuple(place[one] for one in needs if one in place)


def _unsuccessful(project: Project, run: Run) -> list[str]:
    if run.live:
        raise UsageError(f"{run.run_id} still goes on", f"bgrun wait {run.run_id}")
    states = {member.run_id: member.state for member in members(project, run)}
    again = [one for one in run.members if states.get(one) != "succeeded" and not _is_waived(project, one)]
    if not again:
        raise UsageError(f"all of {run.run_id} succeeded", f"to run all of it again: bgrun rerun {run.run_id}")
    return again


def _is_waived(project: Project, run_id: str) -> bool:
    return record.is_waived(_facts(project, run_id))


def _job_again(project: Project, run_id: str) -> RenderedJob:
    script = files.read(RunFiles(str(project.log_dir), run_id).script, _MOST_SCRIPT)
    if script is None:
        raise UsageError(f"the job script of {run_id} is gone", "start the job anew")
    known = _facts(project, run_id)
    job = facts.job_of(known, script.decode("utf-8", "surrogateescape"))
    if job.working_dir and not Path(job.working_dir).is_dir():
        raise UsageError(f"the folder that {run_id} ran in is gone: {job.working_dir}")
    return job._replace(secrets=_secrets_again(project, job, masks.names(known.get("secrets", ""))))


def _secrets_again(project: Project, job: RenderedJob, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the secrets of a run as they are now: they were kept nowhere."""
    if not names:
        return ()
    given = [f"{key}={value}" for key, value in job.params]
    declared = dict(render(project, job.job, given).secrets) if job.job else {}
    values = {**os.environ, **declared}
    missing = [name for name in names if name not in values]
    if missing:
        raise UsageError(f"the secret {missing[0]} is not set", "set it in the environment and try again")
    return tuple((name, values[name]) for name in names)


def _facts(project: Project, run_id: str) -> dict[str, str]:
    found = record.read_meta(RunFiles(str(project.log_dir), run_id))
    if found is None:
        raise UnknownNameError("run", run_id, record.scan(str(project.log_dir)))
    return found


def _launch_one(project: Project, job: RenderedJob) -> Run:
    return _launch_node(project, Node(job))


def _launch_node(project: Project, node: Node) -> Run:
    plan = RenderedPlan((_timed(project, node),), (0,))
    return _read(project, prepare.launch(str(project.log_dir), str(project.root), plan).runs[0])


def _launch(project: Project, plan: RenderedPlan, label: str, cmd: str, *, always: bool = False) -> prepare.Launched:
    """Launch a plan; `always` gives it a run of its own even if it is of a single job."""
    from bgrun.jobfile.render import render_group_script

    def script(run_ids: Sequence[str]) -> str:
        wanted = [run_id for run_id, node in zip(run_ids, plan.nodes, strict=True) if not node.skip]
        ordered = not wanted or any(node.needs for node in plan.nodes)
        return render_group_script(label, wanted, plan.max_parallel, ordered=ordered)

    plan = plan._replace(nodes=tuple(_timed(project, node) for node in plan.nodes))
    title = prepare.Title(label, cmd, label, script) if always or len(plan.nodes) > 1 else None
    return prepare.launch(str(project.log_dir), str(project.root), plan, title)


def _timed(project: Project, node: Node) -> Node:
    """Turn a timeout that is a share of what runs usually take into seconds; without past runs there is none."""
    job = node.job
    usual = history.usual_s(str(project.log_dir), job.label) if job.timeout_share else None
    if usual is None or job.timeout_share is None:
        return node
    timeout_s = max(job.timeout_share * usual, SHORTEST_TIMEOUT_S)
    return node._replace(job=job._replace(limits=job.limits._replace(timeout_s=timeout_s)))


def warnings(project: Project) -> list[str]:
    """Return what may keep runs that are started here from being recorded, in words for a person."""
    return [*surroundings.low_disk(str(project.log_dir)), *surroundings.doomed_sandbox()]


# --- looking ----------------------------------------------------------------------------------


def status(project: Project, refs: Sequence[str] = ()) -> list[Run]:
    """Return the runs that are named; with no name every live run and the newest run of each label."""
    if refs:
        return [_read(project, _resolve(project, ref)) for ref in refs]
    run_ids = record.scan(str(project.log_dir))
    newest = {str(find.newest_of(run_ids, label)) for label in find.labels(run_ids)}
    locked = (run_id for run_id in find.newest_first(run_ids) if run_id in newest or _may_live(project, run_id))
    runs = [run for run_id in locked if (run := record.read_run(str(project.log_dir), run_id))]
    return [run for run in runs if run.live or run.run_id in newest]


def _may_live(project: Project, run_id: str) -> bool:
    """A run whose exit code is there is over, without another look."""
    return not os.path.lexists(RunFiles(str(project.log_dir), run_id).exit)


def members(project: Project, group_run: Run) -> list[Run]:
    """Return the runs of a group's run, in their order; none for any other run."""
    runs = (record.read_run(str(project.log_dir), run_id) for run_id in group_run.members)
    return [run for run in runs if run]


def list_runs(
    project: Project, label: str | None = None, limit: int | None = None, wanted: select.Filter | None = None
) -> list[Run]:
    """Return the runs of a label, or all, the newest first; with a filter only those that it takes."""
    log_dir, takes = str(project.log_dir), (wanted or select.Filter()).takes
    run_ids = find.newest_first(record.scan(log_dir), label)
    # Read one by one, and no further than needed: of many runs the newest few are wanted.
    found = (run for run_id in run_ids if (run := record.read_run(log_dir, run_id)) and takes(run))
    runs = list(itertools.islice(found, limit))
    # Names tell the second; of two labels in one second the meta tells which came first.
    return sorted(runs, key=lambda run: (find.stamp_of(run.run_id), run.started_at or "~"), reverse=True)


def moment(text: str | None) -> float | None:
    """Return the time, in seconds since the epoch, that a duration before now or a time names; None for None.

    Raises:
        UsageError: it is neither.
    """
    from bgrun.jobfile.units import duration

    if text is None:
        return None
    at = clock.epoch(text) if "-" in text else None
    try:
        return time.time() - duration(text) if at is None else at
    except UsageError as error:
        hint = "a duration such as 2h or 7d, or a time such as 2026-11-24 or 2026-11-24T18:30"
        raise UsageError(f"{text!r} is neither a duration nor a time", hint) from error


def stats(project: Project, label: str | None = None, since: str | None = None) -> list[history.Stats]:
    """Return a label, or each of them, in numbers; `since` is a duration or a time.

    Raises:
        UsageError: there is no such label, or `since` is neither.
    """
    wanted = select.Filter(since=moment(since))
    run_ids = record.scan(str(project.log_dir))
    names = [parsed.label for one in [_resolve(project, label)] if (parsed := parse_run_id(one))] if label else []
    every = names or sorted(find.labels(run_ids))
    return [history.summarize(name, list_runs(project, name, None, wanted)) for name in every]


def usual_s(project: Project, label: str) -> float | None:
    """Return what a label's runs that succeeded usually take: their median, in seconds."""
    return history.usual_s(str(project.log_dir), label)


def outlook_on(project: Project, run: Run) -> Outlook:
    """Return what can be said of the rest of a run; nothing of one that does not run."""
    return outlook_with(project, run, usual_s(project, run.label)) if run.state == "running" else Outlook()


def outlook_with(project: Project, run: Run, median_s: float | None) -> Outlook:
    """Return what can be said of a running run whose label usually takes `median_s`."""
    at = RunFiles(str(project.log_dir), run.run_id)
    seen = outlook.progress_of(at.log, facts.job_of(record.read_meta(at) or {}, ""))
    last = b"".join(read_log(project, run, 1))
    return Outlook(seen, median_s, outlook.left_s(run, seen, median_s), logs.clean(logs.decode(last)))


def digest(project: Project, run: Run, most: int = digests.MOST_PROBLEMS) -> digests.Digest:
    """Return the digest of a run, of a group's run with those of its runs that did not succeed."""
    if not run.members:
        return _digest(project, run, most)
    bad = [one for one in members(project, run) if not one.live and one.state not in ("succeeded", "skipped")]
    return digests.of_group(run, [_digest(project, one, most) for one in bad], most)


def _digest(project: Project, run: Run, most: int) -> digests.Digest:
    at = RunFiles(str(project.log_dir), run.run_id)
    known = record.read_meta(at) or {}
    return digests.of_run(at, run, facts.job_of(known, ""), known.get("secrets", ""), most)


def latest(project: Project, ref: str) -> Run:
    """Return the newest run of a label."""
    return _read(project, _resolve(project, ref))


def _resolve(project: Project, ref: str) -> str:
    run_id = find.resolve(str(project.log_dir), ref)
    if run_id is None:
        run_ids = record.scan(str(project.log_dir))
        raise UnknownNameError("run or label", ref, [*find.labels(run_ids), *run_ids], _never_ran(project, ref))
    return run_id


def _never_ran(project: Project, ref: str) -> str:
    """Tell a declared job that has not run yet from a name that nobody knows."""
    try:
        job_file = load(project)
    except (NoJobFileError, JobFileError):
        return "`bgrun list` shows what ran here"
    if ref in job_file.jobs:
        return f"the job {ref} has not run here yet: bgrun start {ref}"
    if ref in job_file.groups:
        return f"the group {ref} has not run here yet: bgrun group {ref}"
    return "`bgrun list` shows what ran here, `bgrun jobs` what can run"


def _read(project: Project, run_id: str) -> Run:
    run = record.read_run(str(project.log_dir), run_id)
    if run is None:
        raise UnknownNameError("run", run_id, (), "it was removed meanwhile")
    return run


# --- waiting and following --------------------------------------------------------------------


def wait_for(project: Project, refs: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the named runs once all have ended, or as they are when the bound comes first."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    run_ids = [_resolve(project, ref) for ref in refs]
    ended: list[Run] = []
    for run_id in run_ids:
        left = None if until is None else max(0.0, until - time.monotonic())
        run = wait.wait_run(str(project.log_dir), run_id, left)
        ended.append(run or _read(project, run_id))
    return ended


def follow(project: Project, run: Run, lines: int | None = None) -> Iterator[Chunk]:
    """Give the log of a run, and of a group's runs, as it grows, until the run has ended.

    Args:
        project: where.
        run: what to follow.
        lines: begin with this many last lines; None begins at the start.
    """
    log_dir = str(project.log_dir)
    sources = [_Source(RunFiles(log_dir, run_id), lines) for run_id in (run.members or (run.run_id,))]
    over = False
    while not over:
        # Whether it is over is asked before the last reading, so that nothing is missed.
        over = not _goes_on(log_dir, run.run_id)
        chunks = [chunk for source in sources for chunk in source.grown()]
        yield from chunks
        if not chunks and not over:
            time.sleep(FOLLOW_LOOK_S)
    yield from (source.last() for source in sources)


class _Source:
    """A log that is being followed, and how far."""

    def __init__(self, at: RunFiles, lines: int | None) -> None:
        facts_now = record.read_meta(at) or {}
        self.at = at
        self.label = facts_now.get("label", at.run_id)
        self.offset = 0 if lines is None else logs.tail_offset(at.log, lines)
        self.stream = masks.Stream(masks.parse(facts_now.get("secrets", "")))

    def grown(self) -> Iterator[Chunk]:
        for piece in logs.read_from(self.at.log, self.offset):
            self.offset = piece.end
            yield self._chunk(self.stream.feed(piece.data))

    def last(self) -> Chunk:
        return self._chunk(self.stream.end())

    def _chunk(self, data: bytes) -> Chunk:
        return Chunk(self.at.run_id, self.label, data)


def read_log(project: Project, run: Run, lines: int | None = None) -> Iterator[bytes]:
    """Give the log of a run as it is now, its secrets masked; `lines` begins with that many last lines."""
    at = RunFiles(str(project.log_dir), run.run_id)
    stream = masks.Stream(masks.parse((record.read_meta(at) or {}).get("secrets", "")))
    for data, _ in logs.read_from(at.log, 0 if lines is None else logs.tail_offset(at.log, lines)):
        yield stream.feed(data)
    yield stream.end()


def read_page(project: Project, run: Run, cursor: str | None, wanted: reading.Wanted) -> reading.Page:
    """Return lines of the log of a run, all that are wanted or those behind a cursor.

    Raises:
        UsageError: the cursor is none, or one of another run.
    """
    at = RunFiles(str(project.log_dir), run.run_id)
    known = masks.parse((record.read_meta(at) or {}).get("secrets", ""))
    start = reading.unpack(cursor, run.run_id).offset if cursor else 0
    if not cursor and wanted.pattern is None and wanted.tail is not None:
        start = logs.tail_offset(at.log, wanted.tail)
    # A line that is still being written is left for the next page.
    final = not cursor or not run.live
    return reading.page(reading.lines_from(at.log, start, known, final=final), start, wanted)


def _goes_on(log_dir: str, run_id: str) -> bool:
    if lock.is_held(RunFiles(log_dir, run_id).pid):
        return True
    run = record.read_run(log_dir, run_id)
    return run is not None and run.live


# --- ending and clearing ----------------------------------------------------------------------


def stop_runs(project: Project, refs: Iterable[str]) -> list[Run]:
    """End the named runs with all their processes and return them as they are then."""
    run_ids = [_resolve(project, ref) for ref in refs]
    ended = (stop.stop_run(str(project.log_dir), run_id) for run_id in run_ids)
    return [run for run in ended if run]


def prune(project: Project, *, dry_run: bool = False) -> list[retention.Expired]:
    """Remove every run that its retention lets go, and return them; `dry_run` removes nothing."""
    log_dir = str(project.log_dir)
    run_ids = record.scan(log_dir)
    gone: list[retention.Expired] = []
    for label in sorted(find.labels(run_ids)):
        runs = retention.runs_of(log_dir, run_ids, label)
        policy = _policy(project, runs)
        due = retention.expired(runs, policy, time.time())
        gone += [one for one in due if dry_run or retention.remove_run(log_dir, one.run_id)]
    if run_ids and not dry_run:
        retention.sweep(log_dir)
    return gone


def _policy(project: Project, runs: Sequence[Run]) -> Retention:
    """The newest run of a label carries the retention that was declared when it started."""
    known: Mapping[str, str] = _facts(project, runs[0].run_id) if runs else {}
    return facts.job_of(known, "").retention


def all_succeeded(runs: Iterable[Run]) -> bool:
    """Return whether each of the runs succeeded."""
    states: set[State] = {run.state for run in runs}
    return states <= {"succeeded"}
