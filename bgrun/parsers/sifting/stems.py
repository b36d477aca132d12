"""Find the lines of a log that parsers may need, by the texts in them and what they begin with. Pure.

The log is searched as bytes. Of long stems that share a part only that part is searched, and the bytes around a hit say
which stems it may be: the same few neighborhoods recur, however many lines there are, so that each is judged once.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from bgrun.parsers.expression import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Stem = str | tuple[str, ...]

COMMON = (b"rror", b"FAIL", b"ailed", b"ailing", b"assed", b"arning", b"irectory", b".py", b".ipynb")
"""Stems that stand for many longer ones."""
_NEAR = 3
"""How many bytes before and after a hit are judged."""
_START = 4
"""How many bytes of a beginning are judged."""
_MOST_KNOWN = 20_000
"""How many neighborhoods are remembered."""


class Stems:
    """The stems and starts of all parsers, given those of each.

    What a line needs to be judged by is an integer: a bit for each parser that needs it in any case, and above these
    one for each condition that decides whether its parser does.
    """

    def __init__(self, wanted: Sequence[tuple[tuple[Stem, ...], tuple[str, ...]]]) -> None:
        self._number = len(wanted)
        self._conditions: list[_Condition] = []
        always = (number for number, (texts, starts) in enumerate(wanted) if not (texts or starts))
        self._always = sum(1 << number for number in always)
        every = [(number, stem) for number, (texts, _) in enumerate(wanted) for stem in texts]
        stems = [_Stem(number, _texts(stem)) for number, stem in every]
        self.searched = _reduced({stem.texts[0] for stem in stems})
        self._searches = [
            _Search(part, [self._judged(part, stem) for stem in stems if part in stem.texts[0]])
            for part in self.searched
        ]
        begun = [(start, number) for number, (_, starts) in enumerate(wanted) for start in starts]
        self._starts = _any_start(start for start, _ in begun)
        self._heads = [(_literal(start), number) for start, number in begun]
        self._of_starts = {
            number: self._condition(_Condition(number, starts=_any_start(starts)))
            for number, (_, starts) in enumerate(wanted)
            if starts
        }
        self._begun: dict[bytes, int] = {}
        self._split: dict[int, tuple[tuple[int, ...], tuple[_Condition, ...]]] = {0: ((), ())}

    def _judged(self, part: bytes, stem: _Stem) -> _Judged:
        """Return what is near a part of a stem, and the bit that a hit of it sets."""
        first, *others = stem.texts
        at = first.index(part)
        after = first[at + len(part) :]
        is_whole = at <= _NEAR and len(after) <= _NEAR
        left = tuple(others) if is_whole else stem.texts
        bit = self._condition(_Condition(stem.parser, left)) if left else 1 << stem.parser
        return _Judged(first[max(0, at - _NEAR) : at], after[:_NEAR], bit)

    def _condition(self, one: _Condition) -> int:
        """Return the bit of a condition."""
        if one not in self._conditions:
            self._conditions.append(one)
        return 1 << (self._number + self._conditions.index(one))

    @property
    def has_always(self) -> bool:
        """Whether a parser needs every line."""
        return self._always != 0

    def hits(self, data: bytes, *, is_plain: bool = False) -> tuple[list[tuple[int, int]], bool]:
        """Return the start of each line that parsers may need, and what it is judged by; and whether a stem is in any.

        Args:
            data: whole lines.
            is_plain: whether no stem is in them, so that only their beginnings are searched.
        """
        found: dict[int, int] = {}
        if self._always:
            at = 0
            while at < len(data):
                found[at] = self._always
                at = data.index(b"\n", at) + 1
        self._add_begun(data, found)
        if is_plain:
            return sorted(found.items()), False
        is_ascii = data.isascii()
        has_stems = False
        for search in self._searches:
            if not is_ascii or search.is_ascii:
                has_stems = search.add(data, found) or has_stems
        return sorted(found.items()), has_stems

    def readers(self, judged: int, raw: bytes) -> Sequence[int]:
        """Return the numbers of the parsers that need a line."""
        if judged not in self._split:
            self._split[judged] = self._parts(judged)
        sure, conditions = self._split[judged]
        if not conditions:
            return sure
        more = []
        for one in conditions:
            for text in one.texts:
                if text not in raw:
                    break
            else:
                if one.starts is None or one.starts.match(_begun(raw)):
                    more.append(one.parser)
        return sorted({*sure, *more}) if more else sure

    def _parts(self, judged: int) -> tuple[tuple[int, ...], tuple[_Condition, ...]]:
        sure = tuple(number for number in range(self._number) if judged >> number & 1)
        asked = (one for place, one in enumerate(self._conditions) if judged >> (self._number + place) & 1)
        return sure, tuple(one for one in asked if one.parser not in sure)

    def _add_begun(self, data: bytes, found: dict[int, int]) -> None:
        is_overwritten = b"\r" in data
        begun = b"\n" + (data.replace(b"\r", b"\n") if is_overwritten else data)
        known = self._begun
        start = end = -1
        for match in self._starts.finditer(begun):
            first = match.start(1)
            head = begun[first : first + _START]
            # Of a line with carriage returns only the last part is shown.
            judged = None if is_overwritten else known.get(head)
            if judged is None:
                judged = self._judge(head, is_sure=not is_overwritten)
            if first > end:
                start, end = data.rfind(b"\n", 0, first - 1) + 1, data.index(b"\n", first - 1)
            found[start] = found.get(start, 0) | judged

    def _judge(self, head: bytes, *, is_sure: bool) -> int:
        """Return what a line that begins like this is judged by: if only one parser may need it, it does."""
        numbers = {
            number
            for start, number in self._heads
            if (head.startswith(start[:_START]) or start.startswith(head) if start else head[:1].isdigit())
        }
        if not is_sure:
            return sum(self._of_starts[number] for number in numbers)
        judged = sum(self._of_starts[number] if len(numbers) > 1 else 1 << number for number in numbers)
        return _remembered(self._begun, head, judged)


of = cache(Stems)
"""Return them for parsers with these stems and starts; many logs are searched for the same ones."""


class _Stem(NamedTuple):
    """A stem of a parser: texts that are in a line together, of which the first one is searched."""

    parser: int
    texts: tuple[bytes, ...]


class _Judged(NamedTuple):
    """What is before and after the searched part of a stem, and the bit that it sets."""

    before: bytes
    after: bytes
    bit: int


class _Condition(NamedTuple):
    """Decides whether a parser needs a line: the texts are in it, and it begins with one of `starts`."""

    parser: int
    texts: tuple[bytes, ...] = ()
    starts: re.Pattern[bytes] | None = None


class _Search:
    """Finds a part of stems, and judges by the bytes around it which of them it may belong to."""

    def __init__(self, part: bytes, stems: Sequence[_Judged]) -> None:
        self.is_ascii = part.isascii()
        self._part = part
        self._stems = stems
        self._known: dict[bytes, int] = {}

    def add(self, data: bytes, found: dict[int, int]) -> bool:
        """Add the lines that may have one of the stems; return whether any has this part of one."""
        part, known = self._part, self._known
        size = len(part)
        start = end = -1
        first = at = data.find(part)
        while at >= 0:
            near = data[at - _NEAR : at + size + _NEAR] if at >= _NEAR else _padded(data[: at + size + _NEAR], at)
            judged = known.get(near)
            if judged is None:
                judged = self._judge(near)
            if judged:
                if at > end:
                    start, end = data.rfind(b"\n", 0, at) + 1, data.index(b"\n", at)
                found[start] = found.get(start, 0) | judged
            at = data.find(part, at + size)
        return first >= 0

    def _judge(self, near: bytes) -> int:
        before, after = near[:_NEAR], near[_NEAR + len(self._part) :]
        judged = 0
        for one in self._stems:
            judged |= one.bit if before.endswith(one.before) and after.startswith(one.after) else 0
        return _remembered(self._known, near, judged)


def _texts(stem: str | tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in ((stem,) if isinstance(stem, str) else stem))


def _begun(raw: bytes) -> bytes:
    """Return a line feed and what is shown of a line."""
    shown = raw.rstrip(b"\r")
    return b"\n" + shown[shown.rfind(b"\r") + 1 :]


def _padded(near: bytes, at: int) -> bytes:
    """Return the neighborhood of a hit at the beginning of the data, as long as elsewhere."""
    return b"\n" * (_NEAR - at) + near


def _remembered(known: dict[bytes, int], key: bytes, parsers: int) -> int:
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = parsers
    return parsers


def _reduced(stems: set[bytes]) -> list[bytes]:
    """Return fewer and shorter stems, one of which is in each of these."""
    short = {next((common for common in COMMON if common in stem), stem) for stem in stems}
    return sorted(stem for stem in short if not any(other in stem for other in short if other != stem))


def _token(start: str) -> str:
    """Return the first part of an expression: a character, or an escaped one."""
    return start[: 2 if start.startswith("\\") else 1]


def _literal(start: str) -> bytes:
    """Return the text that an expression begins with; b"" of one that begins with a digit."""
    found = ""
    while start and start[0] not in "[](){}.*+?|^$":
        if start[0] == "\\" and start[1].isalnum():
            return (found + "\t").encode() if start[1] == "t" else found.encode()
        token = _token(start)
        start = start[len(token) :]
        if start[:1] in ("*", "+", "?", "{"):
            break
        found += token[-1]
    return found.encode()


def _any_start(starts: Iterable[str]) -> re.Pattern[bytes]:
    """Return an expression for a line feed and one of these expressions, grouped by their first character."""
    groups: dict[str, list[str]] = {}
    for start in dict.fromkeys(starts):
        groups.setdefault(_token(start), []).append(start[len(_token(start)) :])
    every = "|".join(f"{token}(?:{'|'.join(some)})" for token, some in groups.items())
    return expression(b"\n[ \t]*(" + (every.encode() or b"(?!)") + b")")
