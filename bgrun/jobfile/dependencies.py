"""Which job needs which: transitive needs, an order in which each stands behind what it needs, cycles; pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.jobfile.specs import GroupSpec, JobFile


def in_order(wanted: Iterable[str], needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the wanted names and all they need, each once and behind what it needs.

    Apart from that the order is the one they are named in. There must be no cycle (see `cycle`).
    """
    placed: dict[str, None] = {}
    for name in wanted:
        waiting = [(name, iter(needs.get(name, ())))]
        while waiting:
            here, rest = waiting[-1]
            below = next((one for one in rest if one not in placed), None)
            if below is None:
                placed[here] = None
                waiting.pop()
            else:
                waiting.append((below, iter(needs.get(below, ()))))
    return list(placed)


def cycle(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a circle of needs, its first name again as the last, or an empty tuple."""
    done: set[str] = set()
    for start in needs:
        path: dict[str, None] = {}
        waiting = [(start, iter(needs.get(start, ())))] if start not in done else []
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
                waiting.append((below, iter(needs.get(below, ()))))
    return ()


def needs_in(job_file: JobFile, group: GroupSpec) -> dict[str, tuple[str, ...]]:
    """Return what each job needs within a group: what it needs anyway, and what the group adds."""
    needs = {name: job.depends_on for name, job in job_file.jobs.items()}
    for name in group.jobs:
        first = group.before if name not in group.before else ()
        needs[name] = tuple(dict.fromkeys((*needs.get(name, ()), *first, *group.edges.get(name, ()))))
    return needs
