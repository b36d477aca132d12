"""The answers of the tools as a handful of lines: the result first, then what failed. Agents pay by the word.

Some clients show a model the text of an answer and others its structured form, so there is only the text.
"""

from __future__ import annotations

from bgrun import api
from bgrun.api.digest_lines import compared, marks, output_line, problem_line
from bgrun.wording import count, names, short, span, tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bgrun.api import Project
    from bgrun.api.insight import Digest
    from bgrun.api.jobs import GroupSpec, JobSpec, Param
    from bgrun.api.logs import LogPage
    from bgrun.api.references import Newest
    from bgrun.model import Run

MOST_MEMBERS = 20
"""How many jobs of an active group run are listed."""


def result(project: Project, run: Run, until: float | None = None) -> Iterator[str]:
    """Yield the result of a run and what failed, as much as is known `until` a time; of an active one how far it is."""
    if run.live:
        yield from _progress(project, run)
        return
    digest = api.insight.digest(project, run, until=until)
    yield _result_line(run, digest)
    yield from _details(digest)


def headline(run: Run) -> str:
    """Return a run and its state as a line."""
    code = "" if run.exit_code in (None, 0) else f" exit={run.exit_code}"
    signal = f" ({run.signal})" if run.signal else ""
    preposition = "for" if run.live else "in"
    took = f" {preposition} {span(run.duration_s)}" if run.duration_s is not None else ""
    why = f": {run.reason}" if run.reason else ""
    jobs = f"; only {names(run.only_jobs)} of {run.label}" if run.only_jobs else ""
    part = f"; only what failed in {run.only_failed_of}" if run.only_failed_of else jobs
    left = f"; left {count(len(run.left_running), 'process')} running: bgrun_stop" if run.left_running else ""
    ready = f", ready{f' at {run.url}' if run.url else ''}" if run.is_ready else ""
    ready = ", never ready" if run.is_never_ready else ready
    needed = f"; needed by {names(run.needed_by)}" if run.live and run.needed_by else ""
    return f"{run.state} {run.run_id}{code}{signal}{took}{ready}{why}{part}{left}{needed}"


def _result_line(run: Run, digest: Digest) -> str:
    counts = "; ".join(filter(None, (tally(digest.counts or {}), compared(digest))))
    return f"{headline(run)}{f': {counts}' if counts else ''}"


def _details(digest: Digest) -> Iterator[str]:
    yield from digest.services
    if not digest.run.succeeded:  # the warnings of a success are counted in its result, and that is enough
        yield from _problems(digest)
    yield from map(output_line, digest.outputs)
    yield from (f"  {line}" for line in (*(digest.head if digest.needs_lines else ()), *digest.last_lines))
    if digest.note:
        yield f"({digest.note})"
    for part in digest.parts:
        yield _result_line(part.run, part)
        yield from _details(part)


def _problems(digest: Digest) -> Iterator[str]:
    yield from (marks(digest, place) + problem_line(one) for place, one in enumerate(digest.problems))
    if digest.more:
        yield f"… {count(digest.more, 'more problem')}"
    if digest.unrecognized:
        yield f"… {digest.unrecognized} more not recognized"


def _progress(project: Project, run: Run) -> Iterator[str]:
    usual = api.insight.usual_of(project, [run]).get(run.run_id)
    known = api.insight.estimate_with(project, run, usual) if run.state == "running" else api.insight.Estimate()
    share = "" if known.progress is None else f", {known.progress.fraction:.0%}"
    left = "" if known.eta_s is None else f", about {span(known.eta_s)} left"
    yield f"{headline(run)}{share}{left}"
    if stall := api.insight.stalled(project, run):
        yield f"STALLED {stall}"
    elif known.last_line.strip():
        yield f"last line: {short(known.last_line)}"
    yield from (f"  {one.state} {one.run_id}" for one in api.runs.members(project, run)[:MOST_MEMBERS])


def progress_message(project: Project, run: Run) -> tuple[float | None, str]:
    """Return the estimated seconds left of an active run, or None, and a line on how far it is."""
    usual = api.insight.usual_of(project, [run]).get(run.run_id)
    known = api.insight.estimate_with(project, run, usual)
    spent = run.duration_s or 0.0
    share = known.progress.fraction if known.progress else None
    if share is None and known.eta_s is not None and spent + known.eta_s > 0:
        share = spent / (spent + known.eta_s)
    percent = "" if share is None else f"{share:.0%}"
    words = filter(None, (percent, short(known.last_line) or f"{run.label} is {run.state}"))
    return known.eta_s, " · ".join(words)


def listed(runs: Sequence[Run], none: str) -> Iterator[str]:
    """Yield runs, one a line, with the time of their start."""
    for run in runs:
        begun = api.runs.local_start(run)
        yield f"{headline(run)}{f', started {begun}' if begun else ''}"
    if not runs:
        yield none


def jobs(project: Project, found: Iterable[JobSpec], groups: Iterable[GroupSpec]) -> Iterator[str]:
    """Yield what can be started, with parameters and usual durations."""
    for job in found:
        usual = api.insight.usual_s(project, job.name)
        words = [job.name, *map(_param, job.params)]
        about = ", ".join(filter(None, (job.description, f"usually {span(usual)}" if usual is not None else "")))
        yield f"{' '.join(words)}{f': {about}' if about else ''}"
        yield from (f"  {line}" for line in map(_param_line, job.params) if line)
    for group in groups:
        about = f" ({group.description})" if group.description else ""
        yield f"group:{group.name}: {names(group.jobs, 10)}{about}"


def _param(param: Param) -> str:
    if param.choices:
        value = "|".join(map(str, param.choices))
    else:
        value = f"<{param.type}>" if param.required or param.default is None else str(param.default)
    return f"{param.name}={short(value, 40)}"


def _param_line(param: Param) -> str:
    kind = "" if param.type in ("string", "enum") else param.type
    default = f"default {param.default}" if param.choices and param.default is not None else ""
    pattern = f"matches {param.pattern}" if param.pattern else ""
    required = "required" if param.required else ""
    about = ", ".join(filter(None, (required, kind, default, pattern, param.description)))
    return f"{param.name}: {about}" if param.pattern or param.description or default or required else ""


def log(found: Newest, page: LogPage, *, more: bool) -> Iterator[str]:
    """Yield lines of a log, then its run and the cursor after them; `more`: wanted lines were left out after these."""
    yield from page.lines
    words = [
        f"{found.run.run_id} {found.run.state}",
        f"next: {page.cursor}",
        "more lines follow" if more else "",
        "the log was truncated; these lines are from its new start" if page.restarted else "",
        f"also running: {names(found.others)}" if found.others else "",
    ]
    yield f"[{'; '.join(filter(None, words))}]"
