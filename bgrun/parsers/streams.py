"""Read a log once as it is, and what programs printed behind a prefix once more, each on its own."""

from __future__ import annotations

from bgrun.parsers import prefixes
from bgrun.parsers.notes.directories import Directories
from bgrun.parsers.prefixes import Prefixes
from bgrun.parsers.shape import SURE
from bgrun.parsers.sifting.sieve import Sieve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bgrun.parsers.shape import Findings, Parser

DEEPEST = 3
"""How many prefixes of a line are removed: a time, then a name, then another time."""
MOST = 32
"""How many prefixes of a log are parted; lines with others are only read as they are."""


class Stream:
    """The lines of a log, or those behind one prefix of it. Positions are those of the log.

    Args:
        makers: make the parsers.
        show: turns the bytes of a line into clean text with secrets masked.
        held: how many bytes of a line are held at most.
        marks: make what reads the log alone, and not what is behind a prefix.
    """

    def __init__(
        self,
        makers: Sequence[Callable[[], Parser]],
        show: Callable[[bytes], str],
        held: int,
        marks: Sequence[Callable[[], Parser]] = (),
    ) -> None:
        self._args = (makers, show, held)
        self._base, self._depth, self._from = "", 0, 0
        self._marks = len(marks) + 1
        self.sieve = Sieve([Directories, *marks, *makers], show, held, self._part)
        self._prefixes = Prefixes()
        self._parts: dict[bytes, Stream] = {}
        self._every: list[Stream] = []
        self._calls: tuple[Findings, ...] | None = None

    def restart(self, at: int) -> None:
        """Forget what came before a position: it does not count."""
        self.sieve.restart()
        self._from, self._prefixes, self._parts = at, Prefixes(), {}
        self._every.clear()

    def jump(self) -> None:
        """Leave a part of the log out; the next bytes begin a line."""
        for one in (self, *self._every):
            one.sieve.jump()

    def claims(self) -> list[Findings]:
        """Return what each parser found, before it is settled."""
        return [call for one in (self, *self._every) for call in one.own()]

    def own(self) -> tuple[Findings, ...]:
        """Return what each parser found in the lines of this stream as they are."""
        if self._calls is None:
            self._calls = tuple(one for parser in self.sieve.parsers[self._marks :] for one in parser.findings())
        return self._calls

    def settled(self, outside: Callable[[Sequence[Findings]], Iterator[Findings]]) -> list[Findings]:
        """Return findings with the directories of their files, without what lies in the output of another tool.

        Args:
            outside: leaves out what does, of the findings in one stream.
        """
        parts = [call for one in self._parts.values() for call in one.settled(outside)]
        # A heading that is known without its prefix is that of the part, also if a parser found it within its line.
        begun = {call.start for call in parts}
        own = list(outside([one for one in self.own() if one.found or one.start not in begun]))
        owners = [one for one in own if one.owns and one.certainty == SURE and one.start not in begun]
        # What a tool shows of another program is behind a prefix, too: a test may print the log of a container.
        left = [call for call in parts if not any(one.start <= call.start and call.end <= one.end for one in owners)]
        # A line that is known without its prefix as well as with it is a tool's without it: these come first.
        return [self._based(one) for one in (*left, *own)]

    def stripped(self, line: str) -> str:
        """Return a line without the prefixes that were found."""
        for one in (self, *self._every):
            line = one._prefixes.stripped(line)
        return line

    def _based(self, call: Findings) -> Findings:
        directories = next(parser for parser in self.sieve.parsers if isinstance(parser, Directories))
        found = (
            one._replace(base=one.base or call.base or directories.base_at(one.at) or self._base) for one in call.found
        )
        return call._replace(found=tuple(found))

    def _part(self, data: bytes, at: int, *, is_plain: bool) -> None:
        """Give each line with a prefix to the stream of that prefix."""
        if self._depth == DEEPEST:
            return
        left = max(0, self._from - at)
        lines = data[left:] if left else data
        for part in self._prefixes.parts(lines, at + left, self.sieve.place, is_lazy=not self._depth):
            if part.name not in self._parts and len(self._every) < MOST:
                self._parts[part.name] = self._behind(part.name)
            if part.name in self._parts:
                sieve = self._parts[part.name].sieve
                sieve.feed_lines(part.texts, part.places, is_plain=is_plain and part.is_of_block)

    def _behind(self, prefix: bytes) -> Stream:
        makers, show, held = self._args
        shown = show(prefix + b" ")

        def whole(raw: bytes) -> str:
            """Show what follows the prefix; a secret may begin in that."""
            return show(prefix + b" " + raw).removeprefix(shown)

        made = Stream(makers, whole if prefix else show, held)
        made._base, made._depth, made._every = prefixes.directory(prefix), self._depth + 1, self._every
        self._every.append(made)
        return made
