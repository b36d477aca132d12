"""Tell which tests failed from what a call of pytest printed: each with its own place and message. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.test_runners.python.pytest_section import is_same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bgrun.parsers.test_runners.python.pytest_call import Call, Listed
    from bgrun.parsers.test_runners.python.pytest_section import Section


class FailedTest(NamedTuple):
    """A test that failed."""

    file: str
    line: int | None
    id: str
    message: str
    phase: str
    at: int


def failed_tests(of: Call) -> Iterator[FailedTest]:
    """Yield the tests that failed: from the summary, else from the sections, else from the list of results."""
    if of.listed:
        left: dict[str, list[Section]] = {}
        for section in reversed(of.sections):
            left.setdefault(section.title, []).append(section)
        for listed in of.listed:
            yield _with_section(listed, left)
    elif of.sections:
        yield from map(_without_summary, of.sections)
    else:
        for one in of.results:
            yield FailedTest(one.text.partition("::")[0], None, one.text, "", one.part, one.at)


def _with_section(listed: Listed, left: Mapping[str, list[Section]]) -> FailedTest:
    """Return a test of the summary, completed with the first section of its title that is left, which it uses up."""
    splits = list(_splits(listed.text))
    whole = next((one for one in splits if _is_whole(one[0])), splits[-1])
    for id, message in splits:
        for title in (*_titles(id, listed), *([""] if (id, message) == whole else [])):
            if section := _taken(left.get(title, []), listed, id):
                file = id.partition("::")[0]
                # pytest cuts the messages of its summary to the width of the terminal.
                is_cut = not message or message.endswith(("...", "…"))
                full = section.message() if is_cut else section.whole(message)
                return FailedTest(file, section.line_in(file), id, full, section.phase or listed.part, listed.at)
    id, message = whole
    phase = listed.part if listed.kind != "ERROR" else "setup or teardown" if "::" in id else "collection"
    return FailedTest(id.partition("::")[0], None, id, message, phase, listed.at)


def lists(every: Iterable[Listed], section: Section) -> bool:
    """Return whether a summary has the test of a section."""
    return any(section.title in _titles(id, one) for one in every for id, _ in _splits(one.text))


def _taken(sections: list[Section], listed: Listed, id: str) -> Section | None:
    """Take the next section of this kind from those of a title, of which the last one comes first."""
    file = id.partition("::")[0]
    for place in range(len(sections) - 1, -1, -1):
        section = sections[place]
        fits = section.title or any(is_same(path, file) for path, _, _ in section.places)
        if (listed.kind == "ERROR") == bool(section.phase) and fits:
            return sections.pop(place)
    return None


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to split a line into test and message, the shortest test first: both may contain ` - `."""
    at = text.find(" - ")
    while at >= 0:
        yield text[:at], text[at + 3 :]
        at = text.find(" - ", at + 1)
    yield text, ""


def _titles(id: str, listed: Listed) -> tuple[str, ...]:
    """Return the titles that the section of a test may have."""
    name = id.partition("::")[2]
    if not name:
        return (id,)
    plain, bracket, values = name.partition("[")
    return " ".join(filter(None, (plain.replace("::", ".") + bracket + values, listed.part))), f"[doctest] {name}"


def _without_summary(section: Section) -> FailedTest:
    path, line, _ = section.places[0] if section.places else ("", None, "")
    if section.phase == "collection":
        return FailedTest(
            section.title, section.line_in(section.title), section.title, section.message(), section.phase, section.at
        )
    plain, bracket, values = section.title.removeprefix("[doctest] ").partition("[")
    name = plain.replace(".", "::") + bracket + values
    where = section.line_in(path) or line
    return FailedTest(path, where, "::".join(filter(None, (path, name))), section.message(), section.phase, section.at)


def _is_whole(id: str) -> bool:
    """Return whether a test may end here: the values of its parameters end with a bracket."""
    name = id.partition("::")[2]
    return "[" not in name or name.endswith("]")
