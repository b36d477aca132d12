"""Changes to files that belong to somebody else: merged in, idempotent, whole or not at all; pure but for `apply`."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from bgrun.errors import UsageError
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MOST = 4 << 20


class Edit(NamedTuple):
    """A file as it is (None: not there) and as it is to be."""

    path: Path
    before: str | None
    after: str

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after


def edited(path: Path, change: Callable[[str | None], str]) -> Edit:
    """Return the edit of a file that a change of its text makes.

    Raises:
        UsageError: the file cannot be read, is no text, or cannot be changed safely.
    """
    before = _read(path)
    try:
        return Edit(path, before, change(before))
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "nothing was changed; add it by hand") from error


def _read(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        data = files.read(str(path), _MOST)
        return (data or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "nothing was changed; add it by hand") from error


def between_markers(text: str | None, block: str, begin: str, end: str) -> str:
    """Return a text with a block between its markers: in place of an older one, else at the end.

    Raises:
        ValueError: there is a marker without the other.
    """
    whole = f"{begin}\n{block.strip()}\n{end}\n"
    if not text:
        return whole
    if begin not in text and end not in text:
        return f"{text.rstrip()}\n\n{whole}"
    head, first, rest = text.partition(begin)
    _, last, tail = rest.partition(end)
    if not first or not last:
        raise ValueError(f"it has {begin!r} or {end!r} without the other")
    return head + whole + tail.removeprefix("\n")


def merged_json(text: str | None, change: Callable[[dict[str, Any]], None]) -> str:
    """Return a JSON document with a change, the rest of it as it was; an unchanged one keeps its very text.

    Raises:
        ValueError: it is no JSON, such as one with comments, or has another form.
    """
    try:
        document = json.loads(text) if text and text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no plain JSON, perhaps for its comments ({error})") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - one kind of error for every odd text
    before = json.dumps(document)
    try:
        change(document)
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"it has not the expected form ({error})") from error
    if text and json.dumps(document) == before:
        return text
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def diff(edit: Edit, shown: str) -> str:
    """Return an edit as a unified diff."""
    old = (edit.before or "").splitlines(keepends=True)
    names = ("/dev/null" if edit.before is None else f"a/{shown}", f"b/{shown}")
    return "".join(difflib.unified_diff(old, edit.after.splitlines(keepends=True), *names))


def apply(edits: Iterable[Edit]) -> None:
    """Write the files that change, each whole or not at all.

    Raises:
        StorageError: one cannot be written; those before it were.
    """
    for edit in edits:
        if edit.changes:
            with files.storage(str(edit.path), "write"):
                edit.path.parent.mkdir(parents=True, exist_ok=True)
                mode = edit.path.stat().st_mode & 0o777 if edit.before is not None else 0o666 & ~_umask()
                files.replace(str(edit.path), files.unique(str(edit.path)), edit.after.encode())
                edit.path.chmod(mode)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
