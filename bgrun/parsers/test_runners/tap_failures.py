"""Read what follows `not ok` in the Test Anything Protocol: fields in YAML, comments, or a stack trace. Pure."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Problem, number
from bgrun.parsers.test_runners.javascript.sections import Section, headline, is_foreign, is_same

_KEY = expression(r"^( *)(error|name|message|at|location|operator|expected|actual|stack|failureType|type): *(.*)$")
_PLACE = expression(r"(?:^|[\s(])(?:file://)?([^\s()][^()]*?):(\d+):\d+\)?$")
_BATS = expression(r"^\(?(?:from .* )?in (?:test )?file (\S.*?), line (\d+)[,)]?$")
_BUSTED = expression(r"^(\S.*) @ (\d+)$")
_BUSTED_MESSAGE = expression(r"^(?:Failure|Error) message: (?:(\S[^:]*):(\d+): )?(.*)$")
_PERL = expression(r"^at (\S.*) line (\d+)\.$")
_SOURCE = expression(r"^(\S.*\.[cm]?[jt]sx?) > (.+)$")
_MOST_LINES = 80
_MOST_BUSTED = 6
"""How many lines of a message of busted are kept."""


class Failed:
    """A test that failed: its names from the outermost one, its position in the log, and the lines after it.

    heading: the last comment before it, which is the name of the test where a result is that of an assertion.
    error: the error that was printed before it, if one was.
    has_failed: whether a test within it failed.
    """

    def __init__(self, path: tuple[str, ...], at: int, heading: str, error: str, *, has_failed: bool) -> None:
        self.path = path
        self.at = at
        self.heading = heading
        self.error = error
        self.has_failed = has_failed
        self.lines: list[str] = []
        self.comments: list[str] = []

    def feed(self, line: str, comment: str | None) -> None:
        """Read a line after the result; `comment` is its text if it is one."""
        if comment is None and len(self.lines) < _MOST_LINES:
            self.lines.append(line)
        elif comment is not None and len(self.comments) < _MOST_LINES:
            self.comments.append(comment.strip())


def is_parent(one: Failed) -> bool:
    """Return whether it is a test of node of which only tests within it failed.

    Its only fault is theirs, so that it is recognized through them; node counts it among the failed tests all the
    same. A suite (`describe`) is none: node does not count it.
    """
    fields = _fields(one.lines)
    return fields.get("failureType") == ["subtestsFailed"] and fields.get("type") != ["suite"]


def problem(one: Failed) -> Problem | None:
    """Return the problem that a failed test is, or None if only tests within it failed."""
    fields = _fields(one.lines)
    kind = " ".join(fields.get("failureType", ()))
    if kind == "subtestsFailed" or (one.has_failed and not kind):
        return None
    if not fields:
        return _commented(one) if one.comments and not any(line.strip() for line in one.lines) else _traced(one)
    path = one.path if "operator" not in fields or "failureType" in fields else (one.heading, *one.path)
    places = [
        place
        for key in ("location", "at")
        for line in fields.get(key, ())
        if (place := _place(line)) and not is_foreign(place[0])
    ]
    frames = [place for line in fields.get("stack", ()) if (place := _place(line)) and not is_foreign(place[0])]
    name = " > ".join(part for part in path if part)
    file, line = places[0] if places else frames[-1] if frames else (None, None)
    if source := _SOURCE.match(name):
        file, name = source[1], source[2]
    file_lines = [number for path, number in [*frames, *places] if file and is_same(path, file)]
    line = file_lines[0] if file_lines else None
    message = _message(fields) or one.path[-1]
    if file and message == "test failed" and is_same(one.path[-1], file):
        return Problem(file, None, None, one.error or message, phase="collection", test=True)
    return Problem(file, line, name, message, phase="setup" if kind == "hookFailed" else "", test=True)


def _fields(lines: list[str]) -> dict[str, list[str]]:
    """Return the lines of the fields that are of interest, of each the first one."""
    found: dict[str, list[str]] = {}
    current, depth = "", 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if (key := _KEY.match(line)) and (not current or indent <= depth or not found[current]):
            current, depth = (key[2], indent) if key[2] not in found else ("", 0)
            if current:
                found[current] = [] if key[3] in ("|-", "|", ">-", ">", "") else [_unquoted(key[3])]
        elif current and (indent > depth or not line.strip()):
            found[current].append(line.strip())
        else:
            current = ""
    return found


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text[1:-1].replace('\\"', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text.strip('"')


def _message(fields: dict[str, list[str]]) -> str:
    lines = [line for line in fields.get("error") or fields.get("message") or () if line]
    if lines:
        name = " ".join(fields.get("name", ()))
        text = headline(lines[0], lines[1:])
        return text if not name or name in text else f"{name}: {text}"
    if {"expected", "actual"} <= fields.keys():
        return f"expected: {' '.join(fields['expected'])}, actual: {' '.join(fields['actual'])}"
    return ""


def _place(text: str) -> tuple[str, int | None] | None:
    found = _PLACE.search(text)
    return (found[1], number(found[2])) if found else None


def _commented(one: Failed) -> Problem:
    """Return the problem of a test whose comments say what failed, as bats, Perl and busted print it."""
    if len(one.comments) > 1 and (begun := _BUSTED.match(one.comments[0])):
        reason = _BUSTED_MESSAGE.match(one.comments[1])
        if reason:
            line = reason[2] if reason[1] == begun[1] else begun[2]
            text = " ".join([reason[3], *one.comments[2:_MOST_BUSTED]])
            return Problem(begun[1], number(line), " > ".join(one.path), text, test=True)
    places = [found for text in one.comments if (found := _BATS.match(text) or _PERL.match(text))]
    said = [text for text in one.comments if text and not (_BATS.match(text) or _PERL.match(text))]
    said = [text for text in said if not text.startswith("Failed test")]
    # The last one is that of the test, after those of the functions that it called.
    file, line = (places[-1][1], number(places[-1][2])) if places else (None, None)
    return Problem(file, line, " > ".join(one.path), " ".join(said[:2]), test=True)


def _traced(one: Failed) -> Problem:
    """Return the problem of a test with a stack trace, as mocha prints it."""
    section = Section()
    for line in one.lines:
        section.feed(line)
    frame = next(iter(reversed(section.own_frames)), None)
    file = frame.file if frame else None
    return Problem(file, section.line_in(file) if file else None, " > ".join(one.path), section.message, test=True)
