"""From rendered jobs to a plan that a supervisor carries out: claim the ids, state the facts, hand over.

Until the supervisor has launched, nothing of a run is in view but its job script; whatever goes
wrong before that is cleared away.
"""

from __future__ import annotations

import getpass
import os
import socket
from typing import NamedTuple

from bgrun.local import launch
from bgrun.local.plan import GroupPlan, Plan, RunPlan
from bgrun.model import RenderedJob, Retention
from bgrun.runs import claim, facts, files, git, process, record, state
from bgrun.runs.facts import Membership, Origin
from bgrun.runs.layout import RunFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Bounds(NamedTuple):
    """How a group runs: how many at once (None: no bound), and whether one failure ends the rest."""

    max_parallel: int | None = None
    fail_fast: bool = False


class Group(NamedTuple):
    """Jobs to run together. `script` gives the text of the group's own script from their run ids."""

    name: str
    jobs: tuple[RenderedJob, ...]
    bounds: Bounds
    script: Callable[[Sequence[str]], str]


def launch_one(log_dir: str, root: str, job: RenderedJob) -> str:
    """Launch a job and return its run id.

    Raises:
        StorageError: the log folder cannot be used.
        LaunchError: it does not run; no trace of it is left.
    """
    files.ensure_log_dir(log_dir)
    claims: list[str] = []
    try:
        run = _claim(log_dir, job, _origin(root), None, claims)
        launch.hand_over(Plan(log_dir, (run,), None, launch.module_path()))
    except BaseException:
        _clear(log_dir, claims)
        raise
    return run.run_id


def launch_group(log_dir: str, root: str, group: Group) -> str:
    """Launch the jobs of a group and return the run id of the group's own run.

    Raises:
        StorageError: the log folder cannot be used.
        LaunchError: nothing runs; no trace of it is left.
    """
    files.ensure_log_dir(log_dir)
    claims: list[str] = []
    try:
        plan = _plan_group(log_dir, _origin(root), group, claims)
        launch.hand_over(plan)
    except BaseException:
        _clear(log_dir, claims)
        raise
    return claims[0]


def _plan_group(log_dir: str, origin: Origin, group: Group, claims: list[str]) -> Plan:
    kept = group.jobs[0].retention if group.jobs else Retention()
    own = RenderedJob(group.name, "", f"bgrun group {group.name}", "", origin.repo_dir, retention=kept)
    run_id = claim.claim(log_dir, group.name, b"")
    claims.append(str(run_id))
    membership = Membership(group.name, str(run_id))
    runs = tuple(_claim(log_dir, job, origin, membership, claims) for job in group.jobs)
    _write_script(RunFiles(log_dir, str(run_id)), group.script([run.run_id for run in runs]))
    known = facts.of_run(run_id, own, origin) | {"group": group.name} | _of_bounds(group.bounds)
    bounds = group.bounds
    plan = GroupPlan(str(run_id), group.name, known, bounds.max_parallel, bounds.fail_fast, kept)
    return Plan(log_dir, runs, plan, launch.module_path())


def _write_script(at: RunFiles, text: str) -> None:
    with files.storage(at.script, "write"):
        files.replace(at.script, at.hidden("script"), text.encode("utf-8", "surrogateescape"))


def _claim(log_dir: str, job: RenderedJob, origin: Origin, group: Membership | None, claims: list[str]) -> RunPlan:
    run_id = claim.claim(log_dir, job.label, job.script.encode("utf-8", "surrogateescape"))
    claims.append(str(run_id))
    known = facts.of_run(run_id, job, origin, group)
    own = dict(job.secrets)
    return RunPlan(str(run_id), job.label, known, job.limits, job.inhibit_sleep, job.retention, own)


def _clear(log_dir: str, claims: Sequence[str]) -> None:
    """Remove what never ran; where a job was launched after all, leave every record alone."""
    if not any(record.read_meta(RunFiles(log_dir, run_id)) for run_id in claims):
        claim.give_up(log_dir, claims)


def _of_bounds(bounds: Bounds) -> dict[str, str]:
    most = {"max_parallel": str(bounds.max_parallel)} if bounds.max_parallel else {}
    return {**most, "fail_fast": "true"} if bounds.fail_fast else most


def bounds_of(known: dict[str, str]) -> Bounds:
    """Return the bounds that a group's run was started with, from its meta."""
    return Bounds(state.parse_int(known.get("max_parallel", "")) or None, known.get("fail_fast") == "true")


def _origin(root: str) -> Origin:
    return Origin(root, git.facts(root), socket.gethostname(), _user(), process.boot_id())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
