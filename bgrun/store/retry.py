"""Read which attempt of its command a run with `retry` is at."""

from __future__ import annotations

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import state
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.store.paths import RunPaths


class Attempt(NamedTuple):
    """The attempt of a command with `retry`: its number, 0 for the first one, and the pause before it in seconds.

    pause_s: 0 once the attempt has begun.
    """

    number: int = 0
    pause_s: float = 0.0


def read_attempt(at: RunPaths) -> Attempt:
    """Return which attempt of its command a run is at, or waits for."""
    data = None
    with suppress(StorageError):
        data = reading.head(at.hidden("attempt"), 64)
    number, _, pause = (data or b"").decode("ascii", "replace").partition("\n")
    return Attempt(state.parse_int(number) or 0, state.parse_float(pause.strip()) or 0.0)


def read_attempts(at: RunPaths) -> int | None:
    """Return the number of the attempt of a command with `retry`, or None at the first one."""
    return read_attempt(at).number or None
