"""Note in the digest of a run which of its services had failed by then: that may explain the result."""

from __future__ import annotations

from bgrun.store import state
from bgrun.system import clock
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.logs.digest import Digest
    from bgrun.model import Run
    from bgrun.store.store import Store

_ENDED_HOW = {"timed_out": "timed out", "stopped": "was stopped", "lost": "was lost"}


def noted(store: Store, made: Digest) -> Digest:
    """Return a digest with the services that its run needed and that failed before it ended; none of a success."""
    run = made.run
    known = {} if run.succeeded or not run.started_at else store.facts(run.run_id) or {}
    needs = [*known.get("needs", "").split(), *known.get("uses", "").split()]
    ended = clock.epoch(run.ended_at or "")
    if not needs or ended is None:
        return made
    return made._replace(services=tuple(_failed(store, needs, ended)))


def _failed(store: Store, needs: list[str], ended: float) -> Iterator[str]:
    for one in filter(None, map(store.read, needs)):
        service_ended = clock.epoch(one.ended_at or "")
        is_failure = one.service and not one.live and not state.is_waived(store.facts(one.run_id) or {})
        if is_failure and service_ended is not None and service_ended <= ended:
            how = _ENDED_HOW.get(one.state, one.state)
            yield f"{one.label} (needed by this) {how} {span(ended - service_ended)} before this ended{_exit(one)}"


def _exit(run: Run) -> str:
    signal = f" ({run.signal})" if run.signal else ""
    return "" if run.exit_code is None else f": exit {run.exit_code}{signal}"
