"""Convert a job to the facts at the head of a meta, and back. Pure, except for the salt of secrets."""

from __future__ import annotations

from bgrun.engine import LOCAL
from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.plan import Concurrency, Hook, Limits, Output, ReadyCheck, RenderedJob, Resources, Retention, SlurmOptions
from bgrun.store import meta, record, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.model import RunId
    from bgrun.plan import Condition, RenderedPlan
    from bgrun.system.git import GitFacts


MOST_CMD = 32_000
"""The longest command in a meta, in characters: a hook variable holds as many of 4 bytes (execve(2), 128 KiB)."""
ROOM_FOR_THE_END = 1 << 20
"""Bytes of a meta that are reserved for facts that are known later: its process, its result."""
_CONDITIONS: Mapping[str, Condition] = {"completed": "completed", "started": "started", "ready": "ready"}
# The characters of a shell word that needs no quotes.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")


class Origin(NamedTuple):
    """The origin of a run: project directory, commit, machine and user, and the name of its engine."""

    repo_dir: str
    git: GitFacts
    host: str
    user: str
    boot_id: str
    engine: str = LOCAL


class Membership(NamedTuple):
    """The group that a run belongs to: its name and the run ID of the group run."""

    name: str
    run_id: str


_ENDS_OF_SCRIPTS = ('\nexit "$bgrun_code"\n', "\nexit 1\n")
"""How a job script ends, and one that is not to run since its condition was false."""


def of_run(run_id: RunId, job: RenderedJob, origin: Origin, group: Membership | None = None) -> dict[str, str]:
    """Return the first facts of a meta, in their fixed order; those that the launch adds are empty."""
    return {
        "ts": run_id.ts,
        "label": job.label,
        "repo_dir": origin.repo_dir,
        "shell": _shell_name(job.shell),
        "venv": job.venv,
        "cmd": shortened(job.cmd),
        "git_sha": origin.git.sha,
        "git_branch": origin.git.branch,
        "pgid": "",
        "job": job.job,
        "run_id": str(run_id),
        "host": origin.host,
        "user": origin.user,
        "boot_id": origin.boot_id,
        "pid": "",
        "pid_start": "",
        "started_at": "",
        **({"group": group.name, "group_run": group.run_id} if group else {}),
        "working_dir": job.working_dir,
        **_of_params(job.params),
        **({"tags": " ".join(job.tags)} if job.tags else {}),
        **_of_limits(job.limits),
        "inhibit_sleep": "true" if job.inhibit_sleep else "false",
        **_of_secrets(job.secrets),
        **_of_retention(job.retention),
        **_as_json("hooks", job.hooks),
        **_as_json("problems", job.problems),
        **({"junit": job.junit} if job.junit else {}),
        **_as_json("outputs", job.outputs),
        **({"only_failed_of": job.only_failed_of} if job.only_failed_of else {}),
        **({"only_failed": job.only_failed} if job.only_failed else {}),
        **_as_json("progress", job.progress),
        **_as_json("concurrency", job.concurrency),
        **({"join_key": job.join_key} if job.join_key else {}),
        **({"work_key": job.work_key} if job.work_key else {}),
        **(_of_engine(origin.engine, job) if origin.engine != LOCAL else {}),
        **(_of_service(job) if job.service else {}),
    }


def _of_service(job: RenderedJob) -> dict[str, str]:
    """Return the facts of a service: what it is, where it listens, and how it is found to be ready."""
    port = {"port": str(job.port)} if job.port else {}
    return {"service": "true", **port, **({"url": job.url} if job.url else {}), **_as_json("ready_check", job.ready)}


def _of_engine(name: str, job: RenderedJob) -> dict[str, str]:
    """Return the lines that only the runs of other engines than this machine's have."""
    asked = _as_json("resources", any(job.resources) and job.resources)
    config = {"slurm_conf": job.slurm.config} if job.slurm.config else {}
    return {"engine": name, **asked, **_as_json("slurm", any(job.slurm) and job.slurm), **config}


