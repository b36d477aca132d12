"""The stand-ins act as the originals do."""

from __future__ import annotations

import contextlib
import itertools
import signal
import typing
from typing import Any

import pytest

from bgrun import light
from bgrun.system import process


class Ours(light.NamedTuple):
    """A tuple of ours."""

    first: int
    second: str = "two"
    third: tuple[int, ...] = ()

    @property
    def double(self) -> int:
        return self.first * 2

    @classmethod
    def of(cls, number: int) -> Ours:
        return cls(number)


class Theirs(typing.NamedTuple):
    first: int
    second: str = "two"
    third: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((1,), {}),
        ((1, "b", (2,)), {}),
        ((1,), {"third": (3,)}),
        ((), {"first": 1, "second": "x"}),
        ((), {}),
        ((1, "b", (), 4), {}),
        ((1,), {"first": 2}),
        ((1,), {"fourth": 2}),
        ((), {"second": "x"}),
    ],
)
def test_a_named_tuple_is_made_or_refused_like_the_original(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    def made(kind: Any) -> Any:
        try:
            return kind(*given, **named)
        except TypeError:
            return "refused"

    ours, theirs = made(Ours), made(Theirs)
    assert ours == theirs
    if theirs != "refused":
        assert (ours._asdict(), ours._fields) == (theirs._asdict(), theirs._fields)
        assert ours._replace(first=9) == theirs._replace(first=9)
        assert repr(ours).removeprefix("Ours") == repr(theirs).removeprefix("Theirs")
        assert hash(ours) == hash(theirs)


def test_a_named_tuple_is_frozen_and_keeps_its_methods() -> None:
    one = Ours.of(3)
    assert one.double == 6
    assert isinstance(one, tuple)
    for name in ("first", "fourth"):
        with pytest.raises(AttributeError):
            setattr(one, name, 1)
    with pytest.raises(TypeError):
        one._replace(fourth=1)


def ended(block: Any, error: BaseException | None) -> str:
    """Return how a block ends in which an error is raised."""
    try:
        with block:
            if error:
                raise error
    except BaseException as raised:  # noqa: BLE001 - whatever it is, it is compared
        return f"raised {raised!r}"
    return "over"


ERRORS = [None, ValueError("x"), FileNotFoundError("y"), KeyboardInterrupt()]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_blocks_end_like_those_of_contextlib(error: BaseException | None) -> None:
    def steps(reported: list[str], catches: type[BaseException], says: type[Exception] | None) -> Any:
        reported.append("begun")
        try:
            yield "value"
        except catches:
            if says:
                raise says("instead") from None
        finally:
            reported.append("closed")

    for catches, says in ((OSError, None), (OSError, LookupError), (ValueError, KeyError), (SystemError, None)):
        ours: list[str] = []
        theirs: list[str] = []
        own = ended(light.contextmanager(steps)(ours, catches, says), error)
        assert own == ended(contextlib.contextmanager(steps)(theirs, catches, says), error)
        assert ours == theirs == ["begun", "closed"]
    for kinds in ((OSError,), (ValueError, KeyboardInterrupt), ()):
        assert ended(light.suppress(*kinds), error) == ended(contextlib.suppress(*kinds), error)


def test_signals_have_the_names_of_the_standard_library() -> None:
    assert [process.name_of(number) for number in signal.valid_signals() if number in list(signal.Signals)] == [
        signal.Signals(number).name for number in signal.valid_signals() if number in list(signal.Signals)
    ]
    assert {process.number_of(name) for name in signal.Signals.__members__} == set(signal.Signals)
    assert process.name_of(0) is None
    assert process.number_of("SIGNOTHING") == signal.SIGTERM


@pytest.mark.parametrize("stop", [0, 2, 3, 9, None])
def test_a_slice_has_the_items_of_that_of_itertools_and_takes_no_other_one(stop: int | None) -> None:
    ours, theirs = iter(range(5)), iter(range(5))
    assert list(light.islice(ours, stop)) == list(itertools.islice(theirs, stop))
    assert list(ours) == list(theirs)
