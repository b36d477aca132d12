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


class UselessExcludeError(UsageError):
    """An `exclude` that fits no combination; `place` is its index."""

    def __init__(self, place: int, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.place = place


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
        UselessExcludeError: an `exclude` removes nothing, mostly because of a value of another type.
    """
    axes = axes_of(raw)
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST_COMBINATIONS:
        raise UsageError(f"the matrix has {count} combinations, more than {MOST_COMBINATIONS}", "remove values")
    for place, one in enumerate(raw.get("exclude", ())):
        _check_exclude(place, one, axes)
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    kept = [one for one in product if not any(_holds(out, one) for out in raw.get("exclude", ()))]
    found = _with_included(kept, axes, raw.get("include", ()))
    if not found:
        raise UsageError("the matrix has no combinations", "remove an `exclude`, or add an axis")
    return tuple(found)


def _check_exclude(place: int, one: Mapping[str, Scalar], axes: Mapping[str, Sequence[Scalar]]) -> None:
    for name, value in one.items():
        if name not in axes:
            message = f"`exclude` names {name!r}, which is not an axis"
            raise UselessExcludeError(place, message, f"available axes: {', '.join(axes)}")
        if not any(_same(value, other) for other in axes[name]):
            message = f"`exclude` removes nothing: axis {name!r} has no value {_written(value)}"
            raise UselessExcludeError(place, message, f"available values: {names(map(_written, axes[name]))}")


def _written(value: Scalar) -> str:
    return f'"{value}"' if isinstance(value, str) else as_text(value)


def _holds(part: Mapping[str, Scalar], whole: Mapping[str, Scalar]) -> bool:
    return all(name in whole and _same(whole[name], value) for name, value in part.items())


def _same(one: Scalar, other: Scalar) -> bool:
    """Return whether two values are equal, and neither is a boolean or text where the other is a number."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


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