def shortened(cmd: str) -> str:
    """Return a command as it is in a meta: a very long one is cut, and its length is added."""
    if len(cmd) <= MOST_CMD:
        return cmd
    return f"{cmd[:MOST_CMD]}… ({len(cmd)} characters; the job script has all of them)"


def check_size(facts: Mapping[str, str]) -> None:
    """Refuse a run whose meta would be too large to be read.

    Raises:
        UsageError: it is too large; the hint names the largest value.
    """
    room = record.MOST_META - ROOM_FOR_THE_END
    # Counting characters is fast; bytes are counted only for a large meta.
    if sum(map(len, facts.values())) < room // 8 or len(meta.pack(facts)) <= room:
        return
    key = max(facts, key=lambda key: len(facts[key]))
    hint = f"its {key} take {len(facts[key])} characters; split the job, or pass long values in a file"
    raise UsageError(f"the record of {facts['run_id']} would be larger than {room >> 20} MiB", hint)


def of_bounds(plan: RenderedPlan) -> dict[str, str]:
    """Return the lines of a group run's meta that hold the bounds of its plan, and which part of the group it is."""
    most = {"max_parallel": str(plan.max_parallel)} if plan.max_parallel else {}
    fast = {"fail_fast": "true"} if plan.fail_fast else {}
    return {**most, **fast, **({"only_jobs": " ".join(plan.only)} if plan.only else {})}


def with_bounds_of(known: Mapping[str, str], plan: RenderedPlan) -> RenderedPlan:
    """Return a plan with the bounds that a group's run was started with, from its meta."""
    most = state.parse_int(known.get("max_parallel", "")) or None
    return plan._replace(max_parallel=most, fail_fast=known.get("fail_fast") == "true")


def _shell_name(words: str) -> str:
    """Return the name of the shell that runs a command; `bash` runs the job script of an argv command."""
    return words.strip().partition(" ")[0].rpartition("/")[2] or "bash"


def is_whole(script: str) -> bool:
    """Return whether a job script is whole: of a part the shell may exit with 0 without the command. Pure.

    After a power cut a file may be empty, end early or hold zeros.
    """
    return script.startswith("#!") and script.endswith(_ENDS_OF_SCRIPTS) and "\0" not in script


def job_of(facts: Mapping[str, str], script: str) -> RenderedJob:
    """Return the job of a run, for a rerun; unreadable facts get their default."""
    return RenderedJob(
        label=facts.get("label", ""),
        script=script,
        cmd=facts.get("cmd", ""),
        shell=facts.get("shell", ""),
        working_dir=facts.get("working_dir", ""),
        venv=facts.get("venv", ""),
        job=facts.get("job", ""),
        params=_params(facts.get("params", "")),
        tags=tuple(facts.get("tags", "").split()),
        limits=_limits(facts),
        inhibit_sleep=facts.get("inhibit_sleep") == "true",
        retention=retention_of(facts),
        hooks=_hooks(facts.get("hooks", "")),
        concurrency=_concurrency(facts.get("concurrency", "")),
        progress=tuple(str(one) for one in _list(facts.get("progress", ""))),
        problems=tuple(one for one in _list(facts.get("problems", "")) if isinstance(one, (str, dict))),
        junit=facts.get("junit", ""),
        outputs=outputs_of(facts),
        only_failed_of=facts.get("only_failed_of", ""),
        only_failed=facts.get("only_failed", ""),
        service=facts.get("service") == "true",
        port=state.parse_int(facts.get("port", "")) or 0,
        ready=_ready(facts.get("ready_check", "")),
        url=facts.get("url", ""),
        engine=facts.get("engine", ""),
        resources=_resources(facts.get("resources", "")),
        slurm=_slurm(facts.get("slurm", "")),
    )


def conditions_of(facts: Mapping[str, str]) -> dict[str, Condition]:
    """Return what a run waits for, by the run IDs that it depends on."""
    needs = facts.get("needs", "").split()
    words = facts.get("conditions", "").split() or [""] * len(needs)
    return {need: _CONDITIONS.get(word, "succeeded") for need, word in zip(needs, words, strict=False)}


