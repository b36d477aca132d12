"""Read a run from its files; `state` derives the verdict."""

from __future__ import annotations

import os
import time

from bgrun import engine
from bgrun.errors import StorageError, UnknownNameError
from bgrun.light import NamedTuple, suppress
from bgrun.model import Run
from bgrun.store import meta, state
from bgrun.store.paths import RunPaths
from bgrun.system import clock, files, reading
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any


MOST_META = meta.MOST
MOST_STOP, MOST_REASON, MOST_ANSWER = 64 << 10, 4 << 10, 1 << 10
_NEVER = float("inf")
skipped: dict[str, str] = {}
"""Why runs were skipped that could not be read, by run ID: for one warning."""


class StopRequest(NamedTuple):
    """A stop request, recorded before any signal is sent; `now`: without a grace period."""

    reason: str
    carried_out: bool
    now: bool = False


def read_meta(at: RunPaths) -> dict[str, str] | None:
    """Return the facts of a run, or None if it does not exist."""
    data = reading.read(at.meta, MOST_META)
    if data is None:
        return None
    facts = meta.unpack(data)
    return facts if "run_id" in facts else _of_old_script(at, data)


def _of_old_script(at: RunPaths, data: bytes) -> dict[str, str]:
    from bgrun.store import foreign  # rarely needed

    return foreign.completed(at, meta.unpack_raw(data), seen_exit(at))


def seen_exit(at: RunPaths) -> int | None:
    """Return the exit code of an unsupervised run, published or still hidden.

    The job script writes it to the preallocated hidden file, and its supervisor publishes that. If the supervisor is
    killed between the two, the code is still hidden.
    """
    code = _code_in(reading.head(at.exit, 64))
    if code is None:
        with suppress(StorageError):  # whatever is in its place is none of a run's files
            code = _code_in(reading.head(at.hidden("exit"), 64))
    return code


def _code_in(data: bytes | None) -> int | None:
    return None if data is None else state.parse_int(data.decode("ascii", "replace"))


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


def read_job(at: RunPaths, facts: Mapping[str, str]) -> str:
    """Return the job ID of a run on a cluster, or '' if its submission was not confirmed.

    The tasks of an array have one file, `ID_`, which the place in the meta completes.
    """
    with suppress(StorageError):
        text = (reading.head(at.job, 64) or b"").decode("ascii", "replace").strip()
        return f"{text}{facts.get('array_index', '')}" if text.endswith("_") else text
    return ""


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


def remove(at: RunPaths, path: str) -> None:
    """Delete a file of a run, unless another process has done so; the names of all others stay known."""
    if os.path.lexists(path):
        with Change(at.log_dir, at.run_id):
            files.remove(path)


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


def read_run(at: RunPaths) -> Run | None:
    """Return a run as it is now, or None if it does not exist.

    Raises:
        StorageError: one of its files is a symlink or cannot be read.
    """
    facts: Mapping[str, str] | None = read_meta(at)
    if facts is None:
        return None
    left: tuple[int, ...] = ()
    if state.closing_words(facts) is None:
        owner = engine.of(facts)
        seen = owner.evidence(at, facts)
        if seen is None:
            return None
        facts, verdict = seen.meta, state.derive(seen)
        if verdict.state == "queued" and not seen.judged:
            verdict = verdict._replace(reason=owner.why(facts))
        if not seen.judged and is_group(facts) and verdict.state in ("lost", "succeeded", "failed"):
            verdict, left = _orphaned_group(at, facts, verdict)
            _bring_code_into_view(at, verdict)
    else:
        verdict = state.derive(state.Evidence(facts))
    run = _as_run(at, facts, verdict)
    return run._replace(left_running=left) if left else run


def readable(runs: Iterable[RunPaths]) -> Iterator[Run]:
    """Yield the runs with these paths that exist; those that cannot be read are added to `skipped`."""
    for at in runs:
        try:
            run = read_run(at)
        except StorageError as error:
            skipped[at.run_id] = error.message
            continue
        if run:
            yield run


