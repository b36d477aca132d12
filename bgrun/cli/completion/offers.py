"""Offer what can stand at the cursor: commands, options, and the values that the spec names by their kind (`what`)."""

from __future__ import annotations

from bgrun.cli.completion import names, params
from bgrun.cli.completion.offer import Offer, Paths
from bgrun.cli.spec.overview import COMMANDS
from bgrun.errors import BgrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from bgrun.cli.completion.names import Known
    from bgrun.cli.completion.place import Place

    _Found = TypeVar("_Found")

PATHS = {"file": "any", "directory": "directory", "job file": "yaml"}
"""The kinds of paths by their kind in the spec."""


def at(place: Place, *, describes: bool = True) -> tuple[list[Offer], Paths | None]:
    """Return what can stand at a place: values, with descriptions if they are needed, and paths or None."""
    known = names.Known(place, describes=describes)
    if place.option:
        found, wanted = _of_kinds(place.option.what, known)
        values = [one._replace(value=place.prefix + one.value) for one in found]
        return values, wanted._replace(prefix=place.prefix + wanted.prefix) if wanted else None
    if place.extra is not None:
        return _extra(place, known)
    if place.typed.startswith("-"):
        return list(_options(place)), None
    if place.command is None:
        return ([], None) if place.arguments else (list(_commands()), None)
    return _argument(place, known)


def _commands() -> Iterator[Offer]:
    for command in COMMANDS:
        yield Offer(command.name, command.summary)
        yield from (Offer(alias, f"Alias of {command.name}") for alias in command.aliases)


def _options(place: Place) -> Iterator[Offer]:
    """Yield the options that can still be given: long ones, and letters where only a hyphen was typed."""
    for option in place.options:
        if option.name not in place.given or option.kind == "texts":
            spellings = [one for one in option.spellings if one.startswith("--") or place.typed == "-"]
            yield from (Offer(spelling, option.help) for spelling in spellings)
    if place.command and place.command.tail:
        yield Offer("--", f"Then follows: {place.command.tail.strip('[]').removeprefix('-- ')}")


def _argument(place: Place, known: Known) -> tuple[list[Offer], Paths | None]:
    """Return what can be the next positional argument."""
    assert place.command  # noqa: S101 - the caller has one
    left = len(place.arguments)
    for argument in place.command.arguments:
        if left == 0 or argument.many in ("some", "any"):
            return _of_kinds(argument.what, known)
        left -= 1
    return ([Offer("--", "The command follows")] if place.command.tail.startswith("--") else []), None


def _extra(place: Place, known: Known) -> tuple[list[Offer], Paths | None]:
    """Return what can stand after `--`."""
    if place.command is None or not place.command.tail:
        return [], None
    if place.command.name == "group":
        return (
            ([Offer("only", "Start only the jobs that follow")], None) if not place.extra else _of_kinds("only", known)
        )
    return [], Paths()


def _of_kinds(what: str, known: Known) -> tuple[list[Offer], Paths | None]:
    """Return the values of these kinds, joined by ` or `; those that cannot be looked up are left out."""
    found: list[Offer] = []
    wanted = None
    for kind in what.split(" or ") if what else ():
        if kind in PATHS:
            wanted = Paths(PATHS[kind])
        elif kind == "param":
            values, wanted = _looked_up(lambda: params.at(known)) or ([], None)
            found += values
        else:
            found += _looked_up(lambda kind=kind: list(names.KINDS[kind](known))) or []  # type: ignore[misc]
    unique: dict[str, Offer] = {}
    for one in found:
        unique.setdefault(one.value, one)
    return list(unique.values()), wanted


def _looked_up(look: Callable[[], _Found]) -> _Found | None:
    try:
        return look()
    except (BgrunError, OSError):
        return None