def outputs_of(facts: Mapping[str, str]) -> tuple[Output, ...]:
    """Return the outputs that the job of a run declares."""
    try:
        found = (Output(*words) for words in _list(facts.get("outputs", "")))
        return tuple(one._replace(pick=tuple(map(str, one.pick))) for one in found)
    except TypeError:
        return ()


def _as_json(key: str, value: Any) -> dict[str, str]:
    """Return a value as a fact in JSON, none if it is empty. json is slow to import."""
    if not value:
        return {}
    import json

    return {key: json.dumps(value)}


def _list(text: str) -> list[Any]:
    if not text:
        return []
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _concurrency(text: str) -> Concurrency | None:
    found = _list(text)
    try:
        return Concurrency(*found) if found else None
    except TypeError:
        return None


def _ready(text: str) -> ReadyCheck | None:
    found = _list(text)
    try:
        kind, value, status, *times = found
        return ReadyCheck(kind, value, tuple(status), *times)
    except (TypeError, ValueError):
        return None


def _resources(text: str) -> Resources:
    try:
        return Resources(*_list(text))
    except TypeError:
        return Resources()


def _slurm(text: str) -> SlurmOptions:
    try:
        found = SlurmOptions(*_list(text))
        return found._replace(options=tuple(map(str, found.options)))
    except TypeError:
        return SlurmOptions()


def _hooks(text: str) -> tuple[Hook, ...]:
    try:
        return tuple(Hook(*words) for words in _list(text))
    except TypeError:
        return ()


def _of_limits(limits: Limits) -> dict[str, str]:
    timeout = {} if limits.timeout_s is None else {"timeout_s": _number(limits.timeout_s)}
    return {
        **timeout,
        "stop_signal": limits.stop_signal,
        "stop_grace_s": _number(limits.stop_grace_s),
        "success_exit_codes": " ".join(str(code) for code in limits.success_exit_codes),
        "max_log_bytes": str(limits.max_log_bytes),
    }


def _limits(facts: Mapping[str, str]) -> Limits:
    grace = state.parse_float(facts.get("stop_grace_s", ""))
    return Limits(
        timeout_s=state.parse_float(facts.get("timeout_s", "")),
        stop_signal=facts.get("stop_signal") or Limits().stop_signal,
        stop_grace_s=Limits().stop_grace_s if grace is None else grace,
        success_exit_codes=state.success_codes(facts),
        max_log_bytes=state.parse_int(facts.get("max_log_bytes", "")) or Limits().max_log_bytes,
    )


def _of_retention(kept: Retention) -> dict[str, str]:
    named = {"keep_runs": kept.max_runs, "keep_age_s": kept.max_age_s}
    return {key: _number(value) for key, value in named.items() if value is not None}


def _number(value: float) -> str:
    """Return a number as text that reads back as the same number, without a fraction if it has none."""
    return str(int(value)) if value == int(value) else repr(value)


def retention_of(facts: Mapping[str, str]) -> Retention:
    """Return the retention that a run was started with."""
    runs = state.parse_int(facts.get("keep_runs", ""))
    return Retention(runs, state.parse_float(facts.get("keep_age_s", "")))


def _of_secrets(secrets: Sequence[tuple[str, str]]) -> dict[str, str]:
    if not secrets:
        return {}
    from bgrun.store import masking

    return {"secrets": masking.marks(secrets)}


def _of_params(params: Sequence[tuple[str, str]]) -> dict[str, str]:
    words = [f"{key}={value}" for key, value in params]
    if not all(map(_PLAIN.issuperset, words)):
        import shlex  # slow to import

        words = [shlex.quote(word) for word in words]
    return {"params": " ".join(words)} if words else {}


def _params(text: str) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    import shlex

    try:
        pairs = (word.partition("=") for word in shlex.split(text))
        return tuple((key, value) for key, _, value in pairs)
    except ValueError:
        return ()
