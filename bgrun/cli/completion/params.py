"""Offer the parameters of a job, and the axes of its matrix, as `NAME=VALUE`."""

from __future__ import annotations

import os

from bgrun.cli.completion.offer import Offer, Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.api.outline import Job, Param
    from bgrun.cli.completion.names import Known

FEW = 8
"""Up to so many values of a parameter are offered with its name; more only once the name is complete."""


def at(known: Known) -> tuple[list[Offer], Paths | None]:
    """Return the parameters of the job that was named last, or those of the jobs of a group."""
    jobs, place = known.jobs, known.place
    if place.option:
        named = [jobs[name] for name in known.group_jobs if name in jobs]
        given = place.given.get(place.option.name, ())
    else:
        before = [index for index, word in enumerate(place.arguments) if word in jobs][-1:]
        named = [jobs[place.arguments[index]] for index in before]
        given = place.arguments[before[0] + 1 :] if before else ()
    return _of_jobs(named, place.typed, {word.partition("=")[0] for word in given})


def _of_jobs(jobs: Iterable[Job], typed: str, given: set[str]) -> tuple[list[Offer], Paths | None]:
    """Return what completes a word: parameters without those that are given, or the values of one."""
    name, equals, _ = typed.partition("=")
    found: list[Offer] = []
    wanted = None
    for param in (param for job in jobs for param in job.params):
        if param.name == name and equals:
            found += _values(param)
            wanted = Paths("any", f"{name}=") if param.type == "path" else wanted
        elif param.name not in given and not equals:
            found += _named(param)
    return found, wanted


def _named(param: Param) -> Iterator[Offer]:
    if 0 < len(param.choices) <= FEW:
        yield from (Offer(f"{param.name}={choice}", _described(param)) for choice in param.choices)
    else:
        yield Offer(f"{param.name}=", _described(param), open=True)


def _values(param: Param) -> Iterator[Offer]:
    """Yield the values of a parameter: its default and its choices. Of paths those that exist are listed."""
    if param.default is not None and not (param.type == "path" and os.path.lexists(param.default)):
        yield Offer(f"{param.name}={param.default}", "Default")
    yield from (Offer(f"{param.name}={choice}") for choice in param.choices)


def _described(param: Param) -> str:
    if param.type == "matrix":
        return "Matrix"
    default = "required" if param.default is None else f"default {param.default}"
    return f"{param.description or param.type} [{default}]"
