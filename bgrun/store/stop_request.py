"""Record that a run is to stop, before any signal is sent, and read that."""

from __future__ import annotations

import time

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import meta, state
from bgrun.system import clock, files, reading
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run
    from bgrun.store.paths import RunPaths

MOST_STOP, MOST_REASON = 64 << 10, 4 << 10
"""How many bytes of a stop request are read, and how many characters of its reason are kept."""


class StopRequest(NamedTuple):
    """A stop request, recorded before any signal is sent; `now`: without a grace period."""

    reason: str
    carried_out: bool
    now: bool = False


def read_stop(at: RunPaths) -> StopRequest | None:
    """Return the stop request of a run, or None."""
    data = reading.read(at.stop, MOST_STOP)
    if data is None:
        return None
    facts = meta.unpack(data)
    return StopRequest(facts.get("reason", "stop"), "signalled_at" in facts, "now" in facts)


def is_asked_to_end(at: RunPaths, run: Run) -> bool:
    """Return whether a user, or a newer run that replaces it, requested a stop of a run or of its group.

    A timeout or another limit that it exceeded does not count.
    """
    asked = (_readable_stop(at.other(run_id)) for run_id in (run.run_id, run.group_run) if run_id)
    return any(one is not None and state.is_wish(one.reason) for one in asked)


def _readable_stop(at: RunPaths) -> StopRequest | None:
    """Return the stop request of a run, or None; an unreadable one is ignored, as by the supervisor."""
    with suppress(StorageError):
        return read_stop(at)
    return None


def ask_to_end(at: RunPaths, reason: str, *, now: bool = False) -> None:
    """Record a stop request. An earlier one is kept, except that `now` is added to it."""
    known = read_stop(at)
    if known is None and _create_stop(at, _stop_words(reason, signalled=False, now=now)):
        return
    known = known or read_stop(at)
    if known is None or (now and not known.now):
        write_stop(at, known.reason if known else reason, signalled=bool(known and known.carried_out), now=now)


def _create_stop(at: RunPaths, words: bytes) -> bool:
    """Write a stop request unless there is one, and return whether it was written; atomic."""
    try:
        with Change(at.log_dir, at.run_id):
            return files.create_whole(at.stop, files.unique(at.stop), words)
    except OSError:
        return False  # the file system may have no links


def write_stop(at: RunPaths, reason: str, *, signalled: bool, now: bool = False) -> None:
    """Write the stop request of a run; `signalled` if the first signal is about to be sent."""
    with Change(at.log_dir, at.run_id):
        files.replace(at.stop, files.unique(at.stop), _stop_words(reason, signalled=signalled, now=now))


def _stop_words(reason: str, *, signalled: bool, now: bool) -> bytes:
    facts = {"reason": reason[:MOST_REASON], "requested_at": clock.iso(time.time())}
    if signalled:
        facts["signalled_at"] = facts["requested_at"]
    if now:
        facts["now"] = "true"
    return meta.pack(facts)
