"""Globs with a time limit: as glob.glob(recursive=True), except that `**` does not follow symbolic links.

The module glob imports `re`, which takes as much memory as the rest of a supervisor, and has no time limit.
"""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def matching(directory: str, pattern: str, until: float) -> Iterator[str]:
    """Yield the paths that a glob matches from a directory, until the monotonic clock reaches `until`."""
    segments = [segment for segment in pattern.split("/") if segment]
    if not segments or pattern.endswith("/"):
        return
    top = "/" if pattern.startswith("/") else directory
    yield from _below(top, segments, until)


def _below(directory: str, segments: Sequence[str], until: float) -> Iterator[str]:
    if time.monotonic() >= until:
        return
    first, *rest = segments
    if first == "**":
        yield from _anywhere(directory, rest, until)
    elif not _has_magic(first):
        path = os.path.join(directory, first)
        if rest:
            yield from _below(path, rest, until)
        elif os.path.lexists(path):
            yield path
    else:
        for name in _names(directory):
            if name.startswith(".") <= first.startswith(".") and fits(name, first):
                path = os.path.join(directory, name)
                yield from _below(path, rest, until) if rest else (path,)


def _anywhere(directory: str, rest: Sequence[str], until: float) -> Iterator[str]:
    """Yield what matches in a directory and in all below it except hidden ones. Without recursion, at any depth."""
    directories = [directory]
    while directories and time.monotonic() < until:
        here = directories.pop()
        if rest:
            yield from _below(here, rest, until)
        for name in _names(here):
            path = os.path.join(here, name)
            if name.startswith("."):
                continue
            if _is_directory(path):
                directories.append(path)
            elif not rest:
                yield path


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _has_magic(segment: str) -> bool:
    return any(sign in segment for sign in "*?[")


def escaped(path: str) -> str:
    """Return a glob that matches this path alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)


def fits(name: str, pattern: str) -> bool:
    """Return whether a name matches one segment of a glob, as fnmatch.fnmatchcase() has it.

    On a mismatch only the last `*` is extended, which takes at most len(name) x len(pattern) steps.
    """
    at = place = 0
    star, tried = -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, tried = place, at
            place += 1
            continue
        following = _after_one(pattern, place, name[at]) if place < len(pattern) else -1
        if following >= 0:
            at, place = at + 1, following
        elif star >= 0:
            tried += 1
            at, place = tried, star + 1
        else:
            return False
    return all(sign == "*" for sign in pattern[place:])


def _after_one(pattern: str, place: int, character: str) -> int:
    """Return the index in the pattern after matching one character at `place`, or -1."""
    if pattern[place] != "[" or (end := _set_end(pattern, place)) < 0:
        return place + 1 if pattern[place] in ("?", character) else -1
    body = pattern[place + 1 : end]
    negated = body.startswith("!")
    return end + 1 if _in_set(body[negated:], character) != negated else -1


def _set_end(pattern: str, place: int) -> int:
    """Return the index of the `]` that closes a `[`, or -1: then `[` is a plain character."""
    begin = place + 1
    begin += pattern[begin : begin + 1] == "!"
    return pattern.find("]", begin + (pattern[begin : begin + 1] == "]"))


def _in_set(body: str, character: str) -> bool:
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            if body[at] <= character <= body[at + 2]:
                return True
            at += 3
        else:
            if body[at] == character:
                return True
            at += 1
    return False
