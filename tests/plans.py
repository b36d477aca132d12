"""Plans as graphs, and the pure reference that says how they have to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    from bgrun.model import State


class Graph(NamedTuple):
    """Runs with what each needs, all of it named before; those that fail, and those that are not to run."""

    needs: dict[str, tuple[str, ...]]
    failing: frozenset[str] = frozenset()
    ruled_out: frozenset[str] = frozenset()


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> Graph:
    """Any graph without a circle."""
    names = [f"r{n}" for n in range(draw(st.integers(1, most)))]
    needs = {}
    for place, name in enumerate(names):
        before = names[:place]
        needs[name] = tuple(draw(st.lists(st.sampled_from(before), max_size=3, unique=True))) if before else ()
    some = st.frozensets(st.sampled_from(names), max_size=4)
    return Graph(needs, draw(some), draw(some))


def predicted(graph: Graph) -> tuple[dict[str, State], set[str]]:
    """Return the state in which each run has to end, and which of the skipped spoil nothing."""
    states: dict[str, State] = {}
    waived: set[str] = set()
    for name, needs in graph.needs.items():
        missing = [one for one in needs if states[one] != "succeeded"]
        if name in graph.ruled_out or (missing and waived.issuperset(missing)):
            states[name] = "skipped"
            waived.add(name)
        elif missing:
            states[name] = "skipped"
        else:
            states[name] = "failed" if name in graph.failing else "succeeded"
    return states, waived
