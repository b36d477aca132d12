r"""Find what programs that run several others put before each line: `web-1  | `, `[0] `, `web:test: `, or a time. Pure.

A prefix is decided from the lines themselves: lines that follow each other have one of the same form, and names come
again. A location is none (`file:3: `), nor is the word for a level (`error: `, `[INFO] `). What looks like a prefix and
is a tool's own text does no harm: lines are also read with their prefixes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.parsers.expression import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RUN = 2
"""How many lines with a prefix of one form must follow each other; of the form `name: ` one more."""
_MOST_HELD, _MOST_NAMES = 16, 1000
_MOST_AT_ONCE = 16
"""How many names a log may have whose lines are split by all of them at once, which takes a fraction of the time."""
_LAZY = 4 << 10
"""How many bytes of lines keep their block, to find the places of them only if somebody asks."""
_CLOCK = rb"\d\d:\d\d:\d\d(?:\.\d{1,9})?"
_DATE = rb"\d{4}-\d\d-\d\d[T ]%b(?:Z|[+-]\d\d:?\d\d)?" % _CLOCK
_FORMS = (
    # What a repetition stops at, and that a location is none, is said at once: `pytest -v` prints a million lines.
    rb"[A-Za-z@.][\w@./+-]{0,60}(?![\w@./+-])"
    rb"(?:(?::(?![\d.:]*:(?: |$))[\w./:-]{1,40}(?![\w./-])| [A-Za-z][\w:.-]{0,40}(?![\w.-]))?"
    rb"(?: *(?:\||\xe2\x94\x82)|[:$])"
    rb"|(?P<syslog>(?<=\n[A-Z][a-z]{2}) [ \d]\d %b))(?: |$)" % _CLOCK,
    rb"\[(?:(?P<bracketed>%b\])|[^\]\n]{1,60}\] *(?:\||\xe2\x94\x82)|[\w@.][\w@./:#$ -]{0,60}\]:?)(?: |$)" % _DATE,
    rb"(?P<time>%b(?: \d\d[OE](?=[ +]))?|%b|\d{10}\.\d{1,9})(?:[ +]|$)" % (_DATE, _CLOCK),
    rb"\xef\xbb\xbf(?P<marked>%b) " % _DATE,
    rb"(?P<docker>#\d{1,4}) \d{1,6}\.\d{1,3}(?: |$)",
)
_ANY = expression(rb"\n(?:%b)" % b"|".join(_FORMS), re.M)
_STEP = expression(
    rb"\n(?:(?P<step>[^\t\n]{1,80}\t[^\t\n]{1,80}\t)(?=(?:\xef\xbb\xbf)?%b)|%b)" % (_DATE, b"|".join(_FORMS)), re.M
)
_TIMES = (rb"[A-Z][a-z]{2} [ \d]\d %b(?: |$)" % _CLOCK, rb"\[%b\](?: |$)" % _DATE, *_FORMS[2:4])
_TIME = rb"\n(?:%b)" % re.sub(rb"\?P<\w+>", b"?:", b"|".join(_TIMES))
"""A time of any form."""
_LEVEL = expression(
    rb"\[?(?:errors?|err|warn(?:ing)?|note|notice|info|debug|trace|fatal|hint|help|pass|fail|ok|success|make)(?=[]: ])",
    re.I,
)
_LOCATION = expression(rb"[^:]*:[\d.:]*$")
_AGAIN = expression(rb" > \[.*\] .*:$")
"""What BuildKit prints before it repeats the last lines of a step that failed."""
_DIRECTORY = expression(rb"^([^@\s]\S*/\S*|\.) \S+:$")


class Part(NamedTuple):
    """Lines behind a prefix.

    name: the prefix, b"" for a time.
    texts: what follows it in each line.
    places: where each line begins in the log, or what finds that.
    is_of_block: whether all are lines of the block that was read, and not of an earlier one.
    """

    name: bytes
    texts: Sequence[bytes]
    places: Sequence[int] | Callable[[], Sequence[int]]
    is_of_block: bool = False


class _Places(NamedTuple):
    """Finds where lines begin in the log."""

    data: bytes
    begin: int
    end: int
    pattern: re.Pattern[bytes]
    at: int
    place: Callable[[int], int]

    def find(self) -> Sequence[int]:
        """Return where each line begins."""
        every = self.pattern.finditer(self.data, self.begin, self.end)
        return [self.place(self.at + found.start() + 1) for found in every]


class _Split(NamedTuple):
    """Splits lines that all begin with prefixes of one form that are known.

    other: finds the first line that begins with another one, or with none.
    each: finds the lines with a prefix, for each name; its group is what follows.
    """

    other: re.Pattern[bytes]
    each: Sequence[tuple[bytes, re.Pattern[bytes]]]


class Prefixes:
    """Finds the prefixes of a log that comes in blocks of whole lines."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._names: dict[bytes, tuple[str, bytes]] = {}
        self._splits: dict[tuple[str, int], _Split | None] = {}
        self._kind = ""
        self._held: list[tuple[bytes, int, bytes]] = []
        self._length = 0
        self._next = -1
        self._is_run = self._is_again = False
        self._last = b""

    def parts(self, data: bytes, at: int, place: Callable[[int], int], *, is_lazy: bool) -> Iterator[Part]:
        """Yield the lines with a prefix, those of each prefix in their order.

        The first ones of a run may be from an earlier block.

        Args:
            data: whole lines without escape sequences.
            at: their position.
            place: returns where a position is in the whole log.
            is_lazy: whether it may still be called when the next block was read.
        """
        data = b"\n" + data
        at -= 1
        pattern = _STEP if b"\t20" in data else _ANY
        begun = 0
        while begun < len(data):
            yield from self._at_once(data, begun, at, place, is_lazy=is_lazy)
            begun = max(begun, self._next - at - 1)
            lines: dict[bytes, tuple[list[int], list[bytes]]] = {}
            for found in pattern.finditer(data, begun):
                kind, name = self._names.get(found[0]) or self._named(found)
                if not kind:
                    continue
                for known, start, text in self._line(data, found, kind, name, at, place):
                    places, texts = lines.setdefault(known, ([], []))
                    places.append(start)
                    texts.append(text)
                if self._is_run and self._split:
                    begun = self._next - at - 1
                    break
            else:
                begun = len(data)
            for name, (places, texts) in lines.items():
                yield Part(name, texts, places)
        self._last = data[data.rfind(b"\n", 0, -1) + 1 : -1]

    def _at_once(
        self, data: bytes, begun: int, at: int, place: Callable[[int], int], *, is_lazy: bool
    ) -> Iterator[Part]:
        """Yield the lines that continue a run, up to one with a prefix that is not known."""
        split = self._split if self._next == at + begun + 1 else None
        if not split:
            return
        other = split.other.search(data, begun, len(data) - 1)
        end = other.start() if other else len(data) - 1
        for name, pattern in split.each:
            texts = pattern.findall(data, begun, end)
            if texts:
                places = _Places(data, begun, end, pattern, at, place)
                is_late = is_lazy and sum(map(len, texts)) >= _LAZY
                yield Part(name, texts, places.find if is_late else places.find(), is_of_block=True)
        self._next = at + end + 1

    @property
    def _split(self) -> _Split | None:
        """What splits the lines of a run, if there are not too many names."""
        if not self._is_run or self._is_again:
            return None
        key = self._kind, len(self._known)
        if key not in self._splits:
            names = [name for name, kind in self._known.items() if kind == self._kind]
            self._splits[key] = _split_by(self._kind, names) if len(names) <= _MOST_AT_ONCE else None
        return self._splits[key]

    def _line(
        self, data: bytes, found: re.Match[bytes], kind: str, name: bytes, at: int, place: Callable[[int], int]
    ) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield the name, place and text of a line with a prefix, and of those that were held before it."""
        after = found.end()
        start, end = at + found.start() + 1, data.index(b"\n", after)
        if start != self._next or kind != self._kind:
            self._kind, self._held, self._length, self._is_run = kind, [], 0, kind == "docker"
            self._is_again = name in self._known and _AGAIN.match(self._line_before(data, found.start())) is not None
        self._next = at + end + 1
        if self._is_again:
            return
        self._length += 1
        if name in self._known or (self._is_run and self._may_know(name)):
            yield name, place(start), data[after:end]
        if not self._is_run:
            self._held.append((name, place(start), data[after:end]))
            yield from self._begun()

    def _line_before(self, data: bytes, at: int) -> bytes:
        """Return the line before the line feed at a position, or that before the block."""
        return data[data.rfind(b"\n", 0, at) + 1 : at] if at else self._last

    def _named(self, found: re.Match[bytes]) -> tuple[str, bytes]:
        """Return the form of a prefix and what it is known by; few of them come again and again."""
        made = _named(found)
        if not found.lastgroup and len(self._names) < _MOST_NAMES:
            self._names[found[0]] = made
        return made

    def _may_know(self, name: bytes) -> bool:
        """Note the name of another prefix in a run, if there are not too many."""
        if len(self._known) < _MOST_NAMES:
            self._known[name] = self._kind
        return name in self._known

    def stripped(self, line: str) -> str:
        """Return a line without a prefix that was found."""
        data = b"\n" + line.encode("utf-8", "surrogateescape")
        found = _STEP.match(data)
        return (
            line if not found or _named(found)[1] not in self._known else data[found.end() :].decode("utf-8", "replace")
        )

    def _begun(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield the first lines of a run once it is one."""
        names = {name for name, _, _ in self._held}
        least = RUN + (self._kind == "colon")
        if self._length >= least and (b"" in names or len(names) < len(self._held)):
            held, self._held, self._is_run = self._held, [], True
            yield from (one for one in held if one[0] not in self._known)
            self._known |= dict.fromkeys(names, self._kind)
        del self._held[:-_MOST_HELD]


