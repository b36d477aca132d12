"""Read the outputs of a run from what `local.recording.outputs` kept when it finished.

Values are scalars and paths, limited in size and number, with secrets masked. An output is never attributed to the
wrong run, and where it is missing a note says why.
"""

from __future__ import annotations

import json
import math
import os

from bgrun.errors import BgrunError
from bgrun.light import NamedTuple
from bgrun.logs import reports
from bgrun.store import facts, masking, meta
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from bgrun.model import Run
    from bgrun.plan import Output, RenderedJob
    from bgrun.store.masking import Mark
    from bgrun.store.paths import RunPaths

INDEX = "outputs"
"""The file next to the copies that lists them."""
LONGEST_VALUE = 1000
"""How many characters of a text or path are shown."""
_MOST_INDEX, _MOST_JSON = 8 << 20, 16 << 20


class OutputValue(NamedTuple):
    """What a run left of a declared output.

    value: the picked scalar, or the paths of the files; None if it is missing.
    more: how many files there are beyond the listed ones.
    note: why it is missing, or what is missing from it; '' otherwise.
    """

    name: str
    value: str | int | float | bool | tuple[str, ...] | None = None
    more: int = 0
    note: str = ""


class MissingError(Exception):
    """A document has no such value; its text says why."""


class _Source(NamedTuple):
    """A finished run: its files, its job, and the directory of its project."""

    at: RunPaths
    run: Run
    job: RenderedJob
    root: str


def outputs(at: RunPaths, run: Run, job: RenderedJob, root: str, known: Sequence[Mark]) -> tuple[OutputValue, ...]:
    """Return the outputs of a finished run, in declared order; empty for one that did not run or declares none.

    Args:
        at: its files.
        run: the run.
        job: its job, which declares the outputs.
        root: the directory of its project, as in its meta; paths in it are relative to it.
        known: the marks of its secrets; they are masked.
    """
    if not job.outputs or run.live or run.started_at is None:
        return ()
    try:
        data = reading.read_own(f"{at.reports}/{INDEX}", reading.owner(at.meta), _MOST_INDEX)
    except BgrunError as error:
        return tuple(_masked(OutputValue(one.name, note=error.message), known) for one in job.outputs)
    if data is None:
        note = "not collected: nobody saw the run finish"
        return tuple(OutputValue(one.name, note=note) for one in job.outputs)
    index = meta.unpack(data)
    source = _Source(at, run, job, root)
    return tuple(_masked(_output(source, one, index), known) for one in job.outputs)


def _output(source: _Source, one: Output, index: Mapping[str, str]) -> OutputValue:
    note = index.get(f"{one.name}.note", "")
    try:
        if one.kind == "json":
            return _picked(source, one, index.get(f"{one.name}.copy", ""), note)
        return _listed(source, one, index, note)
    except MissingError as error:
        return OutputValue(one.name, note=str(error))
    except BgrunError as error:
        return OutputValue(one.name, note=f"{one.path}: {error.message}")
    except OSError as error:
        return OutputValue(one.name, note=f"{one.path}: {error.strerror}")


def _picked(source: _Source, one: Output, copy: str, note: str) -> OutputValue:
    if note or not copy or "/" in copy:
        return OutputValue(one.name, note=note or f"{one.path} was not copied")
    path = f"{source.at.reports}/{copy}"
    data = reading.read_own(path, reading.owner(source.at.meta), _MOST_JSON)
    if data is None:
        return OutputValue(one.name, note=f"the copy of {one.path} no longer exists")
    _refuse_shared(source, one, [reading.modified(path)])
    return OutputValue(one.name, pick(_document(data, one.path), one.pick, one.path))


def _document(data: bytes, shown: str) -> Any:
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MissingError(f"{shown} is not valid JSON: {str(error)[:LONGEST_VALUE]}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def pick(document: Any, keys: Sequence[str], shown: str) -> str | int | float | bool:
    """Return the scalar that keys and indexes lead to in a JSON document; `shown` is its name in messages.

    Raises:
        MissingError: there is none.
    """
    found, done = document, ""
    for key in keys:
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and len(key) < 10 and int(key) < len(found):
            found = found[int(key)]
        else:
            raise MissingError(f"{shown} has no {key!r}{f' in {done}' if done else ''}")
        done = f"{done}.{key}" if done else key
    if found is None or isinstance(found, (dict, list)):
        kind = "null" if found is None else "an object" if isinstance(found, dict) else "an array"
        raise MissingError(f"{done or shown} is {kind}; pick a string, number or boolean")
    if isinstance(found, float) and not math.isfinite(found):
        raise MissingError(f"{done or shown} is not a finite number")
    if isinstance(found, int) and found.bit_length() > 64:
        raise MissingError(f"{done or shown} is a number of more than 64 bits")
    assert isinstance(found, (str, int, float))  # noqa: S101 - JSON has no other values
    return found


def _listed(source: _Source, one: Output, index: Mapping[str, str], note: str) -> OutputValue:
    stamps, paths = [], []
    for stamp, path in _lines(index, one.name):
        stamps.append(_number(stamp) / 1e9)
        paths.append(_from_project(source, path))
    if not paths:
        return OutputValue(one.name, note=note or f"{one.path} was not written")
    _refuse_shared(source, one, stamps)
    return OutputValue(one.name, tuple(paths), _number(index.get(f"{one.name}.more", "")), note)


def _lines(index: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    place = 0
    while line := index.get(f"{name}.{place}"):
        stamp, _, path = line.partition(" ")
        yield stamp, path
        place += 1


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _from_project(source: _Source, path: str) -> str:
    """Return a path that is relative to the job's directory as one that is relative to the project, if it is in it."""
    full = os.path.normpath(os.path.join(source.job.working_dir, path))
    return full.removeprefix(f"{source.root}/")


def _refuse_shared(source: _Source, one: Output, times: Sequence[float]) -> None:
    place = reports.place_of(source.job.working_dir, one.path)
    if other := reports.other_writer(source.at, source.run, place, times, _places):
        raise MissingError(f"{one.path} may belong to {other}, which ran at the same time; use one file per run")


def _places(known: Mapping[str, str]) -> Iterator[str]:
    for one in facts.outputs_of(known):
        yield reports.place_of(known.get("working_dir", ""), one.path)


def _masked(found: OutputValue, known: Sequence[Mark]) -> OutputValue:
    value = found.value
    if isinstance(value, tuple):
        value = tuple(_shown(path, known) for path in value)
    elif value is not None and (isinstance(value, str) or _shown(str(value), known) != str(value)):
        value = _shown(str(value), known)
    return found._replace(value=value, note=_shown(found.note, known))


def _shown(text: str, known: Sequence[Mark]) -> str:
    text = text.encode("utf-8", "replace").decode()  # JSON may hold half of a surrogate pair
    shown = masking.shown(text, known)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"
