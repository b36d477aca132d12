"""Check the names of jobs in `depends_on` and in groups: unknown ones, cycles, conditions that cannot hold."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.errors import nearest_names
from bgrun.jobfile import dependencies, specs
from bgrun.jobfile.dependencies import dependencies_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.jobfile.specs import Conditions, JobFile
    from bgrun.jobfile.yaml_source import Document, Fault
    from bgrun.jobfile.yaml_source import Path as DocumentPath


class Around(NamedTuple):
    """What a job file includes.

    files: the included files without errors, each with its name.
    unsure: names from the others.
    """

    files: tuple[tuple[str, JobFile], ...] = ()
    unsure: frozenset[str] = frozenset()


def faults(file: str, document: Document, own: JobFile, around: Around) -> Iterator[Fault]:
    """Yield the errors of all names that jobs and groups of a file use for others."""
    every = own
    for name, other in around.files:
        every = specs.with_included(every, name, other)
    checked = _References(file, document, every, _declared(document) | around.unsure)
    yield from checked.of_parts()
    yield from checked.of_groups(own)
    yield from checked.of_jobs(own)


def _declared(document: Document) -> frozenset[str]:
    return frozenset((*document.names_in("jobs"), *document.names_in("services")))


class _References:
    """The names that are known in a file: `every` has the jobs, `declared` more names, of those with errors."""

    def __init__(self, file: str, document: Document, every: JobFile, declared: frozenset[str]) -> None:
        self.file = file
        self.document = document
        self.every = every
        self.declared = declared | every.jobs.keys()

    def _fault(self, path: DocumentPath, message: str, hint: str) -> Fault:
        return self.document.fault(self.file, path, message, hint)

    def of_parts(self) -> Iterator[Fault]:
        """Find names that are declared twice."""
        jobs = self.document.names_in("jobs")
        services = self.document.names_in("services")
        for part, kind, taken in (("services", "job", jobs), ("groups", "job", jobs), ("groups", "service", services)):
            for name in self.document.names_in(part):
                if name in taken:
                    yield self._fault((part, name), f"{name!r} is also the name of a {kind}", "rename one of them")

    def of_groups(self, own: JobFile) -> Iterator[Fault]:
        """Find unknown names in groups, and jobs that cannot be in one."""
        for group in own.groups.values():
            path: DocumentPath = ("groups", group.name)
            yield from self._named((*path, "jobs"), group.jobs)
            yield from self._named((*path, "depends_on"), group.before)
            yield from self._conditions((*path, "depends_on"), group.before_conditions)
            for name, before in group.edges.items():
                where: DocumentPath = (*path, "depends_on", name)
                if name not in group.jobs:
                    yield self._fault(where, f"{name!r} is not a job of this group", "add it to `jobs:`")
                yield from self._named(where, before)
                yield from self._conditions(where, group.conditions.get(name, {}))

    def of_jobs(self, own: JobFile) -> Iterator[Fault]:
        """Find unknown names and cycles in dependencies.

        The cycle of a group is reported only if its jobs alone have none.
        """
        for job in own.jobs.values():
            path: DocumentPath = (job.part, job.name, "depends_on")
            yield from self._named(path, job.depends_on)
            yield from self._conditions(path, job.conditions)
        before = {name: job.depends_on for name, job in own.jobs.items()}
        if cycle := dependencies.cycle(before):
            yield self._cycle((own.jobs[cycle[0]].part, cycle[0], "depends_on"), cycle)
            return
        for group in own.groups.values():
            if cycle := dependencies.cycle(dependencies_in(self.every, group)):
                yield self._cycle(("groups", group.name, "depends_on"), cycle)

    def _cycle(self, path: DocumentPath, cycle: tuple[str, ...]) -> Fault:
        return self._fault(path, f"dependency cycle: {' -> '.join(cycle)}", "remove one of these dependencies")

    def _named(self, path: DocumentPath, names: tuple[str, ...]) -> Iterator[Fault]:
        """Find errors in names of jobs that start without parameters of their own."""
        for place, name in enumerate(names):
            where = next((one for one in ((*path, place), (*path, name)) if one in self.document.places), path)
            params_of = self.every.jobs[name].params if name in self.every.jobs else ()
            if name not in self.declared:
                near = nearest_names(name, self.declared)
                hint = f"did you mean {near[0]!r}?" if near else "declare it under `jobs:`"
                yield self._fault(where, f"no job named {name!r}", hint)
            elif missing := [param.name for param in params_of if param.required]:
                message = f"job {name!r} requires parameter {missing[0]!r}, which cannot be given here"
                yield self._fault(where, message, "give the parameter a default")

    def _conditions(self, path: DocumentPath, conditions: Conditions) -> Iterator[Fault]:
        """Find conditions that cannot hold."""
        for name, condition in conditions.items():
            before = self.every.jobs.get(name)
            where: DocumentPath = (*path, name, "condition")
            if before and not before.service and condition == "ready":
                hint = "use service_completed_successfully, or declare it under `services:`"
                yield self._fault(where, f"{name!r} is a job, and only a service becomes healthy", hint)
            elif before and before.service and condition in ("succeeded", "completed"):
                hint = "use service_healthy or service_started, or declare it under `jobs:`"
                message = f"{name!r} is a service: it runs until nothing needs it, and only a job completes"
                yield self._fault(where, message, hint)
