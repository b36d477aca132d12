"""Derive the state of a run on Slurm from what its files and Slurm say. Pure; the order is the design.

The files come first, and an exit code outranks everything that Slurm says: Slurm says why, never which exit code.
A controller that does not answer proves nothing, so that no run is lost by it.
"""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.store import state
from bgrun.store.state import Verdict
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.model import State
    from bgrun.slurm.queue import Job

LAG_S = 30.0
"""How long after its end, or after its submission, the record of a run may be missing: a shared file system shows it
late, and Slurm may not know a job yet."""
COMPLETING_S = 120.0
"""How long after its end a job may be COMPLETING and still leave an exit code."""
ASKS = 128 + 9
"""An exit code with which Slurm is asked why: SIGKILL may come from it, for too much memory."""
_NEVER_RAN = ("FAILED", "BOOT_FAIL", "NODE_FAIL", "LAUNCH_FAILED")
_WHY_IT_FAILED = ("OUT_OF_MEMORY", "PREEMPTED")
_BY_WORD: Mapping[str, State] = {
    **{"CANCELLED": "stopped", "TIMEOUT": "timed_out", "DEADLINE": "timed_out"},
    **{"OUT_OF_MEMORY": "failed", "PREEMPTED": "failed"},
}
"""The state of a run that Slurm ended, by the state of its job."""


class Seen(NamedTuple):
    """What is seen of a run whose meta has no result.

    facts: the lines of its meta. exit_code: the published one, or None. stop_reason: that of its stop request, or ''.
    carried_out: whether a signal was sent for that. need: why a dependency keeps it from starting, or ''.
    claimed: whether a launcher has claimed it. answered: whether Slurm answered. job: what it knows of its job, None if
    it knows none. word: the state in the accounting of a job that Slurm has forgotten, or ''. last_words: the last line
    of its `.slurm.log`. job_id: the ID that its submission was answered with, or ''. now, submitted: seconds since the
    epoch.
    """

    facts: Mapping[str, str]
    now: float
    exit_code: int | None = None
    stop_reason: str = ""
    carried_out: bool = False
    need: str = ""
    claimed: bool = False
    answered: bool = False
    job: Job | None = None
    word: str = ""
    last_words: str = ""
    submitted: float | None = None
    job_id: str = ""

    @property
    def started(self) -> bool:
        """Whether its command was launched."""
        return state.has_started(self.facts)

    @property
    def terminated(self) -> bool:
        """Whether Slurm sent SIGTERM to it, without a stop request: its exit code does not tell why it ended."""
        return self.facts.get("terminated") == "true"

    @property
    def is_new(self) -> bool:
        """Whether Slurm need not know it yet."""
        return self.submitted is not None and self.now - self.submitted < LAG_S


class Judged(NamedTuple):
    """A verdict, and whether it can be recorded: nothing can change it any more."""

    verdict: Verdict
    is_final: bool = False


def judge(seen: Seen) -> Judged:
    """Return the verdict that the witnesses prove."""
    if seen.exit_code is not None and not seen.terminated and not _awaits_word(seen):
        return _by_exit_code(seen)
    if not seen.started and seen.need:
        return Judged(Verdict("skipped", reason=seen.need), is_final=True)
    if not seen.answered:
        return Judged(Verdict("unknown", reason=f"Slurm does not answer; last known: {_last_known(seen)}"))
    if seen.job is None:
        return _forgotten(seen)
    if _is_live(seen, seen.job):
        return Judged(_live(seen, seen.job))
    return _ended(seen, seen.job.state, seen.job.reason)


def needs_word(seen: Seen) -> bool:
    """Return whether only the accounting can tell why a run ended: Slurm answered, and has forgotten its job."""
    return seen.answered and seen.job is None and not seen.is_new and (seen.started or seen.claimed)


def _awaits_word(seen: Seen) -> bool:
    """Return whether Slurm is about to tell why it killed the command: its job ends in a moment, with that word."""
    if seen.exit_code != ASKS or not seen.started or seen.carried_out:
        return False
    if not seen.answered or seen.job is None or not seen.job.live:
        return False
    ended = clock.epoch(seen.facts.get("ended_at", ""))
    return (ended is None or seen.now - ended < LAG_S) and ASKS not in state.success_codes(seen.facts)


