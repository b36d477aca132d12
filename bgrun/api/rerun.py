"""Rerun recorded job scripts."""

from __future__ import annotations

import os

from bgrun import engine
from bgrun.api import plan_cache, start
from bgrun.api.jobs import render
from bgrun.api.references import resolve, whole, whole_again
from bgrun.api.runs import facts_of, members, read
from bgrun.errors import UsageError
from bgrun.plan import Node, RenderedPlan
from bgrun.store import facts, record, state
from bgrun.system import reading
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import Kept, RenderedJob

_MOST_SCRIPT = 64 << 20
_KEPT: Mapping[str, Kept] = {"jobs": "jobs", "stop": "stop"}


def submit_again(project: Project, ref: str) -> Run:
    """Submit a run once more that a cluster has forgotten before it began, as the same run, and return it.

    Raises:
        UsageError: it has begun, or it is no run on a cluster.
        LaunchError: the cluster refused it.
    """
    run_id = resolve(project, ref)
    project.store.make()
    _refuse_planted(project.store.run(run_id).script, project.store.run(run_id).meta)
    engine.of(facts_of(project, run_id)).submit_again(project.store, run_id)
    return read(project, run_id)


def rerun(project: Project, ref: str, *, failed: bool = False) -> Run:
    """Launch the recorded job script of a run again and return the new run.

    A label means its newest run of the whole job or group; with `failed` its newest run.

    failed: of a group run, launch only the jobs that did not succeed, in order. Jobs whose own condition was false
        stay skipped. Of a job with `rerun:`, launch only the tests that failed: see `failed_tests`.

    Raises:
        UsageError: `failed` and it is neither, is active, or succeeded; or it was skipped because a dependency did
            not succeed; or only a part of a label was run.
    """
    run_id = resolve(project, ref) if failed else whole(project, ref).run.run_id
    project.store.make()  # never run a script that another user could have written
    old = facts_of(project, run_id)
    owner = engine.of(old)
    if record.is_foreign(old) and not failed:
        return start.launch_node(project, Node(_from_command(project, run_id, old)), owner)
    if not record.is_group(old):
        if failed:
            from bgrun.api import failed_tests

            return start.launch_node(project, Node(failed_tests.job_of(project, run_id, old)), owner)
        _refuse_skipped(read(project, run_id), old)
        if services := _services_of(project, [run_id]):
            nodes = _nodes(project, [*services, run_id])
            plan = RenderedPlan(nodes, (len(services),), title=f"plan_{old.get('label', '')}")
            title = start.title_of(project, plan)
            return read(project, start.launch(project, plan, title, f"bgrun rerun {ref}", owner=owner).runs[-1])
        return start.launch_node(project, _again(project, run_id), owner)
    again = _unsuccessful(project, read(project, run_id)) if failed else old["members"].split()
    needed = {*again, *_services_of(project, again)}
    again = [one for one in old["members"].split() if one in needed]
    place = {member: index for index, member in enumerate(again)}
    nodes = _nodes(project, again)
    plan = facts.with_bounds_of(old, RenderedPlan(nodes, tuple(place.values())))
    if old.get("only_jobs") or _leaves_out(project, old, place):
        plan = plan._replace(only=tuple(node.job.label for node in nodes))
    label, cmd = old.get("label", ""), old.get("cmd", "")
    return read(project, start.launch(project, plan, label, cmd, always=True, owner=owner).own)


def _from_command(project: Project, run_id: str, old: Mapping[str, str]) -> RenderedJob:
    """Return the command of a run recorded by the older script, as a job: its own script would overwrite its `.exit`.

    `cmd=` is quoted for bash (printf %q); the older script ran it as a line under `set -euo pipefail`.
    """
    from bgrun.render import command

    _refuse_planted(project.store.run(run_id).meta)
    cmd, directory = old.get("cmd", ""), old.get("repo_dir", "")
    if not cmd.strip():
        raise UsageError(f"the command of {run_id} is not recorded", "run it again with 'bgrun run LABEL -- COMMAND'")
    import shlex  # only for an error

    again = f"run it in the right one: bgrun run {old['label']} -C DIR -- {shlex.quote(cmd.strip())}"
    if not directory:
        raise UsageError(f"the working directory of {run_id} is not recorded (`repo_dir=` in its meta)", again)
    if not os.path.isdir(directory):
        raise UsageError(f"the working directory of {run_id} does not exist: {directory}", again)
    template = plan_cache.load_plan(project, plan_cache.of_command(directory, requested=True)).plan.nodes[0].job
    venv = _venv_of(old)
    words = ("bash", "-euo", "pipefail", "-c", f"{_activation(venv)}{cmd}" if venv != template.venv else cmd)
    return command.fill(template, old["label"], command.AdHoc(words))._replace(cmd=cmd, venv=venv or template.venv)


def _venv_of(old: Mapping[str, str]) -> str:
    """Return the virtual environment of a run recorded by the older script, or '' if it no longer exists."""
    named = old.get("venv") or old.get("venv_activate") or ""
    directory = os.path.dirname(os.path.dirname(named)) if os.path.isfile(named) else named
    return directory if os.path.isfile(f"{directory}/bin/activate") else ""


def _activation(venv: str) -> str:
    """Return shell lines that activate a virtual environment as a job script does."""
    if not venv:
        return ""
    from bgrun.render import command

    return f'export VIRTUAL_ENV={command.join([venv])}\nexport PATH="$VIRTUAL_ENV/bin:$PATH"\nunset PYTHONHOME\n'


