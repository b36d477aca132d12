"""Offer the parameters of a job, and the axes of its matrix, as `NAME=VALUE`."""

from __future__ import annotations

import os

from bgrun.cli.completion.offer import Offer, Paths
from bgrun.model import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.api.jobs import JobSpec, Param
    from bgrun.cli.completion.names import Known

FEW = 8
"""Up to so many values of a parameter are offered with its name; more only once the name is complete."""


def at(known: Known) -> tuple[list[Offer], Paths | None]:
    """Return the parameters of the job that was named last, or those of the jobs of a group."""
    jobs, place = known.job_file.jobs, known.place
    if place.option:
        named = [jobs[name] for name in known.group_jobs if name in jobs]
        given = place.given.get(place.option.name, ())
    else:
        before = [index for index, word in enumerate(place.arguments) if word in jobs][-1:]
        named = [jobs[place.arguments[index]] for index in before]
        given = place.arguments[before[0] + 1 :] if before else ()
    return _of_jobs(named, place.typed, {word.partition("=")[0] for word in given})


def _of_jobs(jobs: Iterable[JobSpec], typed: str, given: set[str]) -> tuple[list[Offer], Paths | None]:
    """Return what completes a word: parameters without those that are given, or the values of one."""
    name, equals, _ = typed.partition("=")
    found: list[Offer] = []
    wanted = None
    for job in jobs:
        for param in job.params:
            if param.name == name and equals:
                found += _values(param)
                wanted = Paths("any", f"{name}=") if param.type == "path" else wanted
            elif param.name not in given and not equals:
                found += _named(param.name, _choices(param), _described(param))
        for axis, values in _axes(job).items():
            if axis == name and equals:
                found += (Offer(f"{axis}={value}") for value in values)
            elif axis not in given and not equals:
                found += _named(axis, values, "Matrix")
    return found, wanted


def _named(name: str, values: tuple[str, ...], description: str) -> Iterator[Offer]:
    if 0 < len(values) <= FEW:
        yield from (Offer(f"{name}={value}", description) for value in values)
    else:
        yield Offer(f"{name}=", description, open=True)


def _values(param: Param) -> Iterator[Offer]:
    """Yield the values of a parameter: its default and its choices. Of paths those that exist are listed."""
    if param.default is not None and not (param.type == "path" and os.path.lexists(str(param.default))):
        yield Offer(f"{param.name}={as_text(param.default)}", "Default")
    yield from (Offer(f"{param.name}={choice}") for choice in _choices(param))


def _choices(param: Param) -> tuple[str, ...]:
    return ("true", "false") if param.type == "boolean" else tuple(map(as_text, param.choices))


def _described(param: Param) -> str:
    default = "required" if param.default is None else f"default {as_text(param.default)}"
    return f"{param.description or param.type} [{default}]"


def _axes(job: JobSpec) -> dict[str, tuple[str, ...]]:
    """Return the values of each axis of a job's matrix, without those that a parameter hides."""
    hidden = {param.name for param in job.params}
    axes: dict[str, dict[str, None]] = {}
    for combination in job.matrix:
        for axis, value in combination.items():
            axes.setdefault(axis, {})[as_text(value)] = None
    return {axis: tuple(values) for axis, values in axes.items() if axis not in hidden}