def _by_exit_code(seen: Seen) -> Judged:
    assert seen.exit_code is not None  # noqa: S101 - each caller has checked it
    reason = seen.stop_reason if seen.carried_out else ""
    verdict = state.verdict_of(seen.exit_code, state.success_codes(seen.facts), reason)
    word = seen.job.state if seen.job else seen.word
    if verdict.state == "failed" and word in _WHY_IT_FAILED:
        verdict = verdict._replace(reason=_slurm(word))
    is_over = bool(seen.answered and not (seen.job and seen.job.live))
    return Judged(verdict, is_over)


def _is_live(seen: Seen, job: Job) -> bool:
    """Return whether a job may still change its record."""
    past_s = None if job.ended is None else seen.now - job.ended
    if job.state == "COMPLETING":
        return past_s is None or past_s < COMPLETING_S
    if job.live:
        return True
    # It ran on a node: its record is given some time to arrive, unless it is complete.
    recorded = seen.terminated and seen.exit_code is not None
    return bool(job.node) and not recorded and past_s is not None and past_s < LAG_S


def _live(seen: Seen, job: Job) -> Verdict:
    if not job.live:
        words = f"Slurm: {job.state}; waiting for its record"
        return Verdict("running" if seen.started else "queued", reason=words)
    if seen.started:
        # A kept answer may say PENDING of a run that has just started, but not of one that may run again.
        is_usual = job.state == "RUNNING" or (job.state == "PENDING" and seen.facts.get("requeue") != "true")
        return Verdict("running", reason=None if is_usual else _slurm(job.state, job.reason))
    if job.state == "PENDING":
        return Verdict("queued", reason=_slurm(job.reason or job.state))
    return Verdict("queued", reason=f"starting on {job.node}" if job.node else _slurm(job.state))


def _ended(seen: Seen, word: str, reason: str = "") -> Judged:
    """Return the verdict on a run whose job has ended, by Slurm's word for how."""
    said = _slurm(word, reason)
    code, by = seen.exit_code, None if seen.exit_code is None else state.signal_name(seen.exit_code)
    if seen.stop_reason:
        words = state.stop_words(seen.stop_reason) if seen.started else "stopped before it started"
        return Judged(Verdict(state.STOP_STATES.get(seen.stop_reason, "stopped"), code, by, words), is_final=True)
    if word == "CANCELLED" and reason.startswith("Dependency") and not seen.started:
        return Judged(Verdict("skipped", reason="a dependency did not succeed"), is_final=True)
    if word in _BY_WORD:
        # Without the reason: of a job that was canceled it is still why it was pending.
        return Judged(Verdict(_BY_WORD[word], code, by, _slurm(word)), is_final=True)
    if code is not None:  # it was terminated, and Slurm does not say why
        return Judged(state.verdict_of(code, state.success_codes(seen.facts)), is_final=True)
    if not seen.started and not seen.claimed and word in _NEVER_RAN:
        return Judged(Verdict("failed", reason=_with_last_words(said, seen)), is_final=True)
    return Judged(Verdict("lost", reason=_with_last_words(f"exit code unknown, {said}", seen)))


def _forgotten(seen: Seen) -> Judged:
    """Return the verdict on a run whose job Slurm does not know."""
    if seen.is_new:
        return Judged(_new(seen))
    if seen.word or seen.stop_reason or seen.exit_code is not None:
        return _ended(seen, seen.word or "unknown")
    if seen.started or seen.claimed:
        return Judged(Verdict("lost", reason=_with_last_words("exit code unknown, Slurm has forgotten its job", seen)))
    return Judged(Verdict("lost", reason="Slurm has forgotten it before it started"))


def _new(seen: Seen) -> Verdict:
    if seen.started:
        return Verdict("running")
    words = f"submitted to Slurm as job {seen.job_id}" if seen.job_id else "Slurm has not confirmed its submission"
    return Verdict("queued", reason=words)


def _slurm(word: str, reason: str = "") -> str:
    return f"Slurm: {word} ({reason})" if reason and reason != word else f"Slurm: {word}"


def _with_last_words(reason: str, seen: Seen) -> str:
    return f"{reason}: {seen.last_words}" if seen.last_words else reason


def _last_known(seen: Seen) -> str:
    if not seen.started:
        return "submitted"
    node, job = seen.facts.get("node"), seen.facts.get("engine_job")
    return "running" + (f" on {node}" if node else "") + (f" as job {job}" if job else "")
