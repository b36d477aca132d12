"""Expand a matrix to its combinations, as GitHub Actions does. Pure.

Source: "Running variations of jobs in a workflow" in the documentation of GitHub Actions.
"""

from __future__ import annotations

import itertools
import re

from bgrun.errors import UsageError
from bgrun.model import as_text
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from bgrun.model import Scalar

    Combination = dict[str, Scalar]

MOST_COMBINATIONS = 1000
_OWN = ("include", "exclude")


def axes_of(raw: Mapping[str, Any]) -> dict[str, list[Scalar]]:
    """Return the named axes with their values."""
    return {name: values for name, values in raw.items() if name not in _OWN}


def combinations(raw: Mapping[str, Any]) -> tuple[Combination, ...]:
    """Return the combinations of a matrix in declared order.

    They are the product of its axes, changed by `exclude` and then by `include`.

    An `exclude` removes each combination that has all its values. An `include` is added to every combination
    whose axes it does not change; one that fits none becomes a combination of its own.

    Raises:
        UsageError: there is none, or more than MOST_COMBINATIONS; an `exclude` names something that is not an axis.
    """
    axes = axes_of(raw)
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST_COMBINATIONS:
        raise UsageError(f"the matrix has {count} combinations, more than {MOST_COMBINATIONS}", "remove values")
    for one in raw.get("exclude", ()):
        if unknown := [name for name in one if name not in axes]:
            raise UsageError(
                f"`exclude` names {unknown[0]!r}, which is not an axis", f"available axes: {', '.join(axes)}"
            )
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    kept = [one for one in product if not any(_holds(out, one) for out in raw.get("exclude", ()))]
    found = _with_included(kept, axes, raw.get("include", ()))
    if not found:
        raise UsageError("the matrix has no combinations", "remove an `exclude`, or add an axis")
    return tuple(found)


def _holds(part: Mapping[str, Scalar], whole: Mapping[str, Scalar]) -> bool:
    return all(whole.get(name) == value for name, value in part.items())


def _with_included(
    kept: Sequence[Combination], axes: Mapping[str, Any], included: Iterable[Mapping[str, Scalar]]
) -> list[Combination]:
    found = [dict(one) for one in kept]
    alone: list[Combination] = []
    for extra in included:
        fixed = {name: value for name, value in extra.items() if name in axes}
        fitting = [one for one in found if _holds(fixed, one)]
        for one in fitting:
            one.update(extra)
        if not fitting:
            alone.append(dict(extra))
    return found + alone


def narrowed(all_of: Sequence[Combination], picked: Mapping[str, str]) -> tuple[Combination, ...]:
    """Return the combinations that have the given values, which are text.

    Raises:
        UsageError: no combination has them.
    """
    found = tuple(one for one in all_of if all(as_text(one.get(name, "")) == value for name, value in picked.items()))
    if not found:
        given = " ".join(f"{name}={value}" for name, value in picked.items())
        raise UsageError(
            f"the matrix has no combination {given}", f"available combinations: {names(map(shown, all_of))}"
        )
    return found


def shown(one: Mapping[str, Scalar]) -> str:
    """Return a combination as it is selected on the command line."""
    return " ".join(f"{name}={as_text(value)}" for name, value in one.items())


def label(base: str, one: Combination) -> str:
    """Return the label of a combination: the base, then its values."""
    values = (re.sub(r"[^A-Za-z0-9._-]+", "-", as_text(value)) for value in one.values())
    return "_".join([base, *values])