def _refuse_skipped(run: Run, known: Mapping[str, str]) -> None:
    """Refuse to rerun a run that was skipped because a dependency did not succeed."""
    if run.state == "skipped" and known.get("needs") and not state.is_waived(known):
        hint = f"rerun both with 'bgrun rerun {run.group_run} --failed'"
        raise UsageError(f"cannot rerun {run.run_id}: it was skipped ({run.reason})", hint)


def _nodes(project: Project, again: Sequence[str]) -> tuple[Node, ...]:
    """Return the jobs of runs that are to be launched again, each with those of its dependencies that are, too."""
    place = {run_id: index for index, run_id in enumerate(again)}
    return tuple(_with_needs(project, one, place) for one in again)


def _again(project: Project, run_id: str) -> Node:
    """Return the job of a run, to be launched again. A job whose condition was false stays skipped."""
    known = facts_of(project, run_id)
    is_ruled_out = state.is_waived(known) and known.get("service") != "true"
    why = known.get("reason", "it was not to run") if is_ruled_out else ""
    uses = tuple(known.get("uses", "").split())
    return Node(_job_again(project, run_id), (), why, kept=_KEPT.get(known.get("kept", ""), ""), uses=uses)


def _with_needs(project: Project, run_id: str, place: Mapping[str, int]) -> Node:
    """Return a run to be launched again, after those that are, too; its other dependencies succeeded before."""
    known = facts_of(project, run_id)
    kept = [(place[one], condition) for one, condition in facts.conditions_of(known).items() if one in place]
    is_plain = all(condition == "succeeded" for _, condition in kept)
    return _again(project, run_id)._replace(
        needs=tuple(one for one, _ in kept), conditions=() if is_plain else tuple(condition for _, condition in kept)
    )


def _services_of(project: Project, again: Sequence[str]) -> list[str]:
    """Return the services that runs need, directly or through a service, each after those that it needs itself."""
    found: dict[str, None] = {}
    for run_id in again:
        for one in facts_of(project, run_id).get("needs", "").split():
            if one not in found and (project.store.facts(one) or {}).get("service") == "true":  # or it was deleted
                found |= dict.fromkeys([*_services_of(project, [one]), one])
    return [one for one in found if one not in again]


def _leaves_out(project: Project, old: Mapping[str, str], again: Collection[str]) -> bool:
    """Return whether a job of a group run, other than one whose condition was false, is not run again."""
    return any(one not in again and not _is_waived(project, one) for one in old["members"].split())


def _unsuccessful(project: Project, run: Run) -> list[str]:
    if run.live:
        raise UsageError(f"{run.run_id} is still {run.state}", f"wait for it with 'bgrun wait {run.run_id}'")
    states = {member.run_id: member.state for member in members(project, run)}
    # Of a group that is over only services still run, whose supervisor was killed: jobs that need one bring it along.
    over = [one for one in run.members if states.get(one) not in ("succeeded", "running")]
    again = [one for one in over if not _is_waived(project, one)]
    if not again:
        part = f", which ran only {names(run.only_jobs)}" if run.only_jobs else ""
        hint = f"rerun them all with '{whole_again(project, run)}'"
        raise UsageError(f"every job of {run.run_id} succeeded{part}", hint)
    return again


def _is_waived(project: Project, run_id: str) -> bool:
    return state.is_waived(facts_of(project, run_id))


def _job_again(project: Project, run_id: str) -> RenderedJob:
    at = project.store.run(run_id)
    script = reading.read(at.script, _MOST_SCRIPT)
    _refuse_planted(at.script, at.meta)
    if script is None:
        raise UsageError(f"the job script of {run_id} no longer exists", "start the job again")
    text = script.decode("utf-8", "surrogateescape")
    if not facts.is_whole(text):
        raise UsageError(f"the job script of {run_id} is damaged: {at.script}", "start the job again")
    known = facts_of(project, run_id)
    job = facts.job_of(known, text)
    if job.working_dir and not os.path.isdir(job.working_dir):
        hint = "create it, or start the job again"
        raise UsageError(f"the working directory of {run_id} does not exist: {job.working_dir}", hint)
    return job._replace(secrets=_secrets_again(project, job, known.get("secrets", "")))


def _refuse_planted(*paths: str) -> None:
    """Refuse files that another user has made: a job script is run, and so are the hooks in a meta."""
    for path in paths:
        if not reading.is_trusted(path):
            raise UsageError(f"{path} belongs to another user", "start the job again")


def _secrets_again(project: Project, job: RenderedJob, marks: str) -> tuple[tuple[str, str], ...]:
    """Return the current values of the secrets of a run with these marks. Old values are never stored."""
    if not marks:
        return ()
    from bgrun.store import masking

    needed = masking.names(marks)
    given = [f"{key}={value}" for key, value in job.params]
    declared = dict(render(project, job.job, given).secrets) if job.job else {}
    values = {**os.environ, **declared}
    missing = [name for name in needed if name not in values]
    if missing:
        raise UsageError(f"secret {missing[0]} is not set", "set it in the environment")
    from bgrun.render import command

    again = {name: values[name] for name in needed}
    command.keep_out(again, job.script)
    return tuple(again.items())
