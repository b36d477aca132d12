"""Read Slurm's queue: one call for all runs, whose answer is kept for all callers for two seconds.

A job is known by the comment of its submission, `bgrun:TOKEN`, and its place in a job array: Slurm gives the ID of a
job that it has forgotten to another one.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache

from bgrun.light import NamedTuple, contextmanager
from bgrun.slurm import calls
from bgrun.store.cache import Cache
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KEPT_S = 2.0
"""How many seconds an answer is kept, also that there was none."""
HERE_S = 0.25
"""How many seconds a process uses the answer that it has read, before it reads that again."""
WORD_KEPT_S = 30.0
"""How many seconds the word of the accounting about a job is kept."""
MOST_ACCOUNTED = 1000
"""How many jobs one call of sacct is for: it has to answer in time."""
COMMENT = "bgrun:"
"""Precedes the token in the comment of a job."""
LIVE = frozenset(
    {
        *("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "COMPLETING"),
        *("STAGE_OUT", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
    }
)
"""The states of a job that has not ended (squeue(1), Job state codes)."""
_ENTRY = "slurm"
_SQUEUE = ("squeue", "-r", "-h", "-t", "all", "-o", "%i|%T|%N|%e|%k|%r")
_words: dict[tuple[str, str], tuple[float, str]] = {}
"""What the accounting printed about a job of a cluster, and until when that is kept. That there was no answer is kept
for the cluster, with '' as the job: each further call would take as long again."""
_patience_s = [KEPT_S]
_here: dict[str, tuple[float, str, Queue | None]] = {}


class Job(NamedTuple):
    """A job of Slurm's.

    job_id: `12345`, or `12345_7` of an array. reason: why it is in its state, as Slurm says it. node: where it runs or
    ran, or ''. ended: when it ended or will end, in seconds since the epoch, or None.
    """

    job_id: str
    state: str
    reason: str = ""
    node: str = ""
    ended: float | None = None

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state in LIVE


class Queue(NamedTuple):
    """The jobs that Slurm knows, by token and place in the array (None for a job of its own).

    answered: whether Slurm answered at all. asked_at: when, in seconds since the epoch.
    """

    answered: bool
    jobs: Mapping[tuple[str, int | None], Job]
    asked_at: float = 0.0

    def of(self, facts: Mapping[str, str]) -> Job | None:
        """Return the job of a run, by the lines of its meta."""
        place = facts.get("array_index", "")
        return self.jobs.get((facts.get("token", ""), int(place) if place.isdigit() else None))


def parse(lines: Iterable[str]) -> dict[tuple[str, int | None], Job]:
    """Return the jobs of bgrun in the answer of squeue. Pure.

    Of two jobs with one token the one that has not ended counts, then the newer one: the other was refused.
    """
    found: dict[tuple[str, int | None], Job] = {}
    for line in lines:
        parts = line.split("|", 5)
        if len(parts) < 6 or not parts[4].startswith(COMMENT):
            continue
        job_id, state, node, ended, comment, reason = parts
        place = job_id.partition("_")[2]
        if place and not place.isdigit():
            continue
        key = (comment.removeprefix(COMMENT).strip(), int(place) if place else None)
        said = "" if reason in ("None", "(null)") else reason
        job = Job(job_id, state, said, "" if node == "(null)" else node, clock.epoch(ended))
        known = found.get(key)
        if known is None or (job.live, _number(job)) > (known.live, _number(known)):
            found[key] = job
    return found


def _number(job: Job) -> int:
    number = job.job_id.partition("_")[0]
    return int(number) if number.isdigit() else 0


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Accept answers that are so old inside the block, unless a call names another age."""
    before, _patience_s[0] = _patience_s[0], seconds
    try:
        yield
    finally:
        _patience_s[0] = before


def look(log_dir: str, max_age_s: float | None = None, config: str = "") -> Queue:
    """Return Slurm's queue as it was a moment ago.

    Args:
        log_dir: the log directory, which keeps the answer.
        max_age_s: how many seconds ago at most; 0.0 calls squeue in any case, None is `KEPT_S` or the `patience`.
        config: the `slurm.conf` to use, or '' for that of the environment.
    """
    cache = Cache(log_dir)
    whose = config or os.environ.get("SLURM_CONF", "")
    accepted_s = _patience_s[0] if max_age_s is None else max_age_s
    if accepted_s > 0:
        if kept := _kept_here(log_dir, whose):
            return kept
        if kept := _kept(cache, whose, accepted_s):
            _here[log_dir] = (time.monotonic(), whose, kept)
            return kept
    _here.pop(log_dir, None)
    # Noted before the call: what is submitted meanwhile may be missing in the answer.
    asked_at = time.time()
    answer = calls.call((*_SQUEUE, f"--user={_owner(log_dir)}"), config=config)
    answered = answer.code == 0
    lines = [line for line in answer.out.splitlines() if f"|{COMMENT}" in line] if answered else []
    # Unrounded: a time that is rounded up lies in the future for the next look, which would ask again.
    head = f"1 {time.time()!r} {asked_at!r} {int(answered)} {whose}"
    cache.write(_ENTRY, "\n".join([head, *lines]).encode())
    return Queue(answered, parse(lines), asked_at)


