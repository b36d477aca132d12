"""The handlers of `logs` and `report`: lines of a log, and what failed."""

from __future__ import annotations

from bgrun import api
from bgrun.api import documents
from bgrun.cli import digest_text as reports
from bgrun.cli import format, output
from bgrun.cli.choice import one_run
from bgrun.cli.exit_codes import exit_code
from bgrun.errors import EXIT_OK, UsageError
from bgrun.logs import pages
from bgrun.logs import reader as log_files
from bgrun.parsers import bounded_regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked


FORMATS = ("text", "github")


def report(project: Project, asked: Asked) -> int:
    """Handle `bgrun report`."""
    if asked.format not in (None, *FORMATS):
        raise UsageError(f"no format {asked.format!r}", f"there are {' and '.join(FORMATS)}")
    run = one_run(project, asked.ref)
    if asked.json:
        output.document({"run": documents.run_fields(run), **reports.digested(project, run)})
    else:
        found = api.insight.digest(project, run)
        text = (format.verdict_line(found.run), *reports.lines(found))
        for line in reports.github_lines(found) if asked.format == "github" else text:
            output.out(line)
    return exit_code(run, own=True) if asked.exit_code else EXIT_OK


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
    found = api.logs.read_page(project, run, asked.since, wanted_of(asked))
    if found.restarted:
        output.note(f"the log of {run.run_id} was truncated: these lines are from its new beginning")
    cursor = pages.pack(pages.Cursor(run.run_id, found.next_offset))
    if asked.json:
        size = log_files.size(run.log)
        truncated = found.truncated or _has_more_before(run.log, asked)
        end = {"next_cursor": cursor, "eof": not run.live and found.next_offset >= size, "truncated": truncated}
        output.document({"run": documents.run_fields(run), "lines": found.lines, "size": size, **end})
        return EXIT_OK
    for line in found.lines:
        output.raw(f"{line}\n".encode("utf-8", "replace"))
    if asked.since:
        output.note(f"cursor: {cursor}")
    elif found.truncated and asked.grep:
        output.note(f"there is more: bgrun logs {run.run_id} --since {cursor}")
    return EXIT_OK


def _has_more_before(log: str, asked: Asked) -> bool:
    """Whether lines were left out that nobody asked to leave out."""
    is_default = not (asked.lines or asked.head or asked.since or asked.grep or asked.since_start)
    return is_default and log_files.tail_offset(log, DEFAULT_LINES) > 0


def wanted_of(asked: Asked) -> pages.PageRequest:
    """Return which lines the options ask for.

    Raises:
        UsageError: they contradict each other, or the pattern is none.
    """
    if asked.head and asked.lines:
        raise UsageError("--head and --tail contradict each other", "give one of them")
    pattern = bounded_regex.compiled(asked.grep) if asked.grep else None
    if asked.context and pattern is None:
        raise UsageError("--context is that of a --grep", "give both")
    head, tail = (asked.head, None) if asked.head else _bounds(asked)
    most = JSON_BYTES if asked.json else None
    return pages.PageRequest(pattern, asked.context or 0, head, tail, most, asked.raw)


def _bounds(asked: Asked) -> tuple[int | None, int | None]:
    """Return how many first or last lines are wanted where `--head` does not say so."""
    if asked.since_start:
        return asked.lines or (JSON_LINES if asked.json else None), None
    if asked.lines:
        return None, asked.lines
    if asked.since or asked.grep:
        return (JSON_LINES if asked.json else None), None
    return None, DEFAULT_LINES
