"""From rendered jobs to a plan that a supervisor carries out: claim the ids, state the facts, hand over.

Until the supervisor has launched, nothing of a run is in view but its job script; whatever goes
wrong before that is cleared away.
"""

from __future__ import annotations

import os

from bgrun.engine import Submitted
from bgrun.errors import LaunchPendingError
from bgrun.local.launch import spawn as hand_over
from bgrun.local.launch.manifest import GroupPlan, Plan, RunPlan
from bgrun.model import RenderedJob, Retention
from bgrun.store import claim, facts
from bgrun.store.facts import Membership, Origin
from bgrun.system import files, git, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.engine import Title
    from bgrun.model import Node, RenderedPlan, RunId
    from bgrun.store.paths import RunPaths
    from bgrun.store.store import Store


def launch(store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
    """Launch a plan; one of a single job has no run of its own and needs no title.

    Raises:
        StorageError: the log folder cannot be used.
        UsageError: the record of a run would be too large.
        LaunchError: nothing runs; no trace of it is left.
    """
    store.make()
    claims: list[str] = []
    try:
        ready = _plan(store, _origin(root), plan, title, claims)
        known = hand_over.hand_over(ready)
    except LaunchPendingError:
        raise
    except BaseException:
        _clear(store, claims)
        raise
    return Submitted(tuple(run.run_id for run in ready.runs), ready.group.run_id if ready.group else "", known)


def _plan(store: Store, origin: Origin, plan: RenderedPlan, title: Title | None, claims: list[str]) -> Plan:
    wanted = [(node.job.label, node.job.script.encode("utf-8", "surrogateescape")) for node in plan.nodes]
    if title:
        wanted.insert(0, (title.label, b""))
    ids = []
    for run_id in claim.claim_all(store, wanted):
        claims.append(str(run_id))
        ids.append(run_id)
    own = ids.pop(0) if title else None
    membership = Membership(title.group, str(own)) if title else None
    names = [str(run_id) for run_id in ids]
    runs = tuple(
        _run(run_id, node, facts.of_run(run_id, node.job, origin, membership), names)
        for run_id, node in zip(ids, plan.nodes, strict=True)
    )
    group = None
    if title and own:
        _write_script(store.run(str(own)), title.script(names))
        group = _group(own, title, plan, origin)
        facts.check_size({**group.facts, "members": " ".join(names)})
    return Plan(store.log_dir, runs, group, hand_over.module_path())


def _run(run_id: RunId, node: Node, known: dict[str, str], names: Sequence[str]) -> RunPlan:
    job = node.job
    needs = tuple(names[place] for place in node.needs)
    if needs:
        known["needs"] = " ".join(needs)
    facts.check_size(known)
    return RunPlan(str(run_id), _for_supervisor(job), known, needs, node.skip)


def _for_supervisor(job: RenderedJob) -> RenderedJob:
    """Return a job without what the supervisor reads from other places, or never: it stays in memory for long."""
    return job._replace(script="", cmd="", params=(), progress=(), problems=(), only_failed="")


def _group(own: RunId, title: Title, plan: RenderedPlan, origin: Origin) -> GroupPlan:
    kept = plan.nodes[0].job.retention if plan.nodes else Retention()
    job = RenderedJob(title.label, "", title.cmd, "", origin.repo_dir, retention=kept)
    known = facts.of_run(own, job, origin) | {"group": title.group} | facts.of_bounds(plan)
    return GroupPlan(str(own), title.label, known, plan.max_parallel, plan.fail_fast, kept)


def _write_script(at: RunPaths, text: str) -> None:
    with files.storage(at.script, "write"):
        files.replace(at.script, at.hidden("script"), text.encode("utf-8", "surrogateescape"))
        files.make_executable(at.script)


def _clear(store: Store, claims: Sequence[str]) -> None:
    """Remove what never ran; where a job was launched after all, leave every record alone."""
    if not any(store.facts(run_id) for run_id in claims):
        claim.give_up(store, claims)


def _origin(root: str) -> Origin:
    return Origin(root, git.facts(root), os.uname().nodename, _user(), process.boot_id())


def _user() -> str:
    """Return the name of the user, as getpass.getuser() does, which loads `termios` too."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        if named := os.environ.get(name):
            return named
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