def launched(at: RunPaths, known: bytes) -> Run:
    """Return the run that its supervisor just reported as launched, from the bytes of its meta.

    It runs for no time yet: to calculate that would load the module of dates, a fiftieth of a start.
    """
    facts = {**meta.unpack(known), "duration_s": "0"}
    return _as_run(at, facts, state.derive(state.Evidence(facts, locked=True)))


def existing(at: RunPaths) -> Run:
    """Return a run as it is now.

    Raises:
        UnknownNameError: it is gone.
        StorageError: one of its files is a symlink or cannot be read.
    """
    run = read_run(at)
    if run is None:
        raise UnknownNameError("run", at.run_id, (), "it was removed meanwhile")
    return run


def is_group(facts: Mapping[str, str]) -> bool:
    """Return whether the facts are those of a group run."""
    return "members" in facts


def is_foreign(facts: Mapping[str, str]) -> bool:
    """Return whether the facts are those of a run of the shell script that bgrun replaces (see `foreign`)."""
    return "run_id" not in facts


def is_waived(facts: Mapping[str, str]) -> bool:
    """Return whether a run was skipped because its condition is false; its group can still succeed."""
    return facts.get("waived") == "true"


def publish_exit(at: RunPaths) -> None:
    """Publish the exit code that the job script recorded, if the supervisor was killed before it could."""
    if not os.path.lexists(at.exit):
        with suppress(OSError):
            os.rename(at.hidden("exit"), at.exit)


def _bring_code_into_view(at: RunPaths, verdict: state.Verdict) -> None:
    """Publish the exit code of a finished group if its supervisor was killed before it could."""
    if verdict.exit_code is not None and not os.path.lexists(at.exit):
        with suppress(OSError):
            files.commit(at.exit, at.hidden("exit"), f"{verdict.exit_code}\n".encode())


def _orphaned_group(
    at: RunPaths, facts: Mapping[str, str], unseen: state.Verdict
) -> tuple[state.Verdict, tuple[int, ...]]:
    """Return the verdict of a group whose supervisor was killed, and the PIDs of the services that it left running.

    The verdict comes from its runs, if all results are known. The group is over once its jobs are: nobody stops its
    services any more. What becomes of those later does not change the verdict.
    """
    named = facts["members"].split()
    metas = {run_id: read_meta(at.other(run_id)) for run_id in named}
    own = {run_id: known for run_id, known in metas.items() if known is not None and not is_group(known)}
    runs = {run_id: run for run_id in own if (run := read_run(at.other(run_id)))}
    jobs = [run for run in runs.values() if not run.service]
    if any(run.live and not (run.abandoned and jobs) for run in runs.values()):
        return state.Verdict("running", reason="the supervisor was killed; started runs continue"), ()
    left = tuple(run.pid for run in runs.values() if run.live and run.pid)
    over_at = _newest_end(jobs) if jobs else _NEVER
    judged = [run for run_id, run in runs.items() if not is_waived(own[run_id]) and _counts(run, own[run_id], over_at)]
    if not runs or len(runs) < len(named) or any(run.state == "lost" for run in judged):
        return unseen, left
    return state.group_verdict(run.state for run in judged), left


def _counts(run: Run, facts: Mapping[str, str], over_at: float) -> bool:
    """Return whether a run of a group whose supervisor was killed counts for its result.

    Not a service that outlived the jobs: its supervisor would have stopped it. A duration in the meta of a run means
    that its supervisor saw the end. `over_at`: when the last job finished, in seconds since the epoch.
    """
    if not run.service or not run.started_at or "duration_s" in facts or over_at == _NEVER:
        return True
    ended = clock.epoch(run.ended_at or "")
    return ended is not None and ended < over_at


def _newest_end(runs: Iterable[Run]) -> float:
    """Return when the last of some runs finished, in seconds since the epoch; 0 if none did."""
    ends = [clock.epoch(run.ended_at) for run in runs if run.ended_at]
    return max((end for end in ends if end is not None), default=0.0)


