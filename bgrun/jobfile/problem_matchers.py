"""The problem matchers that a job names: built-in, from a file in the form of GitHub Actions, or its own."""

from __future__ import annotations

import json
from typing import Any

from bgrun.errors import UnknownNameError, UsageError
from bgrun.parsers import problem_matchers
from bgrun.system.files import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.templating.inputs import RenderInputs

_MOST = 1 << 20


def resolve(root: Path, named: Any, world: RenderInputs) -> list[Any]:
    """Return a built-in's name, or the documents of matchers, all of them sound.

    Args:
        root: the folder that files are relative to.
        named: a built-in's name, a file ending in .json, or a matcher.
        world: through which the file is looked at.

    Raises:
        UsageError: there is no such built-in or file, or what it holds is no matcher.
    """
    if not isinstance(named, str):
        problem_matchers.parse([named])
        return [named]
    if not named.endswith(".json"):
        if named not in problem_matchers.built_in():
            raise UnknownNameError(
                "problem matcher", named, problem_matchers.built_in(), "a file of matchers ends in .json"
            )
        return [named]
    world.reads(root / named)
    documents = _read(root / named, named)
    problem_matchers.parse(documents)
    return documents


def _read(path: Path, named: str) -> list[Any]:
    try:
        raw = read_bounded(str(path), _MOST)
        if len(raw) > _MOST:
            raise UsageError(f"{named} is larger than {_MOST >> 20} MiB")
        documents = json.loads(raw.decode("utf-8"))["problemMatcher"]
    except OSError as error:
        raise UsageError(f"cannot read the problem matchers in {named}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{named} has no `problemMatcher` list as GitHub Actions has it: {error}") from error
    if not isinstance(documents, list):
        raise UsageError(f"{named}: `problemMatcher` is no list")
    return documents
