"""Word the parts of a digest as lines of text, for every face. Pure."""

from __future__ import annotations

from bgrun.model import as_text
from bgrun.wording import MOST_NAMES, names, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api.insight import Digest, OutputValue, Problem


def compared(digest: Digest) -> str:
    """Return how many problems are new and fixed, '' if nothing is known about it."""
    found = digest.comparison
    if found is None:
        return ""
    fixed = "" if found.fixed is None else f"{found.fixed} fixed"
    if digest.run.succeeded and not digest.problems:
        return fixed if found.fixed else ""
    return ", ".join(filter(None, (f"{len(found.new)} new", fixed)))


def marks(digest: Digest, place: int) -> str:
    """Return the words before a problem: NEW, or FLAKY if it passed at the same commit."""
    is_new = digest.comparison is not None and place in digest.comparison.new
    return ("NEW " if is_new else "") + ("FLAKY " if any(place == one for one, _ in digest.flaky) else "")


def problem_line(problem: Problem) -> str:
    """Return a problem as a line: where it is, its test or rule, its message."""
    place = f"{problem.file}:{problem.line}" if problem.file and problem.line else problem.file
    rest = problem.id or ""
    for separator in ("::", " - "):  # the latter in documentation tests of Rust
        file, _, name = rest.partition(separator)
        # A tool may name the file relative to another directory than the project.
        rest = name if name and problem.file and f"/{problem.file}".endswith(f"/{file}") else rest
    phase = problem.phase if problem.phase.endswith((")", "]")) else f"({problem.phase})" if problem.phase else ""
    where = " ".join(filter(None, (place, rest if rest != place else "", phase)))
    return ": ".join(filter(None, (where, problem.message)))


def output_line(one: OutputValue) -> str:
    """Return the line for an output: its value, or why it is missing."""
    if one.value is None:
        return f"OUTPUT {one.name} missing: {one.note}"
    return f"OUTPUT {one.name}={output_text(one)}{f' ({one.note})' if one.note else ''}"


def output_text(one: OutputValue, most: int = MOST_NAMES) -> str:
    """Return the value of an output on one line, of paths at most so many; '' for a missing one."""
    if isinstance(one.value, tuple):
        return names([*map(short, one.value), *range(one.more)], most)
    return "" if one.value is None else short(as_text(one.value))
