"""Resolve the problem matchers of a job: built-ins, matcher files or inline matchers."""

from __future__ import annotations

import json
from typing import Any

from bgrun.errors import UnknownNameError, UsageError
from bgrun.parsers import problem_matchers, registry
from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.templating.inputs import RenderInputs

_MOST_BYTES = 1 << 20
_FORMAT_HINT = "see the problem matchers of GitHub Actions"


def resolve(root: Path, named: Any, inputs: RenderInputs) -> list[Any]:
    """Return the name of a built-in, or the documents of matchers, all of them valid.

    Args:
        root: the directory that files are relative to.
        named: the name of a built-in, a file ending in .json, or a matcher.
        inputs: records that the file is read.

    Raises:
        UsageError: the built-in or file does not exist, or contains no valid matcher.
    """
    if not isinstance(named, str):
        problem_matchers.parse([named])
        return [named]
    if not named.endswith(".json"):
        if named not in registry.names():
            raise UnknownNameError(
                "problem matcher", named, registry.names(), "the name of a matcher file ends in .json"
            )
        return [named]
    inputs.reads(root / named)
    documents = _read(root / named, named)
    problem_matchers.parse(documents)
    return documents


def stray_groups(root: Path, named: Any, inputs: RenderInputs) -> list[str]:
    """Return the groups that matchers name and their regular expressions do not have; arguments as above."""
    documents = resolve(root, named, inputs)
    return [text for one in documents if not isinstance(one, str) for text in problem_matchers.stray_groups(one)]


def _read(path: Path, named: str) -> list[Any]:
    try:
        raw = read_bounded(str(path), _MOST_BYTES)
        if len(raw) > _MOST_BYTES:
            raise UsageError(f"{named} is larger than {_MOST_BYTES >> 20} MiB", "make it smaller")
        documents = json.loads(raw.decode("utf-8"))["problemMatcher"]
    except OSError as error:
        raise UsageError(f"cannot read problem matchers from {named}: {error.strerror}", "check the path") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(
            f"{named} has no `problemMatcher` array (GitHub Actions format): {error}", _FORMAT_HINT
        ) from error
    if not isinstance(documents, list):
        raise UsageError(f"{named}: expected an array as `problemMatcher`", _FORMAT_HINT)
    return documents
