"""Format the summary of a run: text, and annotations for GitHub Actions."""

from __future__ import annotations

from bgrun import api
from bgrun.api.digest_lines import compared, marks, output_line, output_text, problem_line
from bgrun.cli import format
from bgrun.errors import BgrunError
from bgrun.wording import count, short, tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.api import Project
    from bgrun.model import Run


def lines_of_failure(project: Project, run: Run, until: float | None = None) -> Iterator[str]:
    """Return the summary of a run that did not succeed or is stalled, as lines; of one that succeeded its outputs.

    The verdict stands without it: bgrun itself may have been removed or replaced while somebody waited.
    """
    try:
        yield from _lines_of_failure(project, run, until)
    except BgrunError:
        raise
    except Exception as error:  # noqa: BLE001 - of a module of another version, say
        yield f"(no summary: {type(error).__name__}: {error}; `bgrun report {run.run_id}` may have one)"


def _lines_of_failure(project: Project, run: Run, until: float | None) -> Iterator[str]:
    if run.live:
        yield from (f"STALLED {why}" for why in (api.insight.stalled(project, run),) if why)
    elif not run.succeeded:
        yield from lines(api.insight.digest(project, run, until=until))
    elif "outputs" in api.runs.facts_of(project, run.run_id):
        yield from map(output_line, api.insight.outputs(project, run))


def lines(digest: api.insight.Digest) -> Iterator[str]:
    """Return a summary as lines, without the result. Short: agents pay by the word."""
    yield from digest.services
    if counts := "; ".join(filter(None, (tally(digest.counts or {}), compared(digest)))):
        yield counts
    if digest.stall:
        yield f"STALLED {digest.stall}"
    yield from (marks(digest, place) + problem_line(one) for place, one in enumerate(digest.problems))
    if digest.more:
        yield f"… and {count(digest.more, 'more problem')}"
    if digest.unrecognized:
        yield f"… {digest.unrecognized} more not recognized"
    yield from map(output_line, digest.outputs)
    yield from (f"  {line}" for line in _log_lines(digest))
    if digest.note:
        yield f"({digest.note})"
    for part in digest.parts:
        yield format.result_line(part.run)
        yield from lines(part)
    if not digest.parts:
        yield format.log_line(digest.run)


def compared_with(digest: api.insight.Digest) -> Iterator[str]:
    """Return a line with the run that the words new and fixed refer to, if the summary has one of them."""
    if digest.comparison and compared(digest):
        yield f"(new, fixed: compared with {digest.comparison.run_id})"


def since_lines(found: api.insight.SinceSuccess) -> Iterator[str]:
    """Return lines about what was committed since the last success."""
    if found.run is None:
        yield f"LAST SUCCESS none: {found.note}"
        return
    at = f" at {found.run.git_sha[:10]}" if found.run.git_sha else ""
    yield f"LAST SUCCESS {found.run.run_id}{at}{f' ({found.note})' if found.note else ''}"
    yield from (f"  {one.sha[:10]} {short(one.subject)}" for one in found.commits)
    if found.more:
        yield "  … and more commits"


def outputs_cell(found: Iterable[api.insight.OutputValue]) -> str:
    """Return outputs as a cell of `list`: `-` is a missing value."""
    return " ".join(f"{one.name}={'-' if one.value is None else output_text(one, 1)}" for one in found)


def _log_lines(digest: api.insight.Digest) -> Iterator[str]:
    """Return lines of the log where no problem explains the result, or where they follow all problems."""
    if digest.needs_lines:
        yield from digest.head
        yield from ("…",) if digest.head else ()
    yield from digest.last_lines


def github_lines(project: Project, digest: api.insight.Digest) -> Iterator[str]:
    """Return a summary as workflow commands, which GitHub Actions shows as annotations.

    The form: https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
    """
    for problem in digest.problems:
        file = problem.file and api.insight.in_repository(project, problem.file)
        places = {"file": file, "line": problem.line, "col": problem.column, "title": problem.id}
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in places.items() if value is not None)
        kind = "warning" if problem.mild else "error"
        yield f"::{kind}{f' {properties}' if properties else ''}::{_data(problem.message or problem.id or 'failed')}"
    for part in digest.parts:
        yield from github_lines(project, part)
    if not digest.problems and not digest.parts and not digest.run.live and not digest.run.succeeded:
        yield f"::error title={_property(digest.run.label)}::{_data(format.result_line(digest.run))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
