"""Split a shell command line into the directory that it runs in and the commands that do its work. Pure.

Only what a person or an agent types for one job is understood: `cd`, an activated venv, exports, output that is
filtered or redirected, a result that is printed. Anything else gives None: nothing is known of such a line.
"""

from __future__ import annotations

import posixpath
import re

from bgrun.light import NamedTuple
from bgrun.setup import wrappers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 32 << 10
"""The maximum length of a line in characters."""
_DEEPEST = 3
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\n)+)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<redirect>\d*(?:&>>|&>|>>|>\||>&|<&|<<<|<<|<>|>|<))"
    r"|(?P<operator>\|\||\|&|&&|;;|[;&|()\n])"
    r"|(?P<word>(?:[^\s;&|<>()'\"\\]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+)",
    re.DOTALL,
)
_PIECE = re.compile(r"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"|[^'\"\\]+", re.DOTALL)
_ESCAPED = re.compile(r'\\([$`"\\])')
_SUBSHELL = re.compile(r"\s*\((?P<inner>.*)\)(?P<rest>[^()]*)", re.DOTALL)
_SEPARATORS = frozenset({";", "&&", "||", "&", "\n"})
_FILTERS = frozenset(
    re.findall(r"\S+", "tail head cat tee grep egrep fgrep rg sed awk less more wc sort uniq cut tr column ts nl")
)
_HARMLESS = frozenset(
    re.findall(r"\S+", "echo printf true : sleep wait exit date pwd set tail head cat grep egrep rg wc")
)


class Line(NamedTuple):
    """A command line.

    directory: where its commands run, relative to where the line does.
    assignments: the environment that it sets, as shell text.
    commands: the commands that do its work; each a pipeline of simple commands, which are words.
    operators: for each command `&&` if it runs only after what is before it has succeeded, else `;`.
    """

    directory: str
    assignments: tuple[str, ...]
    commands: tuple[tuple[tuple[str, ...], ...], ...]
    operators: tuple[str, ...] = ()


class _Word(NamedTuple):
    """A word: its value, its shell text, and whether the value is known without a shell."""

    value: str
    text: str
    known: bool


class _Stage(NamedTuple):
    """A simple command, and whether it changes a file."""

    words: tuple[_Word, ...]
    writes: bool


class _Pipeline(NamedTuple):
    """A pipeline, and the operator before it."""

    after: str
    stages: tuple[_Stage, ...]


class _UnknownError(Exception):
    """The line has something that is not understood."""


def programs_of(line: Line) -> set[str]:
    """Return the names that a job file must contain to declare this line as a job."""
    return {posixpath.basename(stages[0][0]) for stages in line.commands}


def is_filter(words: tuple[str, ...]) -> bool:
    """Return whether a simple command only filters or stores what it is piped."""
    return bool(words) and words[0] in _FILTERS


def parse(text: str, depth: int = 0) -> Line | None:
    """Return the parts of a command line, or None if it is not understood."""
    if len(text) > LONGEST or depth > _DEEPEST:
        return None
    if subshell := _SUBSHELL.fullmatch(text):
        import shlex

        return parse(f"sh -c {shlex.quote(subshell['inner'])}{subshell['rest']}", depth)
    reader = _Reader(depth)
    try:
        for pipeline in _pipelines(text):
            reader.add(pipeline)
    except _UnknownError:
        return None
    return Line(reader.directory, tuple(reader.assignments), tuple(reader.commands), tuple(reader.operators))


class _Reader:
    """Collects the parts of a line, pipeline by pipeline."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.directory = ""
        self.assignments: list[str] = []
        self.commands: list[tuple[tuple[str, ...], ...]] = []
        self.operators: list[str] = []
        self._has_left = False

    def add(self, pipeline: _Pipeline) -> None:
        """Take one pipeline.

        Raises:
            _UnknownError: it is not understood.
        """
        first = pipeline.stages[0].words
        name = first[0].value
        if name == "cd":
            self._change_directory(pipeline)
        elif name == "export" and len(pipeline.stages) == 1:
            self.assignments += [word.text for word in first[1:] if wrappers.is_assignment(word.text)]
        elif not _is_activation(first) and not _is_harmless(pipeline):
            if pipeline.after == "||":
                raise _UnknownError
            self._command(pipeline)

    def _change_directory(self, pipeline: _Pipeline) -> None:
        words = [word for word in pipeline.stages[0].words[1:] if word.value != "--"]
        simple = len(pipeline.stages) == 1 and pipeline.after not in ("||", "&") and not self.commands
        if not simple or len(words) != 1 or not words[0].known or words[0].value.startswith("-"):
            raise _UnknownError
        self.directory = posixpath.join(self.directory, words[0].value)

    def _command(self, pipeline: _Pipeline) -> None:
        if self._has_left:
            raise _UnknownError  # it runs elsewhere than those of the shell before it
        stages = [list(stage.words) for stage in pipeline.stages]
        if stages[0][0].value == "!":
            del stages[0][0]
        while stages[0] and wrappers.is_assignment(stages[0][0].text):
            self.assignments.append(stages[0].pop(0).text)
        if not stages[0]:
            return  # variables of the shell alone
        if not all(word.known for words in stages for word in words):
            raise _UnknownError
        plain = [tuple(word.value for word in words) for words in stages]
        bare, set_here = wrappers.without(plain[0])
        self.assignments += set_here
        inner = wrappers.shell_text(bare)
        first = len(self.commands)
        if inner is None:
            self.commands.append((bare, *plain[1:]))
            self.operators.append(";")
        else:
            self._nested(inner, tuple(plain[1:]))
        if len(self.commands) > first and pipeline.after == "&&":
            self.operators[first] = "&&"

    def _nested(self, text: str, rest: tuple[tuple[str, ...], ...]) -> None:
        line = parse(text, self._depth + 1)
        if line is None or (rest and len(line.commands) != 1) or (self.commands and line.directory):
            raise _UnknownError
        self.directory = posixpath.join(self.directory, line.directory)
        self._has_left = bool(line.directory)
        self.assignments += line.assignments
        self.commands += [(*command, *rest) for command in line.commands]
        self.operators += line.operators


def _is_activation(words: tuple[_Word, ...]) -> bool:
    return len(words) == 2 and words[0].value in ("source", ".") and words[1].value.split("/")[-1] == "activate"


def _is_harmless(pipeline: _Pipeline) -> bool:
    """Return whether a pipeline only prints, reads or waits."""
    for place, (words, writes) in enumerate(pipeline.stages):
        runs_code = any("`" in word.text or "$(" in word.text for word in words if not word.known)
        known = _HARMLESS if not place else _FILTERS - {"tee"}
        if writes or runs_code or words[0].value not in known:
            return False
    return True


# --- words ----------------------------------------------------------------------------------------


def _pipelines(text: str) -> Iterator[_Pipeline]:
    """Yield the pipelines of a line; every one has a first word."""
    after, stages, words, writes = ";", list[_Stage](), list[_Word](), False
    tokens = _tokens(text)
    for kind, part in (*tokens, ("operator", ";")):
        if kind == "word":
            words.append(_word(part))
        elif kind == "writes":
            writes = True
        else:
            if words:
                stages.append(_Stage(tuple(words), writes))
            elif part in ("|", "|&") or (stages and part != "\n"):
                raise _UnknownError
            words, writes = [], False
            if part in _SEPARATORS:
                if stages:
                    yield _Pipeline(after, tuple(stages))
                    after = part
                    stages = []
            elif part not in ("|", "|&"):
                raise _UnknownError


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield words and operators; `writes` for output that goes to a file."""
    place, redirect = 0, ""
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            raise _UnknownError
        place = found.end()
        kind, token = str(found.lastgroup), found[0]
        if kind in ("space", "comment"):
            continue
        if redirect:
            target = _word(token) if kind == "word" else None
            if target is None or ("<" in redirect and target.value != "/dev/null"):
                raise _UnknownError
            if not target.value.isdigit() and target.value not in ("/dev/null", "-"):
                yield "writes", token
            redirect = ""
        elif kind == "redirect":
            redirect = token.lstrip("0123456789")
            if redirect in ("<<", "<<<", "<>"):
                raise _UnknownError
        else:
            yield kind, token
    if redirect:
        raise _UnknownError


def _word(text: str) -> _Word:
    value, known = "", True
    for piece in _PIECE.findall(text):
        if piece[0] == "\\":
            value += piece[1:]
        elif piece[0] == "'":
            value += piece[1:-1]
        elif piece[0] == '"':
            value += _ESCAPED.sub(r"\1", piece[1:-1])
            known = known and not re.search(r"(?<!\\)[$`]", piece)
        else:
            known = known and not re.search(r"[$`*?\[]|\{.*[,.]", piece) and not (not value and piece[0] == "~")
            value += piece
    return _Word(value, text, known)
