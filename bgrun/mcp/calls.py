"""What the tools do, as plain functions that return the lines of their answers."""

from __future__ import annotations

from bgrun import api
from bgrun.errors import UnknownNameError, UsageError
from bgrun.light import NamedTuple
from bgrun.mcp import texts
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.api import Project
    from bgrun.mcp.tools import ServerOptions
    from bgrun.model import Run

MOST_RUNS = 20
_LOG_LINES, _LOG_BYTES = 100, 8 << 10
_GROUP, _ADHOC = "group:", "run:"


class Begun(NamedTuple):
    """The run that a call of `bgrun_start` led to, and lines about how."""

    run: Run
    lines: tuple[str, ...] = ()


class How(NamedTuple):
    """How `bgrun_start` is to start: only `failed` tests or jobs, again beside an identical run, `on` which engine."""

    only: str = ""
    again: bool = False
    on: str = ""


def start(
    project: Project,
    settings: ServerOptions,
    job: str,
    args: Sequence[str],
    how: How = How(),  # noqa: B008 - frozen
) -> Begun:
    """Start a job, a group or, if allowed, any command, or join an identical run.

    Raises:
        UsageError: the name or an argument is invalid.
    """
    warned = tuple(f"warning: {one}" for one in api.start.warnings(project))
    if job.startswith(_ADHOC):
        return Begun(_run(project, settings, job.removeprefix(_ADHOC), args, how.on), warned)
    if how.only:
        if how.on:
            raise UsageError("on cannot be combined with only", "a rerun is carried out by the engine of its run")
        return _rerun_failed(project, job.removeprefix(_GROUP), args, warned)
    name, is_group = _what(project, job)
    cut = args.index("--") if "--" in args else len(args)
    words, extra_args = args[:cut], args[cut + 1 :]
    if is_group:
        selected = api.start.only_jobs(extra_args, "select jobs with: -- only JOB")
        found = api.joining.start_group(project, name, selected, words, again=how.again, on=how.on)
    else:
        found = api.joining.start_job(project, [name, *words], extra_args, again=how.again, on=how.on)
    return Begun(found.run, (*warned, *_about(found, again=how.again)))


def _rerun_failed(project: Project, ref: str, args: Sequence[str], warned: tuple[str, ...]) -> Begun:
    """Rerun only what failed in the newest run of a job or a group, or in the run that `ref` names."""
    if args:
        raise UsageError("only cannot be combined with args", "a rerun has the parameters of its run")
    run = api.rerun.rerun(project, ref, failed=True)
    about = api.runs.facts_of(project, run.run_id).get("only_failed", "")
    return Begun(run, (*warned, *filter(None, [about])))


def _about(found: api.joining.Attached, *, again: bool) -> Iterable[str]:
    if found.joined:
        yield f"joined: it was already running{'' if found.run.service else ' with the same args on the same files'}"
    if found.others and not again:
        others = names(f"{one.run_id} ({one.state})" for one in found.others)
        yield f"not joined, since args or files may differ: {others}"


def _what(project: Project, job: str) -> tuple[str, bool]:
    """Return the name of a declared job or group, and whether it is a group. No two have the same name.

    Raises:
        UnknownNameError: it is neither; its names are what this tool takes.
    """
    known = api.jobs.load(project)
    name = job.removeprefix(_GROUP)
    if name in known.groups:
        return name, True
    if job in known.jobs:
        return job, False
    raise UnknownNameError("job or group", job, [*known.jobs, *(f"{_GROUP}{one}" for one in known.groups)])


def _run(project: Project, settings: ServerOptions, label: str, words: Sequence[str], on: str) -> Run:
    if not settings.allow_run:
        raise UsageError("this server runs declared jobs only", "list them with bgrun_list what=jobs")
    if not words:
        raise UsageError("missing command", 'args: ["make", "-j4"]')
    command = api.start.parse_command(words, project.root)
    return api.start.run_command(project, label, command, api.start.RunSettings(project.root, engine=on))


def meant(project: Project, runs: Iterable[str]) -> list[str]:
    """Return the run IDs that names of runs, jobs or groups mean."""
    refs = [run.removeprefix(_GROUP) for run in runs]
    return [run.run_id for run in api.references.meant(project, refs, without_stopping=True)]


def results(project: Project, runs: Sequence[Run], until: float | None, *, apart: bool) -> list[str]:
    """Return the results of runs; `apart` those that finished, then only the names of those that did not.

    until: when the summaries are due, as a time of `time.monotonic`.
    """
    shown = [run for run in runs if not run.live] if apart else []
    lines = [line for run in shown or runs for line in texts.result(project, run, until)]
    live = [run.run_id for run in runs if run.live]
    return [*lines, f"still running: {names(live, 10)}"] if shown and live else lines


def log(
    project: Project,
    run: str,
    *,
    match: str | None = None,
    problem: str | None = None,
    since: str | None = None,
    max_lines: int | None = None,
) -> list[str]:
    """Return lines of a log and the cursor after them, or those about one problem.

    Raises:
        UsageError: there is no such run or problem, or an argument is invalid.
    """
    found = api.references.newest(project, run.removeprefix(_GROUP))
    api.logs.require_log(found.run)
    most = max_lines or _LOG_LINES
    if problem:
        return _limited(api.insight.lines_about(project, found.run, problem), most)
    first = bool(since or match)  # else the last ones
    head, tail = (most, None) if first else (None, most)
    wanted = api.logs.LogRequest(match, head=head, tail=tail, most_bytes=_LOG_BYTES)
    page = api.logs.read_page(project, found.run, since, wanted)
    return list(texts.log(found, page, more=page.truncated and first))


def _limited(lines: Sequence[str], most: int) -> list[str]:
    """Return the last lines within the limits: a traceback ends with the error."""
    room, kept = _LOG_BYTES, 0
    for line in reversed(lines[-most:]):
        room -= len(line.encode("utf-8", "surrogateescape")) + 1
        if room < 0:
            break
        kept += 1
    left = len(lines) - kept
    return [*([f"… {left} lines before"] if left else []), *lines[len(lines) - kept :]]


def listed(project: Project, what: str, job: str | None) -> list[str]:
    """Return the declared jobs, the newest runs, or the active ones; of one job on request."""
    name = job.removeprefix(_GROUP) if job else None
    if what == "jobs":
        found = api.jobs.load(project)
        if name and name not in found.jobs and name not in found.groups:
            _what(project, job or "")
        declared = [one for one in found.jobs.values() if name in (None, one.name)]
        groups = [one for one in found.groups.values() if name in (None, one.name)]
        return list(texts.jobs(project, declared, groups)) or ["no jobs declared"]
    if what == "live":
        live = [run for run in api.runs.live(project) if name in (None, run.label, run.job)]
        return list(texts.listed(live, "no active runs"))
    label = api.references.newest(project, name).run.label if name else None
    return list(texts.listed(api.runs.list_runs(project, label, MOST_RUNS), "no runs yet"))


def stopped(project: Project, run: str) -> list[str]:
    """Stop the runs that `run` means and return their results."""
    return [texts.headline(one) for one in api.stop.stop_runs(project, [run.removeprefix(_GROUP)])]
