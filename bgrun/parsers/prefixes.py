r"""Find what programs that run several others put before each line: `web-1  | `, `[0] `, `web:test: `, or a time. Pure.

A prefix is decided from the lines themselves: lines that follow each other have one of the same form, and names come
again. A location is none (`file:3: `), nor is the word for a level (`error: `, `[INFO] `). What looks like a prefix and
is a tool's own text does no harm: lines are also read with their prefixes.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = 2
"""How many lines with a prefix of one form must follow each other; of the form `name: ` one more."""
_MOST_HELD, _MOST_NAMES = 16, 1000
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
_ANY = re.compile(rb"\n(?:%b)" % b"|".join(_FORMS), re.M)
_STEP = re.compile(
    rb"\n(?:(?P<step>[^\t\n]{1,80}\t[^\t\n]{1,80}\t)(?=(?:\xef\xbb\xbf)?%b)|%b)" % (_DATE, b"|".join(_FORMS)), re.M
)
_LEVEL = re.compile(
    rb"\[?(?:errors?|err|warn(?:ing)?|note|notice|info|debug|trace|fatal|hint|help|pass|fail|ok|success|make)(?=[]: ])",
    re.I,
)
_LOCATION = re.compile(rb"[^:]*:[\d.:]*$")
_AGAIN = re.compile(rb" > \[.*\] .*:$")
"""What BuildKit prints before it repeats the last lines of a step that failed."""
_DIRECTORY = re.compile(rb"^([^@\s]\S*/\S*|\.) \S+:$")


class Prefixes:
    """Finds the prefixes of a log that comes in blocks of whole lines."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._names: dict[bytes, tuple[str, bytes]] = {}
        self._kind = ""
        self._held: list[tuple[bytes, int, bytes]] = []
        self._length = 0
        self._next = -1
        self._is_run = self._is_again = False
        self._last = b""

    def lines(self, data: bytes, at: int, place: Callable[[int], int]) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield the lines with a prefix: its name, b'' for a time; where the line begins, and what follows the prefix.

        The first ones of a run may be from an earlier block.

        Args:
            data: whole lines without escape sequences.
            at: their position.
            place: returns where a position is in the whole log.
        """
        data = b"\n" + data
        at -= 1
        for found in (_STEP if b"\t20" in data else _ANY).finditer(data):
            kind, name = self._names.get(found[0]) or self._named(found)
            if not kind:
                continue
            after = found.end()
            start, end = at + found.start() + 1, data.index(b"\n", after)
            if start != self._next or kind != self._kind:
                self._kind, self._held, self._length, self._is_run = kind, [], 0, kind == "docker"
                self._is_again = (
                    name in self._known and _AGAIN.match(self._line_before(data, found.start())) is not None
                )
            self._next = at + end + 1
            if self._is_again:
                continue
            self._length += 1
            if name in self._known or (self._is_run and self._may_know(name)):
                yield name, place(start), data[after:end]
            if not self._is_run:
                self._held.append((name, place(start), data[after:end]))
                yield from self._begun()
        self._last = data[data.rfind(b"\n", 0, -1) + 1 : -1]

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
            self._known.add(name)
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
            self._known |= names
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


def directory(prefix: bytes) -> str:
    """Return the directory that a prefix names as pnpm does (`packages/a test: `), or ''; `@a/b` is a package."""
    found = _DIRECTORY.match(prefix)
    return found[1].decode("utf-8", "replace") if found else ""