def _named(found: re.Match[bytes]) -> tuple[str, bytes]:
    """Return the form of a prefix, '' if it is none, and what it is known by.

    pnpm prints `packages/test$ ` before the command.
    """
    if found.lastgroup in ("step", "docker"):
        return found.lastgroup, found[found.lastgroup]
    if found.lastgroup:
        return "time", b""
    name = found[0][1:].rstrip(b" ")
    if _LEVEL.match(name):
        return "", b""
    if name[-1:] in (b":", b"$") and name[:1] != b"[":
        return ("", b"") if _LOCATION.match(name[:-1]) else ("colon", name[:-1] + b":")
    return "bracket" if name[-1:] in b"]:" else "pipe", name


def _split_by(kind: str, names: Sequence[bytes]) -> _Split | None:
    """Return what splits lines by these names of a form, None of a form that needs more than the line itself."""
    if kind == "time":
        forms = {b"": _TIME}
    elif kind in ("pipe", "colon", "bracket"):
        forms = {name: rb"\n(?:%b)" % _literal(kind, name) for name in names}
    else:
        return None
    other = rb"\n(?!%b)" % b"|".join(form.removeprefix(rb"\n") for form in forms.values())
    each = [(name, re.compile(rb"%b([^\n]*)" % form, re.M)) for name, form in forms.items()]
    return _Split(re.compile(other, re.M), each)


def _literal(kind: str, name: bytes) -> bytes:
    """Return an expression for a name as `_ANY` finds it."""
    if kind == "colon":
        return rb"%b[:$](?: |$)" % re.escape(name[:-1])
    return (
        rb"%b(?! *(?:\||\xe2\x94\x82))(?: |$)" % re.escape(name)
        if kind == "bracket"
        else rb"%b(?: |$)" % re.escape(name)
    )


def directory(prefix: bytes) -> str:
    """Return the directory that a prefix names as pnpm does (`packages/a test: `), or ''; `@a/b` is a package."""
    found = _DIRECTORY.match(prefix)
    return found[1].decode("utf-8", "replace") if found else ""