def _kept_here(log_dir: str, whose: str) -> Queue | None:
    """Return the answer that this process has just read: the runs of a group are read one after the other."""
    read_at, named, kept = _here.get(log_dir, (0.0, "", None))
    return kept if kept and named == whose and 0 <= time.monotonic() - read_at <= HERE_S else None


def _kept(cache: Cache, whose: str, max_age_s: float) -> Queue | None:
    data = cache.read(_ENTRY)
    if not data:
        return None
    head, jobs = _parsed(data)
    parts = head.split(" ", 4)
    try:
        form, written, asked_at, answered, named = parts
        age_s = time.time() - float(written)
        kept = Queue(answered == "1", jobs, float(asked_at))
    except ValueError:
        return None
    return kept if form == "1" and named == whose and 0 <= age_s <= max_age_s else None


def _owner(log_dir: str) -> int:
    """Return the user whose jobs the runs are: root looks at those of another one, too."""
    try:
        return os.stat(log_dir).st_uid
    except OSError:
        return os.geteuid()


@lru_cache(maxsize=1)
def _parsed(data: bytes) -> tuple[str, Mapping[tuple[str, int | None], Job]]:
    """Return the first line of a kept answer, and its jobs: each run of a group looks at the same one."""
    head, *lines = data.decode("utf-8", "replace").split("\n")
    return head, parse(lines)


def accounted(
    job_id: str, submitted: float | None, config: str = "", others: Callable[[], Iterable[str]] = tuple
) -> str:
    """Return the state in which a job ended that squeue has forgotten, or '' if nobody knows.

    There may be no accounting. A job that was submitted at another time only has the same ID. `others` returns the jobs
    that may be asked about next: one call of sacct is for all of them.
    """
    if not job_id:
        return ""
    whose = config or os.environ.get("SLURM_CONF", "")
    for key in ((whose, job_id), (whose, "")):
        until, text = _words.get(key, (0.0, ""))
        if time.monotonic() < until:
            return accounted_word(text, submitted)
    asked = list(dict.fromkeys((job_id, *others())))[:MOST_ACCOUNTED]
    words = ("sacct", "-X", "-n", "-P", "-j", ",".join(asked), "-o", "JobID,State,Submit,End")
    answer = calls.call(words, config=config)
    said = accounted_jobs(answer.out) if answer.code == 0 else {}
    until = time.monotonic() + WORD_KEPT_S
    _words.update({(whose, job): (until, said.get(job, "")) for job in (asked if answer.given else [""])})
    return accounted_word(said.get(job_id, ""), submitted)


def accounted_jobs(text: str) -> dict[str, str]:
    """Return what sacct printed about each job, without its ID. Pure."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        job, _, rest = line.partition("|")
        found[job] = f"{found.get(job, '')}{rest}\n"
    return found


def accounted_word(text: str, submitted: float | None, slack_s: float = 30.0) -> str:
    """Return the state in the answer of sacct that fits the time of a submission, or ''. Pure."""
    for line in reversed(text.splitlines()):
        state, _, rest = line.partition("|")
        at = clock.epoch(rest.partition("|")[0])
        if at is not None and submitted is not None and -slack_s <= at - submitted <= slack_s:
            word = state.split(" ")[0]  # `CANCELLED by 1000`
            return "" if word in LIVE else word
    return ""


def find(log_dir: str, token: str, config: str = "") -> str:
    """Return the ID of the job that was submitted with a token, without its place in an array; '' if Slurm lists none.

    Slurm is asked in any case: an answer that was kept may be older than the submission.
    """
    found = look(log_dir, 0.0, config).jobs
    return next((job.job_id.partition("_")[0] for (known, _), job in found.items() if known == token), "")


def config_of(facts: Mapping[str, str]) -> str:
    """Return the `slurm.conf` that a run was submitted with, or '' for that of the environment."""
    return facts.get("slurm_conf", "")


def forget(log_dir: str) -> None:
    """Drop the answer that was kept: it is known to be outdated."""
    _here.pop(log_dir, None)
    Cache(log_dir).remove(_ENTRY)
