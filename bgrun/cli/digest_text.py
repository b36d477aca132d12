"""A digest as text for people, and as annotations for GitHub Actions."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.api import Project
    from bgrun.model import Run


def lines_of_failure(project: Project, run: Run) -> Iterator[str]:
    """Give the digest of a run that did not succeed, or that seems to hang, as text; nothing of any other."""
    if run.live:
        yield from (f"STALLED {told}" for told in (api.insight.stalled(project, run),) if told)
    elif not run.succeeded:
        yield from lines(api.insight.digest(project, run))


def lines(digest: api.insight.Digest) -> Iterator[str]:
    """Give a digest as text, without the verdict: short, since whoever reads it may pay by the word."""
    if digest.counts:
        yield ", ".join(f"{count} {what}" for what, count in digest.counts.items())
    if digest.stall:
        yield f"STALLED {digest.stall}"
    yield from map(_problem_line, digest.problems)
    if digest.more:
        yield f"and {digest.more} more"
    yield from (f"  {line}" for line in _log_lines(digest))
    if digest.note:
        yield f"({digest.note})"
    for part in digest.parts:
        yield format.verdict_line(part.run)
        yield from lines(part)
    if not digest.parts:
        yield format.log_line(digest.run)


def _log_lines(digest: api.insight.Digest) -> Iterator[str]:
    """Give lines of the log where no problem says more."""
    if not digest.problems and not digest.run.succeeded:
        yield from digest.head
        yield from ("…",) if digest.head else ()
        yield from digest.tail


def _problem_line(problem: api.insight.Problem) -> str:
    place = f"{problem.file}:{problem.line}" if problem.file and problem.line else problem.file
    rest = (problem.id or "").removeprefix(f"{problem.file}::")
    return ": ".join(filter(None, (" ".join(filter(None, (place, rest if rest != place else ""))), problem.message)))


def github_lines(digest: api.insight.Digest) -> Iterator[str]:
    """Give a digest as workflow commands, which GitHub Actions shows at the lines of a change.

    The form: https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
    """
    for problem in digest.problems:
        places = {"file": problem.file, "line": problem.line, "title": problem.id}
        told = ",".join(f"{key}={_property(str(value))}" for key, value in places.items() if value is not None)
        kind = "warning" if problem.mild else "error"
        yield f"::{kind}{f' {told}' if told else ''}::{_data(problem.message or problem.id or 'failed')}"
    for part in digest.parts:
        yield from github_lines(part)
    if not digest.problems and not digest.parts and not digest.run.live and not digest.run.succeeded:
        yield f"::error title={_property(digest.run.label)}::{_data(format.verdict_line(digest.run))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
