"""The parsers that there are, by the names that `problems:` in a job takes."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from bgrun.parsers import problem_matchers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgrun.parsers.shape import Parser

_PARSERS = {
    "pytest": "test_runners.pytest:Pytest",
    "unittest": "test_runners.unittest:Unittest",
    "jest": "test_runners.javascript.jest:Jest",
    "vitest": "test_runners.javascript.vitest:Vitest",
    "mocha": "test_runners.javascript.mocha:Mocha",
    "node": "test_runners.javascript.node:Node",
    "playwright": "test_runners.javascript.playwright:Playwright",
    "tap": "test_runners.tap:Tap",
    "go": "test_runners.go:Go",
    "cargo-test": "test_runners.cargo:CargoTest",
    "nextest": "test_runners.nextest:Nextest",
    "rspec": "test_runners.rspec:Rspec",
    "minitest": "test_runners.minitest:Minitest",
    "prove": "test_runners.prove:Prove",
    "ctest": "test_runners.ctest:Ctest",
    "dotnet-test": "test_runners.dotnet:DotnetTest",
}
"""Where the class of each parser is. Of two that claim a line with equal certainty the first one gets it."""
ALIASES: dict[str, tuple[str, ...]] = {
    "bats": ("tap",),
    "cargo": ("cargo-test", "nextest"),
    "dotnet": ("dotnet-test",),
    "node": ("tap",),
}
"""Names that stand for several parsers."""


def names() -> list[str]:
    """Return the names of all parsers, in the order of the documentation."""
    return sorted({*_PARSERS, *ALIASES, *problem_matchers.built_in()})


def makers(wanted: Collection[str] = ()) -> list[Callable[[], Parser]]:
    """Return what makes the parsers with these names, or all; only these are imported."""
    every = {one for name in wanted for one in (name, *ALIASES.get(name, ()))}
    found: list[Callable[[], Parser]] = [
        _class(place) for name, place in _PARSERS.items() if not every or name in every
    ]
    if documents := [
        (name, document)
        for name, several in problem_matchers.built_in().items()
        if not every or name in every
        for document in several
    ]:
        from bgrun.parsers.matched import Matched

        found += [partial(Matched, name, document) for name, document in documents]
    return found


def _class(place: str) -> Callable[[], Parser]:
    module, _, name = place.partition(":")
    found: Callable[[], Parser] = getattr(import_module(f"bgrun.parsers.{module}"), name)
    return found
