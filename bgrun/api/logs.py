"""Read logs: as they grow, whole, or page by page."""

from __future__ import annotations

import os
import time

from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.logs import masked, reader, watch
from bgrun.logs import stream as streams
from bgrun.store import masking, record
from bgrun.store.paths import RunPaths
from bgrun.system import lock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.logs.stream import Piece
    from bgrun.model import Run
    from bgrun.parsers import bounded_regex
    from bgrun.store.store import Store

FOLLOW_LOOK_S = 0.02
"""The pause between two reads of `follow`, in seconds, at most: a write ends it where the kernel reports it."""
EARLY_S = 0.3
"""The delay before an unfinished line is shown, in seconds."""
_PACKED = (".gz", ".xz", ".zst", ".bz2")
SEEN_BYTES = 64
"""How many bytes before the place that was read to are kept, to know the log by: see `logs.was_truncated`."""


class Chunk(NamedTuple):
    """What is new in the log of a run: its bytes, or what to show of its lines; `note` is a word on the log itself."""

    run_id: str
    label: str
    data: bytes = b""
    pieces: tuple[Piece, ...] = ()
    note: str = ""


def follow(
    project: Project, runs: Sequence[Run], lines: int | None = None, *, as_lines: bool = False, early: bool = True
) -> Iterator[Chunk]:
    """Yield the logs of runs, and of the runs of group runs, as they grow, until all runs have finished.

    Args:
        project: where.
        runs: what to follow.
        lines: begin with this many last lines of each; None begins at the start.
        as_lines: yield lines that are safe to show instead of bytes.
        early: whether the beginning of a line is given when its end lets itself be waited for.
    """
    store = project.store
    kind = _LineSource if as_lines else _RawSource
    run_ids = dict.fromkeys(run_id for run in runs for run_id in (run.members or (run.run_id,)))
    sources = [kind(store.run(run_id), lines) for run_id in run_ids]
    over = False
    with watch.writes(store.log_dir) as wait:
        while not over:
            # Check for the end before the last read, so that nothing is missed.
            over = not any(_goes_on(store, run.run_id) for run in runs)
            grew = False
            for source in sources:
                for chunk in source.grown():
                    grew = True
                    yield chunk
            if not grew and not over and early:
                yield from (chunk for source in sources for chunk in source.early(time.monotonic()))
            if not grew and not over:
                wait(FOLLOW_LOOK_S)
    yield from (chunk for source in sources for chunk in source.last())


class _Source:
    """A followed log and the position in it."""

    def __init__(self, at: RunPaths, lines: int | None) -> None:
        facts_now = record.read_meta(at) or {}
        self.at = at
        self.label = facts_now.get("label", at.run_id)
        self.known = masking.parse(facts_now.get("secrets", ""))
        self.offset = 0 if lines is None else reader.tail_offset(at.log, lines)
        self.seen = b""
        self.new_since = 0.0

    def grown(self) -> Iterator[Chunk]:
        """Yield new text; after a truncation in place, from the start of the log."""
        if reader.was_truncated(self.at.log, self.offset, self.seen):
            yield from self.last()
            self.offset, self.seen = 0, b""
            yield self._chunk(note=f"the log of {self.at.run_id} was truncated; these lines are from its new start")
        grew = False
        for data, end in masked.read_from(self.at.log, self.offset, self.known):
            self.offset, grew = end, True
            yield from self._taken(data)
        if grew:
            self.new_since = time.monotonic()
            self.seen = reader.bytes_before(self.at.log, self.offset, SEEN_BYTES)

    def early(self, now: float) -> Iterator[Chunk]:
        """Yield an unfinished line once it has not grown for a moment."""
        if self.new_since and now - self.new_since >= EARLY_S:
            self.new_since = 0.0
            yield from self._early()

    def last(self) -> Iterator[Chunk]:
        """Yield the text that was held back until the end."""
        raise NotImplementedError

    def _taken(self, data: bytes) -> Iterator[Chunk]:
        raise NotImplementedError

    def _early(self) -> Iterator[Chunk]:
        raise NotImplementedError

    def _chunk(self, data: bytes = b"", pieces: Sequence[Piece] = (), note: str = "") -> Chunk:
        return Chunk(self.at.run_id, self.label, data, tuple(pieces), note)


class _RawSource(_Source):
    """A followed log that yields bytes."""

    def __init__(self, at: RunPaths, lines: int | None) -> None:
        super().__init__(at, lines)
        self.stream = masked.Stream(self.known)

    def _taken(self, data: bytes) -> Iterator[Chunk]:
        yield self._chunk(self.stream.feed(data))

    def _early(self) -> Iterator[Chunk]:
        yield self._chunk(self.stream.early())

    def last(self) -> Iterator[Chunk]:
        """Yield the text that was held back until the end."""
        yield self._chunk(self.stream.end())


