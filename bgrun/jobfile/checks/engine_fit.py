"""Find in a job file what an engine would refuse, with the place of each."""

from __future__ import annotations

from bgrun import engine
from bgrun.jobfile.specs import full_name
from bgrun.light import NamedTuple
from bgrun.plan import Concurrency, Node, RenderedJob, RenderedPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.engine import Engine
    from bgrun.jobfile.include import Source
    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Fault
    from bgrun.plan import Refusal


_KEYS = {"condition": "depends_on", "junit": "reports", "services": "depends_on"}
"""The keys of the job file for options that are no key of a job."""


class Checked(NamedTuple):
    """What an engine would refuse, and warnings about what could not be checked."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


class _Declared(NamedTuple):
    """Where a job is declared: its file, and its name in that."""

    source: Source
    part: str
    name: str

    def fault(self, refusal: Refusal) -> Fault:
        """Return a refusal at the key that it is about, in the job or in the defaults of its file."""
        key, data = refusal.option.partition(".")[0], self.source.document.data
        key = _KEYS.get(key, key)
        if key in data[self.part][self.name] or key not in (data.get("defaults") or {}):
            return self._at((self.part, self.name, key), refusal)
        return self._at(("defaults", key), refusal)

    def _at(self, path: tuple[str, ...], refusal: Refusal) -> Fault:
        known = path if path in self.source.document.places else path[:-1]
        return self.source.document.fault(self.source.file, known, refusal.message, refusal.hint)


def check(source: Source, found: JobFile, owner: Engine) -> Checked:
    """Return what an engine would refuse of the jobs in a job file.

    A job that names another engine in the job file is none for this one, and is left out.
    """
    places = dict(_places(source))
    jobs = [job for job in found.jobs.values() if job.settings.engine in ("", owner.name)]
    faults: list[Fault] = []
    fit: list[Node] = []
    for job in jobs:
        nodes = _nodes(found, job)
        refused = engine.refusals(owner, RenderedPlan(nodes, (0,)))
        faults += (places[job.name].fault(one) for one in refused)
        fit += () if refused else [one for one in nodes if one.job.label == job.name]
    trial = owner.trial(RenderedPlan(tuple(fit), (0,)))
    faults += (places[one.label].fault(one) for one in trial.refusals)
    warnings = (source.document.fault(source.file, (), trial.note),) if trial.note else ()
    return Checked(tuple(_in_order(source, faults)), warnings)


def fault_of(source: Source, name: str, refusal: Refusal) -> Fault | None:
    """Return what an engine refuses of a job with its place, or None if the job file has no such job."""
    place = dict(_places(source)).get(name)
    return place.fault(refusal) if place else None


def _places(source: Source, prefix: str = "") -> Iterator[tuple[str, _Declared]]:
    for part in ("jobs", "services"):
        for name in source.document.names_in(part):
            yield full_name(prefix, name), _Declared(source, part, name)
    for one in source.included:
        yield from _places(one.source, full_name(prefix, one.name) if one.name else prefix)


def _in_order(source: Source, faults: list[Fault]) -> list[Fault]:
    """Return the faults in the order of the files, and of those at one place the first.

    A setting of the defaults is not reported for each job.
    """
    first: dict[tuple[str, int, int], Fault] = {}
    for one in faults:
        first.setdefault((one.file, one.line, one.column), one)
    files = list(dict.fromkeys(one.file for one in source.every()))
    return sorted(first.values(), key=lambda one: (files.index(one.file), one.line, one.column))


def _nodes(found: JobFile, job: JobSpec) -> tuple[Node, ...]:
    """Return what a plan of a job has of it, of each combination of its matrix, and of the services that it needs."""
    services = [found.jobs[name] for name in job.depends_on if found.jobs[name].service]
    before = tuple(Node(_unrendered(one)) for one in services)
    conditions = tuple(job.conditions.get(name, "succeeded") for name in job.depends_on)
    own = Node(_unrendered(job), tuple(range(len(job.depends_on))), conditions=conditions)
    return (*[own] * max(1, len(job.matrix)), *before)


def _unrendered(job: JobSpec) -> RenderedJob:
    """Return what can be known of a job without values for its parameters."""
    settings = job.settings
    return RenderedJob(
        job.name,
        "",
        "",
        settings.shell,
        "",
        limits=settings.limits,
        secrets=tuple((name, "") for name in settings.secrets),
        timeout_share=settings.timeout_share,
        hooks=settings.hooks,
        concurrency=settings.concurrency and _grouped(settings.concurrency, job.name),
        junit=job.junit,
        outputs=job.outputs,
        service=bool(job.service),
        resources=settings.resources,
        slurm=settings.slurm,
    )


def _grouped(declared: Concurrency, name: str) -> Concurrency:
    return declared._replace(group=declared.group or name)
