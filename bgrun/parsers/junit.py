"""Read JUnit reports, as pytest, Surefire, Jest, go-junit-report and others write them.

There is no standard; the variants are described at https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import codecs
import re
from typing import IO, TYPE_CHECKING, NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Problem
from bgrun.wording import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

_LAST = expression(r"^([^\s:][^:\n]*):(\d+): ", re.MULTILINE)
_ANY = expression(r"([\w./\\-]+\.\w+):(\d+)")
_BAD = ("failure", "error")


_PHASE = expression(r"^failed on (setup|teardown) with ")
_ENCODING = expression(rb"""^\s*<\?xml[^>]*encoding=["']([\w.-]+)""")
_UTF_8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")
_REFERENCE = expression(r"&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")
_LONGEST_REFERENCE = 16


class Report(NamedTuple):
    """The content of a test report: counts by outcome, and a problem for each test that failed.

    note: why it was read only in part, or ''.
    """

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]
    note: str = ""


def parse(stream: IO[bytes], show: Callable[[str], str] = str, is_late: Callable[[], bool] = lambda: False) -> Report:
    """Parse a report, one test at a time; entities and DTDs are refused.

    Control characters, which XML forbids and tests print, do not end it. Where it is cut off or broken, the tests
    before that place count, and its note says so.

    Args:
        stream: the report.
        show: masks the secrets in a line of it; it is called before text is shortened.
        is_late: whether to leave out the tests that are left.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    counts = dict.fromkeys(("failed", "errors", "passed", "skipped"), 0)
    problems: list[Problem] = []
    note = ""
    try:
        for _, element in ElementTree.iterparse(_Readable(stream), forbid_dtd=True):
            if element.tag.rpartition("}")[2] == "testcase":
                outcome, problem = _test(element, show)
                counts[outcome] += 1
                problems += [problem] if problem else []
                element.clear()
                if is_late():
                    note = "not all of it was read"
                    break
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        note = f"invalid test report: {error}"
    return Report({what: count for what, count in counts.items() if count}, tuple(problems), note)


class _Readable:
    """A report without the characters that XML forbids; each becomes U+FFFD."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = ""
        self._is_raw: bool | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, b"" at the end."""
        data = self._stream.read(size)
        if self._is_raw is None:
            named = _ENCODING.match(data.removeprefix(codecs.BOM_UTF8))
            is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]
            self._is_raw = is_wide or (named is not None and named[1].lower() not in _UTF_8)
        if self._is_raw:
            return data
        self._decoder = self._decoder or codecs.getincrementaldecoder("utf-8")("replace")
        text = self._rest + self._decoder.decode(data, final=not data).translate(_CONTROLS)
        self._rest = ""
        if data:
            # A reference may continue in the next bytes.
            cut = text.rfind("&", -_LONGEST_REFERENCE)
            text, self._rest = (text[:cut], text[cut:]) if cut >= 0 and ";" not in text[cut:] else (text, "")
            if not text:
                return self.read(size)
        return _REFERENCE.sub("\ufffd", text).encode()


def _test(element: Element, show: Callable[[str], str]) -> tuple[str, Problem | None]:
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag in _BAD:
            return ("failed" if tag == "failure" else "errors"), _problem(_Test.of(element, child, show))
        if tag == "skipped":
            return "skipped", None
    return "passed", None


class _Test(NamedTuple):
    """A test that failed, with secrets masked."""

    name: str
    group: str
    file: str | None
    line: str
    message: str
    text: str

    @classmethod
    def of(cls, test: Element, bad: Element, show: Callable[[str], str]) -> _Test:
        def shown(text: str | None) -> str:
            return "\n".join(show(line) for line in (text or "").split("\n"))

        text, message = shown(bad.text), shown(bad.get("message"))
        first = message or next((line for line in text.split("\n") if line.strip()), "") or shown(bad.get("type"))
        file = test.get("file")
        place = None if file is None else shown(file)
        return cls(shown(test.get("name")), shown(test.get("classname")), place, test.get("line", ""), first, text)


def _problem(test: _Test) -> Problem:
    file, line = _place(test)
    phase = _PHASE.match(test.message)
    message = test.message[phase.end() :].strip('"') if phase else test.message
    return Problem(file, line, _id(test, file), short(message), phase=phase[1] if phase else "", test=True)


def _place(test: _Test) -> tuple[str | None, int | None]:
    """Return file and line of a failure: the last ones of its traceback, else those in the report's attributes."""
    places = _LAST.findall(test.text)[-1:] or _ANY.findall(test.text)[:1]
    named, number = test.file, test.line
    if places and (named is None or places[0][0] == named):
        return places[0][0], int(places[0][1])
    return named, int(number) if number.isdecimal() else None


def _id(test: _Test, file: str | None) -> str:
    """Return the argument with which pytest runs only this test if it is known, else its full name."""
    name, group = test.name, test.group
    module = (file or "").removesuffix(".py").replace("/", ".")
    if file and file.endswith(".py") and (group == module or group.startswith(f"{module}.")):
        return "::".join([file, *filter(None, group[len(module) + 1 :].split(".")), name])
    return ".".join(filter(None, (group, name)))
