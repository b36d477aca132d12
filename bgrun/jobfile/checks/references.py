"""Check the names of jobs in `depends_on` and in groups: unknown ones, cycles, jobs that need a parameter."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.errors import nearest_names
from bgrun.jobfile import dependencies, specs
from bgrun.jobfile.dependencies import dependencies_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.jobfile.specs import JobFile
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
    checked = _References(file, document, every, frozenset(document.names_in("jobs")) | around.unsure)
    yield from checked.of_groups(own)
    yield from checked.of_jobs(own)


class _References:
    """The names that are known in a file: `every` has the jobs, `declared` more names, of those with errors."""

    def __init__(self, file: str, document: Document, every: JobFile, declared: frozenset[str]) -> None:
        self.file = file
        self.document = document
        self.every = every
        self.declared = declared | every.jobs.keys()

    def _fault(self, path: DocumentPath, message: str, hint: str) -> Fault:
        return self.document.fault(self.file, path, message, hint)

    def of_groups(self, own: JobFile) -> Iterator[Fault]:
        declared = self.document.names_in("jobs")
        for group in own.groups.values():
            path: DocumentPath = ("groups", group.name)
            if group.name in declared:
                yield self._fault(path, f"{group.name!r} is also the name of a job", "rename one of them")
            yield from self._named((*path, "jobs"), group.jobs)
            yield from self._named((*path, "depends_on"), group.before)
            for name, before in group.edges.items():
                where: DocumentPath = (*path, "depends_on", name)
                if name not in group.jobs:
                    yield self._fault(where, f"{name!r} is not a job of this group", "add it to `jobs:`")
                yield from self._named(where, before)

    def of_jobs(self, own: JobFile) -> Iterator[Fault]:
        """Find unknown names and cycles in dependencies.

        The cycle of a group is reported only if its jobs alone have none.
        """
        for job in own.jobs.values():
            yield from self._named(("jobs", job.name, "depends_on"), job.depends_on)
        before = {name: job.depends_on for name, job in own.jobs.items()}
        if cycle := dependencies.cycle(before):
            yield self._cycle(("jobs", cycle[0], "depends_on"), cycle)
            return
        for group in own.groups.values():
            if cycle := dependencies.cycle(dependencies_in(self.every, group)):
                yield self._cycle(("groups", group.name, "depends_on"), cycle)

    def _cycle(self, path: DocumentPath, cycle: tuple[str, ...]) -> Fault:
        return self._fault(path, f"dependency cycle: {' -> '.join(cycle)}", "remove one of these dependencies")

    def _named(self, path: DocumentPath, names: tuple[str, ...]) -> Iterator[Fault]:
        """Find errors in names of jobs that start without parameters of their own."""
        for place, name in enumerate(names):
            where: DocumentPath = (*path, place) if (*path, place) in self.document.places else path
            params_of = self.every.jobs[name].params if name in self.every.jobs else ()
            if name not in self.declared:
                near = nearest_names(name, self.declared)
                hint = f"did you mean {near[0]!r}?" if near else "declare it under `jobs:`"
                yield self._fault(where, f"no job named {name!r}", hint)
            elif missing := [param.name for param in params_of if param.required]:
                message = f"job {name!r} requires parameter {missing[0]!r}, which cannot be given here"
                yield self._fault(where, message, "give the parameter a default")