def _as_run(at: RunPaths, facts: Mapping[str, str], verdict: state.Verdict) -> Run:
    ended_at, duration = _end(at, facts, verdict)
    run = Run(
        run_id=at.run_id,
        label=facts.get("label", ""),
        job=facts.get("job") or None,
        group=facts.get("group") or None,
        state=verdict.state,
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        pid=state.parse_int(facts.get("pid", "")),
        pgid=state.parse_int(facts.get("pgid", "")),
        started_at=facts.get("started_at") or None,
        ended_at=ended_at,
        duration_s=duration,
        cmd=facts.get("cmd", ""),
        log=at.log,
        script=at.script,
        meta=at.meta,
        git_sha=facts.get("git_sha") or None,
        git_branch=facts.get("git_branch") or None,
        group_run=facts.get("group_run") or None,
        reason=verdict.reason or (_not_ready(at, facts, verdict) if facts.get("service") else None),
        tags=tuple(facts.get("tags", "").split()),
        members=tuple(facts.get("members", "").split()),
        left_running=tuple(engine.of(facts).left_running(facts)) if facts.get("left_running") else (),
        only_failed_of=facts.get("only_failed_of") or None,
        only_jobs=tuple(facts.get("only_jobs", "").split()),
        engine=facts.get("engine") or engine.LOCAL,
        engine_job=facts.get("engine_job") or None,
        node=facts.get("node") or None,
        attempt=state.parse_int(facts.get("attempt", "")),
        **(_of_service(facts, verdict) if facts.get("service") else {}),
    )
    return _without_secrets(run, facts["secrets"]) if facts.get("secrets") else run


def _of_service(facts: Mapping[str, str], verdict: state.Verdict) -> dict[str, Any]:
    """Return the fields that only a service has."""
    return {
        "service": True,
        "ready_at": facts.get("ready_at") or None,
        "port": state.parse_int(facts.get("port", "")),
        "url": facts.get("url") or None,
        "needed_by": tuple(facts.get("needed_by", "").split()),
        "abandoned": verdict.reason == state.ABANDONED,
    }


def _not_ready(at: RunPaths, facts: Mapping[str, str], verdict: state.Verdict) -> str | None:
    """Return why a service that runs is not ready yet, with the last answer of its check; None if it is ready."""
    if verdict.state != "running" or facts.get("ready_at"):
        return None
    with suppress(StorageError):
        last = (reading.head(at.hidden("ready"), MOST_ANSWER) or b"").decode("utf-8", "replace").strip()
        return f"not ready yet: {last}" if last else "not ready yet"
    return "not ready yet"


def _without_secrets(run: Run, marks: str) -> Run:
    """Mask secrets in the facts of a run: a start refuses plain ones, but quoting may reveal one."""
    from bgrun.store import masking

    known = masking.parse(marks)
    reason = run.reason and masking.hide(run.reason, known)
    return run._replace(
        cmd=masking.hide(run.cmd, known),
        reason=reason,
        tags=tuple(masking.hide(tag, known) for tag in run.tags),
        url=run.url and masking.hide(run.url, known),
    )


def _end(at: RunPaths, facts: Mapping[str, str], verdict: state.Verdict) -> tuple[str | None, float | None]:
    """Return when a run finished, and its duration so far in seconds."""
    recorded = state.parse_float(facts.get("duration_s", ""))
    if recorded is not None:
        return facts.get("ended_at"), recorded
    started = clock.epoch(facts.get("started_at", ""))
    if verdict.state == "running" and started is not None:
        return None, round(max(0.0, time.time() - started), 3)
    if verdict.exit_code is None or started is None or facts.get("copied"):
        return facts.get("ended_at"), None
    closed = clock.epoch(facts.get("ended_at", ""))
    if closed is not None and not os.path.lexists(at.exit):
        # A group that was stopped without its supervisor: of its own exit code there is the reserved room alone.
        return facts["ended_at"], round(max(0.0, closed - started), 3)
    written = (_last_end(at, facts) or _NEVER) if is_group(facts) else _written(at)
    if written == _NEVER:
        return None, None
    return clock.iso(written), round(max(0.0, written - started), 3)


def _written(at: RunPaths) -> float:
    """Return when the exit code of a run was written."""
    return min(reading.modified(at.exit), reading.modified(at.hidden("exit")))


def _last_end(at: RunPaths, facts: Mapping[str, str]) -> float:
    """Return when the last job of a group finished: its own preallocated file is as old as its start."""
    runs = list(readable(map(at.other, facts["members"].split())))
    return _newest_end([run for run in runs if not run.service] or runs)
