"""Turn a document into specs: frozen values, with the defaults merged in. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from bgrun.jobfile import matrix
from bgrun.jobfile.units import duration, size
from bgrun.model import Scalar
from bgrun.plan import (
    DEFAULT_GRACE_S,
    DEFAULT_MAX_LOG,
    DEFAULT_STOP_SIGNAL,
    Concurrency,
    Hook,
    Limits,
    Output,
    ReadyCheck,
    Resources,
    Retention,
    SlurmOptions,
)
from bgrun.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.plan import Condition, ReadyKind

    Conditions = Mapping[str, Condition]
    """Dependencies with a condition of their own."""

DEFAULT_SHELL = "bash -eo pipefail"
DEFAULT_BACKOFF_S = 1.0
MOST_BACKOFF_S = 3600.0
AUTO_PORT = "auto"
READY_KINDS: tuple[ReadyKind, ...] = ("log", "http", "port", "command", "delay")
CONDITIONS: Mapping[str, Condition] = {
    "service_started": "started",
    "service_healthy": "ready",
    "service_completed_successfully": "succeeded",
    "service_completed": "completed",
}
_MERGED = ("env", "retention", "resources", "slurm")
"""The settings of which a job replaces single keys of the defaults."""
HOOK_KEYS: tuple[Literal["finish", "success", "failure"], ...] = ("finish", "success", "failure")


class Param(NamedTuple):
    """A declared parameter.

    default: the value without an argument; None for a required parameter.
    """

    name: str
    type: str = "string"
    default: Scalar | None = None
    description: str = ""
    pattern: str = ""
    choices: tuple[Scalar, ...] = ()
    required: bool = True


class EnvFile(NamedTuple):
    """A dotenv file; its path is a template. One that is not required may be absent."""

    path: str
    required: bool = True


class Retry(NamedTuple):
    """How a failed command is retried.

    pauses_s: the seconds before each retry.
    exit_codes: the exit codes to retry after; empty means every failure.
    """

    pauses_s: tuple[float, ...] = ()
    exit_codes: tuple[int, ...] = ()


class Settings(NamedTuple):
    """The settings that jobs and `defaults` have in common; ad-hoc commands use the latter.

    env: templates; None is a variable that the job must not have.
    concurrency: its group is a template; an empty one means the name of the job.
    engine: '' leaves it to the start.
    """

    env: Mapping[str, Scalar | None] = {}
    env_file: tuple[EnvFile, ...] = ()
    working_dir: str = "."
    shell: str = DEFAULT_SHELL
    venv: str | bool = "auto"
    limits: Limits = Limits()
    inhibit_sleep: bool = True
    retention: Retention = Retention()
    tags: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    retry: Retry = Retry()
    hooks: tuple[Hook, ...] = ()
    timeout_share: float | None = None
    concurrency: Concurrency | None = None
    engine: str = ""
    resources: Resources = Resources()
    slurm: SlurmOptions = SlurmOptions()


class ServiceSpec(NamedTuple):
    """What makes a service of a job.

    ready: its check, whose value is a template; None: it is ready once it is launched.
    port: a number, `auto`, or '' for none.
    """

    ready: ReadyCheck | None = None
    port: str = ""


class JobSpec(NamedTuple):
    """A declared job, or a service.

    condition: the `if` expression, or ''.
    matrix: its combinations, empty without a matrix.
    progress: built-ins and regular expressions.
    problems: names of built-in problem matchers, matcher files, or matchers.
    junit: a glob of the JUnit reports that it writes, or ''.
    outputs: what to keep of the files that it writes; their paths are templates.
    rerun: the command that runs the tests in `failed` alone, or ''.
    root: the directory of the job file that declares it, which paths are relative to.
    conditions: the conditions of dependencies that have one of their own.
    service: what makes a service of it; None for a job.
    prefix: what its file is included as, so that templates name the services of their own file as that does.
    """

    name: str
    command: str | tuple[str, ...]
    settings: Settings = Settings()
    description: str = ""
    params: tuple[Param, ...] = ()
    label: str = ""
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    matrix: tuple[dict[str, Scalar], ...] = ()
    progress: tuple[str, ...] = ()
    problems: tuple[Any, ...] = ()
    junit: str = ""
    outputs: tuple[Output, ...] = ()
    rerun: str | tuple[str, ...] = ""
    root: Path = Path()
    conditions: Mapping[str, Condition] = {}
    service: ServiceSpec | None = None
    prefix: str = ""

    @property
    def part(self) -> str:
        """The key of the job file that declares it."""
        return "services" if self.service else "jobs"

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.settings.tags


class GroupSpec(NamedTuple):
    """A declared group.

    max_parallel: how many jobs run at once; None means no limit.
    before: the dependencies of every job of the group.
    edges: the dependencies of single jobs within this group.
    before_conditions, conditions: those of dependencies that have one of their own; the latter by job.
    """

    name: str
    jobs: tuple[str, ...]
    description: str = ""
    max_parallel: int | None = None
    fail_fast: bool = False
    before: tuple[str, ...] = ()
    edges: Mapping[str, tuple[str, ...]] = {}
    before_conditions: Mapping[str, Condition] = {}
    conditions: Mapping[str, Conditions] = {}


class JobFile(NamedTuple):
    """A valid job file, with the jobs and groups of those that it includes.

    jobs: the services among them, whose `service` is set.
    root: its directory, which paths in it are relative to.
    defaults: its own, which ad-hoc commands use.
    digest: a hash of the bytes of all files.
    """

    path: Path
    root: Path
    jobs: Mapping[str, JobSpec]
    groups: Mapping[str, GroupSpec]
    defaults: Settings
    digest: bytes = b""

    @property
    def tally(self) -> str:
        """How much it declares: `6 jobs, 1 service, 2 groups`."""
        services = sum(bool(job.service) for job in self.jobs.values())
        served = f", {count(services, 'service')}" if services else ""
        return f"{count(len(self.jobs) - services, 'job')}{served}, {count(len(self.groups), 'group')}"


def of_document(path: Path, data: Mapping[str, Any]) -> JobFile:
    """Return the specs of a document that is valid by the schema."""
    defaults = data.get("defaults") or {}
    jobs = {name: _job(name, raw, defaults, path.parent) for name, raw in (data.get("jobs") or {}).items()}
    services = {name: _service(name, raw, defaults, path.parent) for name, raw in (data.get("services") or {}).items()}
    groups = {name: _group(name, raw) for name, raw in (data.get("groups") or {}).items()}
    return JobFile(path, path.parent, {**jobs, **services}, groups, _settings(defaults))


def with_included(job_file: JobFile, prefix: str, other: JobFile) -> JobFile:
    """Return a job file with the jobs and groups of another one, as `PREFIX.NAME` unless the prefix is empty."""

    def full(name: str) -> str:
        return full_name(prefix, name)

    def all_full(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(full, names))

    def with_full(conditions: Conditions) -> Conditions:
        return {full(name): condition for name, condition in conditions.items()}

    jobs = {
        full(name): job._replace(
            name=full(name),
            depends_on=all_full(job.depends_on),
            conditions=with_full(job.conditions),
            prefix=full_name(prefix, job.prefix) if job.prefix else prefix,
        )
        for name, job in other.jobs.items()
    }
    groups = {
        full(name): group._replace(
            name=full(name),
            jobs=all_full(group.jobs),
            before=all_full(group.before),
            edges={full(job): all_full(before) for job, before in group.edges.items()},
            before_conditions=with_full(group.before_conditions),
            conditions={full(job): with_full(one) for job, one in group.conditions.items()},
        )
        for name, group in other.groups.items()
    }
    return job_file._replace(jobs={**job_file.jobs, **jobs}, groups={**job_file.groups, **groups})


def full_name(prefix: str, name: str) -> str:
    """Return the name of an included job or group in the job file that includes it."""
    return f"{prefix}.{name}" if prefix else name


def _job(name: str, raw: Mapping[str, Any], defaults: Mapping[str, Any], root: Path) -> JobSpec:
    return JobSpec(
        name,
        _command(raw["command"]),
        _settings(_merged(defaults, raw)),
        raw.get("description", ""),
        tuple(_param(key, value or {}) for key, value in raw.get("params", {}).items()),
        raw.get("label", ""),
        _one_or_more(raw.get("depends_on", ())),
        str(raw.get("if", "")),
        matrix.combinations(raw["matrix"]) if "matrix" in raw else (),
        _one_or_more(raw.get("progress", ())),
        tuple(raw.get("problems", ())),
        raw.get("reports", {}).get("junit", ""),
        tuple(_output(key, value) for key, value in raw.get("outputs", {}).items()),
        _command(raw.get("rerun", "")),
        root,
        _conditions(raw.get("depends_on", ())),
    )


def _service(name: str, raw: Mapping[str, Any], defaults: Mapping[str, Any], root: Path) -> JobSpec:
    """Return a service. It ends only when it is stopped: no exit code is a success, no `timeout` a default."""
    job = _job(name, raw, {key: value for key, value in defaults.items() if key != "timeout"}, root)
    limits = job.settings.limits._replace(success_exit_codes=())
    settings = job.settings._replace(limits=limits)
    return job._replace(settings=settings, service=ServiceSpec(_ready(raw.get("ready")), str(raw.get("port", ""))))


def _ready(raw: Any) -> ReadyCheck | None:
    if raw is None:
        return None
    fields: Mapping[str, Any] = {"log": raw} if isinstance(raw, str) else raw
    kind = next(kind for kind in READY_KINDS if kind in fields)
    value = "" if fields[kind] is True else str(duration(fields[kind]) if kind == "delay" else fields[kind])
    times = {"timeout_s": _seconds(fields.get("timeout")), "interval_s": _seconds(fields.get("interval"))}
    known: dict[str, Any] = {key: seconds for key, seconds in times.items() if seconds is not None}
    return ReadyCheck(kind, value, tuple(fields.get("status", ())), **known)


def _conditions(raw: Any) -> Conditions:
    """Return the conditions of a `depends_on` in its long form; none of any other."""
    return {name: CONDITIONS[one["condition"]] for name, one in raw.items()} if isinstance(raw, dict) else {}


def _command(raw: Any) -> str | tuple[str, ...]:
    return raw if isinstance(raw, str) else tuple(str(word) for word in raw)


def _output(name: str, raw: Mapping[str, Any]) -> Output:
    if "glob" in raw:
        return Output(name, "glob", raw["glob"])
    pick = raw.get("pick", ())
    keys = pick.split(".") if isinstance(pick, str) else pick
    return Output(name, "json", raw["json"], tuple(str(key) for key in keys))


def _env_files(raw: Any) -> tuple[EnvFile, ...]:
    every = raw if isinstance(raw, (list, tuple)) else (raw,)
    return tuple(EnvFile(one) if isinstance(one, str) else EnvFile(**one) for one in every)


def _one_or_more(raw: Any) -> tuple[str, ...]:
    return (raw,) if isinstance(raw, str) else tuple(raw)


def _merged(defaults: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    by_key = {key: {**defaults.get(key, {}), **raw.get(key, {})} for key in _MERGED}
    return {**defaults, **raw, **by_key}


def _settings(raw: Mapping[str, Any]) -> Settings:
    retention = raw.get("retention", {})
    return Settings(
        env=raw.get("env", {}),
        env_file=_env_files(raw.get("env_file", ())),
        working_dir=raw.get("working_dir", "."),
        shell=raw.get("shell", DEFAULT_SHELL),
        venv=raw.get("venv", "auto"),
        limits=_limits(raw),
        inhibit_sleep=raw.get("inhibit_sleep", True),
        retention=Retention(retention.get("max_runs"), _seconds(retention.get("max_age"))),
        tags=tuple(raw.get("tags", ())),
        secrets=tuple(raw.get("secrets", ())),
        retry=retry_of(raw.get("retry", {})),
        hooks=tuple(hook for when in HOOK_KEYS for hook in _hooks(when, raw.get(f"on_{when}", ()))),
        timeout_share=_share(raw.get("timeout")),
        concurrency=_concurrency(raw["concurrency"]) if "concurrency" in raw else None,
        engine=raw.get("engine", ""),
        resources=_resources(raw.get("resources", {})),
        slurm=_slurm(raw.get("slurm", {})),
    )


def _resources(raw: Mapping[str, Any]) -> Resources:
    memory = raw.get("memory")
    return Resources(raw.get("cpus"), None if memory is None else size(memory), raw.get("gpus"))


def _slurm(raw: Mapping[str, Any]) -> SlurmOptions:
    fields = {key: value for key, value in raw.items() if key not in ("time", "options")}
    return SlurmOptions(**fields, time_s=_seconds(raw.get("time")), options=tuple(raw.get("options", ())))


def _concurrency(raw: Any) -> Concurrency:
    fields: Mapping[str, Any] = {"group": raw} if isinstance(raw, str) else raw
    return Concurrency(**{"group": "", **fields})


def _share(value: Any) -> float | None:
    return float(value[:-1]) / 100 if isinstance(value, str) and value.endswith("%") else None


def retry_of(raw: int | Mapping[str, Any]) -> Retry:
    """Return the retries of a `retry:` that is valid by the schema."""
    raw = {"max": raw} if isinstance(raw, int) else raw
    first = DEFAULT_BACKOFF_S if "backoff" not in raw else duration(raw["backoff"])
    pauses = tuple(min(first * 2**place, MOST_BACKOFF_S) for place in range(raw.get("max", 0)))
    return Retry(pauses, tuple(raw.get("exit_codes", ())))


def _hooks(when: Literal["finish", "success", "failure"], raw: Any) -> Iterator[Hook]:
    for one in raw if isinstance(raw, (list, tuple)) else (raw,):
        fields: Mapping[str, Any] = {"command": one} if isinstance(one, str) else one
        timeout_s = _seconds(fields.get("timeout"))
        hook = Hook(when, fields.get("command", ""), fields.get("notify", False))
        yield hook if timeout_s is None else hook._replace(timeout_s=timeout_s)


def _limits(raw: Mapping[str, Any]) -> Limits:
    grace = _seconds(raw.get("stop_grace_period"))
    most = raw.get("log", {}).get("max_size")
    return Limits(
        timeout_s=None if _share(raw.get("timeout")) else _seconds(raw.get("timeout")),
        stop_signal=raw.get("stop_signal", DEFAULT_STOP_SIGNAL),
        stop_grace_s=DEFAULT_GRACE_S if grace is None else grace,
        success_exit_codes=tuple(raw.get("success_exit_codes", (0,))),
        max_log_bytes=DEFAULT_MAX_LOG if most is None else max(size(most), 1 << 16),
    )


def _seconds(value: str | float | None) -> float | None:
    return None if value is None else duration(value)


def _param(name: str, raw: Mapping[str, Any]) -> Param:
    default = raw.get("default")
    return Param(
        name,
        raw.get("type", "string"),
        default,
        raw.get("description", ""),
        raw.get("pattern", ""),
        tuple(raw.get("choices", ())),
        raw.get("required", default is None),
    )


def _group(name: str, raw: Mapping[str, Any]) -> GroupSpec:
    before = raw.get("depends_on", ())
    by_name: Mapping[str, Any] = before if isinstance(before, dict) else {}
    own = {key: value for key, value in by_name.items() if has_condition(value)}
    edges = {key: value for key, value in by_name.items() if key not in own}
    return GroupSpec(
        name,
        tuple(raw["jobs"]),
        raw.get("description", ""),
        raw.get("max_parallel"),
        raw.get("fail_fast", False),
        _one_or_more(own if by_name else before),
        {job: _one_or_more(others) for job, others in edges.items()},
        _conditions(own),
        {job: found for job, others in edges.items() if (found := _conditions(others))},
    )


def has_condition(value: Any) -> bool:
    """Return whether a value in the `depends_on` of a group makes its key a dependency, not a job of the group."""
    return isinstance(value, dict) and isinstance(value.get("condition"), str)
