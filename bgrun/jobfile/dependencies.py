"""Order jobs after their dependencies, and find dependency cycles. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.jobfile.specs import GroupSpec, JobFile, JobSpec
    from bgrun.plan import Condition


def in_order(names: Iterable[str], dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names and all their dependencies, each once and after its own dependencies.

    Otherwise names keep their order. There must be no cycle (see `cycle`).
    """
    placed: dict[str, None] = {}
    for name in names:
        waiting = [(name, iter(dependencies.get(name, ())))]
        while waiting:
            here, rest = waiting[-1]
            below = next((one for one in rest if one not in placed), None)
            if below is None:
                placed[here] = None
                waiting.pop()
            else:
                waiting.append((below, iter(dependencies.get(below, ()))))
    return list(placed)


def cycle(dependencies: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a dependency cycle, its first name repeated at the end, or an empty tuple."""
    done: set[str] = set()
    for start in dependencies:
        path: dict[str, None] = {}
        waiting = [(start, iter(dependencies.get(start, ())))] if start not in done else []
        path[start] = None
        while waiting:
            here, rest = waiting[-1]
            below = next((one for one in rest if one not in done), None)
            if below is None:
                done.add(here)
                path.pop(here)
                waiting.pop()
            elif below in path:
                names = list(path)
                return (*names[names.index(below) :], below)
            else:
                path[below] = None
                waiting.append((below, iter(dependencies.get(below, ()))))
    return ()


def dependencies_in(job_file: JobFile, group: GroupSpec) -> dict[str, tuple[str, ...]]:
    """Return the dependencies of each job within a group: its own, and those of the group."""
    found = {name: job.depends_on for name, job in job_file.jobs.items()}
    for name in group.jobs:
        before = group.before if name not in group.before else ()
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *before, *group.edges.get(name, ()))))
    return found


def conditions_in(job_file: JobFile, group: GroupSpec | None = None) -> dict[str, dict[str, Condition]]:
    """Return the conditions that dependencies of each job have of their own; within a group, those of the group too."""
    found = {name: dict(job.conditions) for name, job in job_file.jobs.items()}
    for name in group.jobs if group else ():
        assert group  # noqa: S101 - for mypy
        more = {**group.before_conditions, **group.conditions.get(name, {})}
        own = job_file.jobs[name].depends_on if name in job_file.jobs else ()
        found.setdefault(name, {}).update((before, one) for before, one in more.items() if before not in own)
    return found


def condition_of(before: JobSpec, own: Condition | None) -> Condition:
    """Return what to wait for before a dependent starts: that a service is ready, or that a job has succeeded."""
    return own or ("ready" if before.service else "succeeded")
