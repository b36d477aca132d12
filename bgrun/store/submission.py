"""Claim the run IDs of a plan and prepare the first facts of its runs, for whichever engine carries it out.

Until the engine has started a run, nothing of it exists but its job script. If the submission fails before that, the
scripts are removed again.
"""

from __future__ import annotations

import os

from bgrun.engine import LOCAL
from bgrun.errors import LaunchPendingError
from bgrun.light import NamedTuple, contextmanager
from bgrun.plan import GroupPlan, RenderedJob, Retention, RunPlan
from bgrun.store import claim, facts
from bgrun.store.facts import Membership, Origin
from bgrun.system import boot, files, git
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.model import RunId
    from bgrun.plan import Node, RenderedPlan, Title
    from bgrun.store.store import Store


class ClaimedPlan(NamedTuple):
    """A plan whose run IDs are claimed.

    runs: in the order of the plan. group: the plan's own run, None for a plan of one job.
    """

    runs: tuple[RunPlan, ...]
    group: GroupPlan | None = None


@contextmanager
def claimed(
    store: Store, root: str, plan: RenderedPlan, title: Title | None = None, engine: str = LOCAL
) -> Iterator[ClaimedPlan]:
    """Claim a plan for a block that starts it; remove its job scripts if the block fails.

    They stay where a run was started after all: if its meta exists, or the engine raised LaunchPendingError.

    Args:
        store: the log directory, which is created if it does not exist.
        root: the directory of the project.
        plan: the jobs.
        title: describes the group run; None for a plan of one job.
        engine: the name of the engine, by which the metas lead to it.

    Raises:
        StorageError: the log directory cannot be used.
        UsageError: the record of a run would be too large.
    """
    store.make()
    run_ids: list[str] = []
    try:
        yield _claim(store, _origin(root, engine), plan, title, run_ids)
    except LaunchPendingError:
        raise
    except BaseException:
        _clear(store, run_ids)
        raise


def _claim(store: Store, origin: Origin, plan: RenderedPlan, title: Title | None, run_ids: list[str]) -> ClaimedPlan:
    """Claim the run IDs of a plan; each is added to `run_ids` as it is claimed."""
    scripts = [(node.job.label, node.job.script.encode("utf-8", "surrogateescape")) for node in plan.nodes]
    if title:
        scripts.insert(0, (title.label, b""))
    ids = []
    for run_id in claim.claim_all(store, scripts):
        run_ids.append(str(run_id))
        ids.append(run_id)
    own = ids.pop(0) if title else None
    group = _group(own, title, plan, origin) if title and own else None
    membership = Membership(title.group, str(own)) if title else None
    names = [str(run_id) for run_id in ids]
    runs = tuple(
        _run(run_id, node, facts.of_run(run_id, node.job, origin, membership), names)
        for run_id, node in zip(ids, plan.nodes, strict=True)
    )
    for service in (one for one in runs if one.job.service):
        if needed_by := [run.run_id for run in runs if service.run_id in run.needs]:
            service.facts["needed_by"] = " ".join(needed_by)
    if title and group:
        _write_script(store, group.run_id, title.script(names))
        facts.check_size({**group.facts, "members": " ".join(names)})
    return ClaimedPlan(runs, group)


def _run(run_id: RunId, node: Node, known: dict[str, str], names: Sequence[str]) -> RunPlan:
    needs = tuple(names[place] for place in node.needs)
    if needs:
        known["needs"] = " ".join(needs)
    if node.conditions:
        known["conditions"] = " ".join(node.conditions)
    if node.kept:
        known["kept"] = node.kept
    if node.uses:
        known["uses"] = " ".join(node.uses)
    facts.check_size(known)
    return RunPlan(str(run_id), node.job, known, needs, node.skip, node.conditions, node.kept, node.uses)


def _group(own: RunId, title: Title, plan: RenderedPlan, origin: Origin) -> GroupPlan:
    kept = plan.nodes[0].job.retention if plan.nodes else Retention()
    job = RenderedJob(title.label, "", title.cmd, "", origin.repo_dir, retention=kept)
    job = job._replace(join_key=title.join_key, work_key=title.work_key)
    known = facts.of_run(own, job, origin) | {"group": title.group} | facts.of_bounds(plan)
    return GroupPlan(str(own), title.label, known, plan.max_parallel, plan.fail_fast, kept)


def _write_script(store: Store, run_id: str, text: str) -> None:
    at = store.run(run_id)
    with files.storage(at.script, "write"), Change(at.log_dir, at.run_id):
        data = text.encode("utf-8", "surrogateescape")
        files.replace(at.script, at.hidden("script"), data, files.SCRIPT_MODE)


def _clear(store: Store, run_ids: Sequence[str]) -> None:
    """Remove what never ran; where a run was started after all, leave every record alone."""
    if not any(store.facts(run_id) for run_id in run_ids):
        claim.give_up(store, run_ids)


def _origin(root: str, engine: str) -> Origin:
    return Origin(root, git.facts(root), os.uname().nodename, _user(), boot.boot_id(), engine)


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
