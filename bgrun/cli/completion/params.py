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
    found, wanted = _of_jobs(named, place.typed, {word.partition("=")[0] for word in given})
    if not place.option and named and place.typed and "=" not in place.typed:
        plain = _plain(named[0], given)
        if plain and not any(one.value.startswith(place.typed) for one in found):
            found += (Offer(choice, plain.name) for choice in plain.choices)
        wanted = Paths() if plain and plain.type == "path" else wanted
    return found, wanted


def _plain(job: Job, given: Iterable[str]) -> Param | None:
    """Return the parameter whose value a word without a name is: the first that is not given; None if all are."""
    free = [param for param in job.params if param.type != "matrix"]
    for word in given:
        named = next((param for param in free if word.startswith(f"{param.name}=")), None)
        if named or free:
            free.remove(named or free[0])
    return free[0] if free else None


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
