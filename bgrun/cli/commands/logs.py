"""The handlers of `logs` and `report`: lines of a log, and what failed."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import digest_text as reports
from bgrun.cli import format, output
from bgrun.cli.choice import one_run
from bgrun.cli.exit_codes import exit_code
from bgrun.errors import EXIT_OK, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked


FORMATS = ("text", "github")


def report(project: Project, asked: Asked) -> int:
    """Handle `bgrun report`."""
    if asked.format not in (None, *FORMATS):
        raise UsageError(f"unknown format {asked.format!r}", f"choose {' or '.join(FORMATS)}")
    run = one_run(project, asked.ref)
    if asked.json:
        output.document(api.documents.report(project, run))
    else:
        found = api.insight.digest(project, run)
        text = (format.verdict_line(found.run), *reports.lines(found))
        for line in reports.github_lines(found) if asked.format == "github" else text:
            output.out(line)
    return exit_code(run, own=True, waited=False) if asked.exit_code else EXIT_OK


DEFAULT_LINES = 100
JSON_LINES = 200
JSON_BYTES = 16 << 10


def logs(project: Project, asked: Asked) -> int:
    """Handle `bgrun logs`."""
    run = one_run(project, asked.ref)
    api.logs.require_log(run)
    if asked.raw and not (asked.json or asked.grep or asked.since or asked.head):
        for block in api.logs.read_log(project, run, None if asked.since_start else asked.lines or DEFAULT_LINES):
            output.raw(block)
        return EXIT_OK
    found = api.logs.read_page(project, run, asked.since, _wanted(asked))
    if found.restarted:
        output.note(f"the log of {run.run_id} was truncated; these lines are from its new start")
    if asked.json:
        # Lines before the last N are left out by whoever gave the N.
        truncated = found.truncated or (found.earlier and not asked.lines)
        output.document(api.documents.log_page(run, found, truncated=truncated))
        return EXIT_OK
    for line in found.lines:
        output.raw(f"{line}\n".encode("utf-8", "replace"))
    if asked.since:
        output.note(f"cursor: {found.cursor}")
    elif found.truncated and asked.grep:
        output.note(f"more lines: bgrun logs {run.run_id} --since {found.cursor}")
    return EXIT_OK


def _wanted(asked: Asked) -> api.logs.LogRequest:
    """Return the lines that the options select.

    Raises:
        UsageError: they contradict each other.
    """
    if asked.head and asked.lines:
        raise UsageError("--head cannot be combined with --lines/--tail")
    if asked.context and not asked.grep:
        raise UsageError("--context requires --grep")
    head, tail = (asked.head, None) if asked.head else _bounds(asked)
    most = JSON_BYTES if asked.json else None
    return api.logs.LogRequest(asked.grep, asked.context or 0, head, tail, most, asked.raw)


def _bounds(asked: Asked) -> tuple[int | None, int | None]:
    """Return how many first or last lines to print without `--head`."""
    if asked.since_start:
        return asked.lines or (JSON_LINES if asked.json else None), None
    if asked.lines:
        return None, asked.lines
    if asked.since or asked.grep:
        return (JSON_LINES if asked.json else None), None
    return None, DEFAULT_LINES
