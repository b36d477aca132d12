"""Merge changes into files of other tools: idempotent, each file whole or not at all. Only `apply` writes."""

from __future__ import annotations

import copy
import difflib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from bgrun.errors import UsageError
from bgrun.setup import json_text
from bgrun.system import files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    TextChange: TypeAlias = Callable[[str | None], str]

_MOST = 4 << 20


class Edit(NamedTuple):
    """A file before (None: it does not exist) and after a change."""

    path: Path
    before: str | None
    after: str

    @property
    def changes(self) -> bool:
        """Whether the file changes."""
        return self.before != self.after


class Change(NamedTuple):
    """A change of the text of a file, which is None if there is none."""

    path: Path
    change: TextChange


def combined(changes: Iterable[Change]) -> list[Edit]:
    """Return one edit for each file, with all its changes, one after the other.

    Raises:
        UsageError: a file cannot be read, is not text, or cannot be merged safely.
    """
    by_path: dict[Path, list[TextChange]] = {}
    for one in changes:
        by_path.setdefault(one.path, []).append(one.change)
    return [edited(path, lambda text, of_it=of_it: _in_turn(text, of_it)) for path, of_it in by_path.items()]  # type: ignore[misc]


def _in_turn(text: str | None, changes: Iterable[TextChange]) -> str:
    for change in changes:
        text = change(text)
    return text or ""


def edited(path: Path, change: Callable[[str | None], str]) -> Edit:
    """Return the edit that a change of its text makes to a file.

    Raises:
        UsageError: the file cannot be read, is not text, or cannot be merged safely.
    """
    before = _read(path)
    try:
        return Edit(path, before, change(before))
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "nothing was changed; edit the file by hand") from error


def _read(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        data = reading.read(str(path), _MOST)
        return (data or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "nothing was changed; edit the file by hand") from error


def between_markers(text: str | None, block: str, begin: str, end: str) -> str:
    """Return a text with a block between its markers: in place of an older block, or else at the end.

    Raises:
        ValueError: only one of the markers is present.
    """
    whole = f"{begin}\n{block.strip()}\n{end}\n"
    if not text:
        return whole
    line_end = "\r\n" if "\r\n" in text else "\n"
    whole = whole.replace("\n", line_end)
    if begin not in text and end not in text:
        return f"{text.rstrip()}{line_end}{line_end}{whole}"
    head, first, rest = text.partition(begin)
    _, last, tail = rest.partition(end)
    if not first or not last:
        raise ValueError(f"only one of the markers {begin!r} and {end!r} is present")
    return head + whole + tail.removeprefix(line_end)


def merged_json(text: str | None, change: Callable[[dict[str, Any]], None]) -> str:
    """Return a JSON document with a change; all else keeps its text, with comments and formatting.

    Raises:
        ValueError: it is not JSON, or has another structure.
    """
    if not text or not text.strip():
        document: dict[str, Any] = {}
        change(document)
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    node = json_text.parse(text)
    if not isinstance(node.value, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - one kind of error for every bad text
    changed = copy.deepcopy(node.value)
    try:
        change(changed)
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError("a key that bgrun adds to has a value of another type") from error
    return json_text.changed(text, node, changed)


def diff(edit: Edit, shown: str) -> str:
    """Return an edit as a unified diff."""
    old = (edit.before or "").splitlines(keepends=True)
    names = ("/dev/null" if edit.before is None else f"a/{shown}", f"b/{shown}")
    return "".join(difflib.unified_diff(old, edit.after.splitlines(keepends=True), *names))


def apply(edits: Iterable[Edit]) -> None:
    """Write the files that change, each whole or not at all.

    Raises:
        StorageError: one cannot be written; the files before it were.
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
