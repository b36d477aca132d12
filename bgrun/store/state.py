"""Derive the state of a run from the evidence in its files. Success is never inferred. Pure.

Evidence counts in this order: the result that the supervisor wrote to the meta, its lock, the process of the
job, the exit code that the job script recorded. A run without any of them is lost.
"""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.model import State

STOP_STATES: Mapping[str, State] = {"timeout": "timed_out"}
REPLACED = "replaced by "
NOT_READY = "not ready"
"""The beginning of the stop reason of a service that has not become ready in time: it has failed."""
NOT_NEEDED = "no longer needed"
"""Why a service is stopped or not started: nothing needs it, which is no failure."""
ABANDONED = "its supervisor was killed, so that only bgrun stop stops it"
"""Why a service is in its state that nobody supervises any more."""
ENDED: Mapping[str, str] = {
    "failed": "failed",
    "timed_out": "timed out",
    "stopped": "was stopped",
    "skipped": "was skipped",
    "lost": "is lost",
}
"""How a message says in which state a dependency has finished."""
FINAL_STATES: tuple[State, ...] = ("succeeded", "failed", "timed_out", "stopped", "skipped", "lost")


class Evidence(NamedTuple):
    """The evidence about a run, in the order in which it has to be read.

    meta: its facts.
    locked: whether its supervisor holds the lock; for a queued run of a group, that of the group run.
    alive: whether the recorded process is running, not just one with the same PID.
    exit_code: the content of the `.exit` file, or None.
    stop_reason: why the run was stopped, or ''.
    away: why its processes cannot be inspected from here, or ''.
    judged: the verdict of an engine that judges by other evidence than the processes of this machine, or None.
    """

    meta: Mapping[str, str]
    locked: bool = False
    alive: bool = False
    exit_code: int | None = None
    stop_reason: str = ""
    away: str = ""
    judged: Verdict | None = None


class Verdict(NamedTuple):
    """The state of a run, with its exit code, the signal that killed it, and the reason."""

    state: State
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None

    def facts(self) -> dict[str, str]:
        """Return the meta lines of a result; absent values have no line."""
        named = {
            "state": self.state,
            "exit_code": "" if self.exit_code is None else str(self.exit_code),
            "signal": self.signal or "",
            "reason": self.reason or "",
        }
        return {key: value for key, value in named.items() if value}


def derive(seen: Evidence) -> Verdict:
    """Return the verdict that the evidence proves."""
    closed = closing_words(seen.meta) or seen.judged
    if closed:
        return closed
    if seen.locked or seen.alive:
        return _active(seen)
    if not has_started(seen.meta):
        return _never_started(seen)
    if seen.exit_code is not None:
        return verdict_of(seen.exit_code, success_codes(seen.meta), seen.stop_reason)
    if seen.stop_reason:
        return Verdict(_stop_state(seen.stop_reason), reason=stop_words(seen.stop_reason))
    return Verdict("lost", reason=seen.away or "exit code unknown, job and supervisor ended without recording it")


def _active(seen: Evidence) -> Verdict:
    if not has_started(seen.meta):
        return Verdict("queued", reason=seen.meta.get("waiting"))
    return Verdict("running", reason=ABANDONED if seen.meta.get("service") and not seen.locked else None)


def closing_words(meta: Mapping[str, str]) -> Verdict | None:
    """Return the verdict that the supervisor recorded, or None if it has recorded none."""
    if state := closing_state(meta):
        code = parse_int(meta.get("exit_code", ""))
        return Verdict(state, code, meta.get("signal") or None, meta.get("reason") or None)
    return None


def closing_state(meta: Mapping[str, str]) -> State | None:
    """Return the state that the supervisor recorded as that of a finished run, or None."""
    named = meta.get("state")
    for state in FINAL_STATES if named else ():
        if named == state:
            return state
    return None


def verdict_of(exit_code: int, success: Iterable[int], stop_reason: str = "") -> Verdict:
    """Return the verdict on a job from its own exit code, which is 128 + n if signal n killed it."""
    ended_by = signal_name(exit_code)
    if stop_reason:
        return Verdict(_stop_state(stop_reason), exit_code, ended_by, stop_words(stop_reason))
    if exit_code in success:
        return Verdict("succeeded", exit_code)
    return Verdict("failed", exit_code, ended_by)


def is_waived(facts: Mapping[str, str]) -> bool:
    """Return whether a run was skipped because its condition is false; its group can still succeed."""
    return facts.get("waived") == "true"


def group_verdict(states: Iterable[State]) -> Verdict:
    """Return the verdict on a group whose runs have all finished: it succeeded only if each of them did.

    `states` are those of the runs whose condition was true. A group without any is skipped.
    """
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    if not counts:
        return Verdict("skipped", reason="`if` is false for every job")
    if set(counts) <= {"succeeded"}:
        return Verdict("succeeded", 0)
    others = ", ".join(f"{count} {state}" for state, count in counts.items() if state != "succeeded")
    return Verdict("failed", 1, reason=f"{others} of {sum(counts.values())}")


def has_started(meta: Mapping[str, str]) -> bool:
    """Return whether the job was launched."""
    return bool(meta.get("started_at"))


def success_codes(meta: Mapping[str, str]) -> tuple[int, ...]:
    """Return the exit codes that count as success."""
    codes = (parse_int(code) for code in meta.get("success_exit_codes", "0").split())
    return tuple(code for code in codes if code is not None)


def signal_name(exit_code: int) -> str | None:
    """Return the name of the signal that an exit code above 128 stands for in a shell, or None."""
    if exit_code <= 128:
        return None
    from bgrun.system import process

    return process.name_of(exit_code - 128)


def parse_int(text: str) -> int | None:
    """Return `text` as a whole number, or None if it is not one."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def parse_float(text: str) -> float | None:
    """Return `text` as a finite number, or None if it is not one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _never_started(seen: Evidence) -> Verdict:
    if seen.stop_reason:
        return Verdict("stopped", reason="stopped before it started")
    return Verdict("skipped", reason="the supervisor ended before this run started")


def _stop_state(stop_reason: str) -> State:
    return "failed" if stop_reason.startswith(NOT_READY) else STOP_STATES.get(stop_reason, "stopped")


def is_wish(stop_reason: str) -> bool:
    """Return whether a user, or a newer run that replaces this one, requested the stop."""
    return stop_reason == "stop" or stop_reason.startswith(REPLACED)


def replaced_by(run_id: str) -> str:
    """Return the stop reason of a run that a newer run replaces."""
    return f"{REPLACED}{run_id}"


def stop_words(stop_reason: str) -> str:
    """Return the reason of a stop request as a message shows it."""
    words = {"stop": "on request", "timeout": "exceeded its timeout"}
    return words.get(stop_reason, stop_reason)