class _LineSource(_Source):
    """A followed log that yields lines."""

    def __init__(self, at: RunPaths, lines: int | None) -> None:
        super().__init__(at, lines)
        self.lines = streams.Lines(self.known)

    def _taken(self, data: bytes) -> Iterator[Chunk]:
        yield self._chunk(pieces=self.lines.feed(data))

    def _early(self) -> Iterator[Chunk]:
        piece = self.lines.early()
        yield from (self._chunk(pieces=[one]) for one in (piece,) if one)

    def last(self) -> Iterator[Chunk]:
        """Yield the text that was held back until the end."""
        piece = self.lines.end()
        yield from (self._chunk(pieces=[one]) for one in (piece,) if one)


def is_longer(project: Project, run: Run, lines: int) -> bool:
    """Return whether the log of a run, or of a run of a group run, has more than so many lines now."""
    logs = [project.store.run(run_id).log for run_id in (run.members or (run.run_id,))]
    return any(reader.tail_offset(log, lines) > 0 for log in logs)


def has_log(run: Run) -> bool:
    """Return whether the log of a run exists. It does not before the start, and never for a skipped run."""
    return os.path.lexists(run.log)


def require_log(run: Run) -> None:
    """Require that a run has a log.

    Raises:
        UsageError: it has none, and why.
    """
    if has_log(run):
        return
    if run.started_at:
        packed = next((path for end in _PACKED if os.path.lexists(path := run.log + end)), "")
        hint = f"it may have been compressed to {packed}" if packed else ""
        raise UsageError(f"the log of {run.run_id} does not exist: {run.log}", hint)
    why = f": {run.reason}" if run.reason else ""
    when = "has not started yet" if run.live else "never started"
    raise UsageError(f"{run.run_id} has no log: it {when} ({run.state}{why})")


def read_log(project: Project, run: Run, lines: int | None = None) -> Iterator[bytes]:
    """Return the log of a run as it is now, with secrets masked; `lines` limits it to the last lines."""
    at = project.store.run(run.run_id)
    known = masking.parse((record.read_meta(at) or {}).get("secrets", ""))
    stream = masked.Stream(known)
    for data, _ in masked.read_from(at.log, 0 if lines is None else reader.tail_offset(at.log, lines), known):
        yield stream.feed(data)
    yield stream.end()


class LogRequest(NamedTuple):
    """A selection of the lines of a log; None is no limit.

    pattern: a regular expression that lines must match.
    context: how many lines to include before and after each match.
    head, tail: how many lines to read from the first, or at the end.
    most_bytes: the limit of their text.
    raw: keep terminal escapes.
    """

    pattern: str | None = None
    context: int = 0
    head: int | None = None
    tail: int | None = None
    most_bytes: int | None = None
    raw: bool = False


class LogPage(NamedTuple):
    """Lines of a log, and where reading continues.

    cursor: the position after the lines.
    size: of the log, in bytes.
    eof: the log will not grow.
    truncated: selected lines were left out because of a limit.
    earlier: lines come before the first of a tail.
    restarted: the log was truncated in place, so the lines are from its new start.
    """

    lines: tuple[str, ...]
    cursor: str
    size: int
    eof: bool
    truncated: bool
    earlier: bool
    restarted: bool


def read_page(project: Project, run: Run, since: str | None, wanted: LogRequest) -> LogPage:
    """Return lines of the log of a run; `since` a cursor only what comes after it, `start` being the beginning.

    Raises:
        UsageError: the pattern is none, the cursor is none or belongs to another run.
    """
    from bgrun.logs import pages

    pattern = _compiled(wanted.pattern) if wanted.pattern else None
    at = project.store.run(run.run_id)
    known = masking.parse((record.read_meta(at) or {}).get("secrets", ""))
    asked = pages.unpack(since, run.run_id).offset if since else 0
    start = pages.begin(at.log, asked)
    earlier = False
    if not since and pattern is None and wanted.tail is not None:
        start = reader.tail_offset(at.log, wanted.tail)
        earlier = start > 0
    # An unfinished line is left for the next page.
    lines = pages.lines_from(at.log, start, known, final=not since or not run.live, raw=wanted.raw)
    found = pages.page(lines, start, pages.PageRequest(pattern, *wanted[1:]))
    size = reading.size(at.log)
    return LogPage(
        lines=found.lines,
        cursor=pages.pack(pages.Cursor(run.run_id, found.next_offset)),
        size=size,
        eof=not run.live and found.next_offset >= size,
        truncated=found.truncated,
        earlier=earlier,
        restarted=start < asked,
    )


def _goes_on(store: Store, run_id: str) -> bool:
    if lock.is_held(store.run(run_id).pid):
        return True
    run = store.read(run_id)
    return run is not None and run.live


def _compiled(text: str) -> bounded_regex.Pattern:
    """Return a regular expression for lines of a log; the hint of its error is the text with its signs escaped."""
    from bgrun.parsers import bounded_regex as expressions

    try:
        return expressions.compiled(text)
    except UsageError as error:
        import re

        raise UsageError(error.message, error.hint or f"to match it as it is, escape it: {re.escape(text)}") from error
