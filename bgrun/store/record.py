"""Read a run from its files; `state` derives the verdict."""

from __future__ import annotations

import os
import time

from bgrun import engine
from bgrun.errors import StorageError, UnknownNameError
from bgrun.light import suppress
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
MOST_ANSWER = 1 << 10
_NEVER = float("inf")
skipped: dict[str, str] = {}
"""Why runs were skipped that could not be read, by run ID: for one warning."""


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


def read_job(at: RunPaths, facts: Mapping[str, str]) -> str:
    """Return the job ID of a run on a cluster, or '' if its submission was not confirmed.

    The tasks of an array have one file, `ID_`, which the place in the meta completes.
    """
    with suppress(StorageError):
        text = (reading.head(at.job, 64) or b"").decode("ascii", "replace").strip()
        return f"{text}{facts.get('array_index', '')}" if text.endswith("_") else text
    return ""


def remove(at: RunPaths, path: str) -> None:
    """Delete a file of a run, unless another process has done so; the names of all others stay known."""
    if os.path.lexists(path):
        with Change(at.log_dir, at.run_id):
            files.remove(path)


def read_run(at: RunPaths) -> Run | None:
    """Return a run as it is now, or None if it does not exist.

    Raises:
        StorageError: one of its files is a symlink or cannot be read.
    """
    facts: Mapping[str, str] | None = read_meta(at)
    if facts is None:
        return None
    left: tuple[int, ...] = ()
    verdict = state.closing_words(facts)
    if verdict is None:
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
    """Return the verdict of a group whose supervisor was killed, and the PIDs of the services that it left running."""
    from bgrun.store import orphaned_group  # rarely needed

    named = facts["members"].split()
    metas = {run_id: read_meta(at.other(run_id)) for run_id in named}
    own = {run_id: known for run_id, known in metas.items() if known is not None and not is_group(known)}
    runs = {run_id: run for run_id in own if (run := read_run(at.other(run_id)))}
    return orphaned_group.judged(unseen, named, own, runs)


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
    from bgrun.store.orphaned_group import newest_end

    return newest_end([run for run in runs if not run.service] or runs)
