"""`logs`: the last lines, those that match, or what is new since the last look."""

from __future__ import annotations

from bgrun import runner
from bgrun.cli import show
from bgrun.cli.choice import one_run
from bgrun.errors import EXIT_OK, UsageError
from bgrun.runs import logs as log_files
from bgrun.runs import reading
from bgrun.tools import matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.cli.call import Asked
    from bgrun.jobfile.find import Project

DEFAULT_LINES = 100
JSON_LINES = 200
JSON_BYTES = 16 << 10


def logs(project: Project, asked: Asked) -> int:
    """Handle `bgrun logs`."""
    run = one_run(project, asked.ref)
    runner.require_log(run)
    if asked.raw and not (asked.json or asked.grep or asked.since or asked.head):
        for block in runner.read_log(project, run, None if asked.since_start else asked.lines or DEFAULT_LINES):
            show.raw(block)
        return EXIT_OK
    found = runner.read_page(project, run, asked.since, wanted_of(asked))
    if found.restarted:
        show.note(f"the log of {run.run_id} was truncated: these lines are from its new beginning")
    cursor = reading.pack(reading.Cursor(run.run_id, found.next_offset))
    if asked.json:
        size = log_files.size(run.log)
        truncated = found.truncated or _has_more_before(run.log, asked)
        end = {"next_cursor": cursor, "eof": not run.live and found.next_offset >= size, "truncated": truncated}
        show.document({"run": show.run_fields(run), "lines": found.lines, "size": size, **end})
        return EXIT_OK
    for line in found.lines:
        show.raw(f"{line}\n".encode("utf-8", "replace"))
    if asked.since:
        show.note(f"cursor: {cursor}")
    elif found.truncated and asked.grep:
        show.note(f"there is more: bgrun logs {run.run_id} --since {cursor}")
    return EXIT_OK


def _has_more_before(log: str, asked: Asked) -> bool:
    """Whether lines were left out that nobody asked to leave out."""
    is_default = not (asked.lines or asked.head or asked.since or asked.grep or asked.since_start)
    return is_default and log_files.tail_offset(log, DEFAULT_LINES) > 0


def wanted_of(asked: Asked) -> reading.Wanted:
    """Return which lines the options ask for.

    Raises:
        UsageError: they contradict each other, or the pattern is none.
    """
    if asked.head and asked.lines:
        raise UsageError("--head and --tail contradict each other", "give one of them")
    pattern = matching.compiled(asked.grep) if asked.grep else None
    if asked.context and pattern is None:
        raise UsageError("--context is that of a --grep", "give both")
    head, tail = (asked.head, None) if asked.head else _bounds(asked)
    most = JSON_BYTES if asked.json else None
    return reading.Wanted(pattern, asked.context or 0, head, tail, most, asked.raw)


def _bounds(asked: Asked) -> tuple[int | None, int | None]:
    """Return how many first or last lines are wanted where `--head` does not say so."""
    if asked.since_start:
        return asked.lines or (JSON_LINES if asked.json else None), None
    if asked.lines:
        return None, asked.lines
    if asked.since or asked.grep:
        return (JSON_LINES if asked.json else None), None
    return None, DEFAULT_LINES
