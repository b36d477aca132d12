"""From what can be seen of a run to its state; pure. Success is never inferred.

The order of the witnesses: the supervisor's closing words in the meta, its lock, the job's own
process, the exit code that the job script left. What none of them saw is lost.
"""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.model import State

STOP_STATES: Mapping[str, State] = {"timeout": "timed_out"}
REPLACED = "replaced by "
FINAL_STATES: tuple[State, ...] = ("succeeded", "failed", "timed_out", "stopped", "skipped", "lost")


class Evidence(NamedTuple):
    """What was seen of a run, in the order in which it has to be looked at.

    `locked`: its supervisor holds the lock (for a run that waits its turn: the lock of its group).
    `alive`: the very process that was recorded runs. `exit_code`: what the `.exit` file holds.
    `stop_reason`: why a stop was carried out, or empty. `away`: why its processes cannot be seen
    from here, or empty.
    """

    meta: Mapping[str, str]
    locked: bool = False
    alive: bool = False
    exit_code: int | None = None
    stop_reason: str = ""
    away: str = ""


class Verdict(NamedTuple):
    """The state of a run with its exit code, the signal that ended it, and why."""

    state: State
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None


def derive(seen: Evidence) -> Verdict:
    """Return the state that the evidence proves."""
    closed = closing_words(seen.meta)
    if closed:
        return closed
    if seen.locked or seen.alive:
        return Verdict("running") if has_started(seen.meta) else Verdict("queued", reason=seen.meta.get("waiting"))
    if not has_started(seen.meta):
        return _never_started(seen)
    if seen.exit_code is not None:
        return verdict_of(seen.exit_code, success_codes(seen.meta), seen.stop_reason)
    if seen.stop_reason:
        return Verdict(STOP_STATES.get(seen.stop_reason, "stopped"), reason=stop_words(seen.stop_reason))
    return Verdict("lost", reason=seen.away or "exit code unknown, job and supervisor ended without recording it")


def closing_words(meta: Mapping[str, str]) -> Verdict | None:
    """Return what the supervisor wrote at the end, or None where it has not (yet)."""
    for state in FINAL_STATES:
        if meta.get("state") == state:
            code = parse_int(meta.get("exit_code", ""))
            return Verdict(state, code, meta.get("signal") or None, meta.get("reason") or None)
    return None


def verdict_of(exit_code: int, success: Iterable[int], stop_reason: str = "") -> Verdict:
    """Return the verdict on a job whose own exit code was seen (128 + n where signal n ended it)."""
    ended_by = signal_name(exit_code)
    if stop_reason:
        state = STOP_STATES.get(stop_reason, "stopped")
        return Verdict(state, exit_code, ended_by, stop_words(stop_reason))
    if exit_code in success:
        return Verdict("succeeded", exit_code)
    return Verdict("failed", exit_code, ended_by)


def group_verdict(states: Iterable[State]) -> Verdict:
    """Return the verdict on a group whose runs have all ended: it succeeded only if each of them did.

    The states are those of all runs that were to run; a group without any succeeded in nothing.
    """
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    if not counts:
        return Verdict("skipped", reason="the conditions of all its jobs were false")
    if set(counts) <= {"succeeded"}:
        return Verdict("succeeded", 0)
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if state != "succeeded")
    return Verdict("failed", 1, reason=f"{told} of {sum(counts.values())}")


def has_started(meta: Mapping[str, str]) -> bool:
    """Return whether the job was launched at all."""
    return bool(meta.get("started_at"))


def success_codes(meta: Mapping[str, str]) -> tuple[int, ...]:
    """Return the exit codes that count as success."""
    codes = (parse_int(code) for code in meta.get("success_exit_codes", "0").split())
    return tuple(code for code in codes if code is not None)


def signal_name(exit_code: int) -> str | None:
    """Return the signal that an exit code above 128 stands for, by the shell's convention."""
    if exit_code <= 128:
        return None
    from bgrun.system import process

    return process.name_of(exit_code - 128)


def parse_int(text: str) -> int | None:
    """Return the whole number that `text` is, or None."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def parse_float(text: str) -> float | None:
    """Return the number that `text` is, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _never_started(seen: Evidence) -> Verdict:
    if seen.stop_reason:
        return Verdict("stopped", reason="stopped before it started")
    return Verdict("skipped", reason="the supervisor ended before this run started")


def is_wish(stop_reason: str) -> bool:
    """Return whether a stop was asked for, by somebody or by a newer run that replaces this one."""
    return stop_reason == "stop" or stop_reason.startswith(REPLACED)


def replaced_by(run_id: str) -> str:
    """Return the reason of a stop that makes room for a newer run."""
    return f"{REPLACED}{run_id}"


def stop_words(stop_reason: str) -> str:
    """Return the reason of a stop request in words for a person."""
    words = {"stop": "on request", "timeout": "exceeded its timeout"}
    return words.get(stop_reason, stop_reason)
