"""The combinations of a matrix, with the meaning that GitHub Actions gives to `include` and `exclude`; pure.

Source: "Running variations of jobs in a workflow" in the documentation of GitHub Actions.
"""

from __future__ import annotations

import itertools
import re

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from bgrun.model import Scalar

    Combination = dict[str, Scalar]

MOST = 1000
_OWN = ("include", "exclude")


def axes_of(raw: Mapping[str, Any]) -> dict[str, list[Scalar]]:
    """Return the named axes with their values."""
    return {name: values for name, values in raw.items() if name not in _OWN}


def combinations(raw: Mapping[str, Any]) -> tuple[Combination, ...]:
    """Return the combinations of a matrix in declared order: the product of its axes, less and more.

    A combination goes when all that an `exclude` names is true of it. An `include` is added to every
    combination whose axes it leaves as they are; one that fits none makes a combination of its own.

    Raises:
        UsageError: there is none, or more than `MOST`; an `exclude` names what is no axis.
    """
    axes = axes_of(raw)
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST:
        raise UsageError(f"the matrix has {count} combinations", f"at most {MOST} are allowed")
    for one in raw.get("exclude", ()):
        if unknown := [name for name in one if name not in axes]:
            raise UsageError(f"exclude names {unknown[0]!r}, which is no axis", f"the axes are {', '.join(axes)}")
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    kept = [one for one in product if not any(_holds(out, one) for out in raw.get("exclude", ()))]
    found = _with_included(kept, axes, raw.get("include", ()))
    if not found:
        raise UsageError("the matrix has no combination left", "take an `exclude` out, or add an axis")
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
    """Return the combinations that have the picked values, which are given as text.

    Raises:
        UsageError: none has.
    """
    found = tuple(one for one in all_of if all(as_text(one.get(name, "")) == value for name, value in picked.items()))
    if not found:
        told = ", ".join(f"{name}={value}" for name, value in picked.items())
        there = ("; ".join(_shown(one) for one in all_of[:10])) + ("; …" if len(all_of) > 10 else "")
        raise UsageError(f"the matrix has no combination with {told}", f"it has: {there}")
    return found


def _shown(one: Combination) -> str:
    return " ".join(f"{name}={as_text(value)}" for name, value in one.items())


def label(base: str, one: Combination) -> str:
    """Return a label for a combination: the base, and its values behind it."""
    values = (re.sub(r"[^A-Za-z0-9._-]+", "-", as_text(value)) for value in one.values())
    return "_".join([base, *values])


def as_text(value: Scalar) -> str:
    """Return a value as it is given on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)
