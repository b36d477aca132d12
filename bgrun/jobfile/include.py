"""Read a job file with all the files that it includes, and find the errors of `include`: cycles, doubles, no file."""

from __future__ import annotations

from os.path import realpath
from pathlib import Path
from typing import Any, NamedTuple

from bgrun import codec
from bgrun.errors import JobFileError
from bgrun.jobfile import label, specs, yaml_source
from bgrun.jobfile.project import display_path, read_job_file
from bgrun.jobfile.specs import full_name
from bgrun.jobfile.yaml_source import Document, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from bgrun.jobfile.specs import JobFile
    from bgrun.jobfile.yaml_source import Path as DocumentPath

    Names: TypeAlias = dict[str, str]
    """The names of jobs and groups, and where each is declared."""

MOST_FILES = 100
_PARTS = ("jobs", "services", "groups")


class Source(NamedTuple):
    """A job file as it was read, with those that it includes.

    file: its name in messages.
    faults: the errors of its `include`.
    """

    path: str
    file: str
    raw: bytes
    document: Document
    included: tuple[Included, ...] = ()
    faults: tuple[Fault, ...] = ()

    def every(self) -> Iterator[Source]:
        """Yield this file and all included ones."""
        yield self
        for one in self.included:
            yield from one.source.every()

    def names(self) -> Names:
        """Return the names of all jobs and groups, and where each is declared."""
        found: Names = {}
        for part in _PARTS:
            for name in self.document.names_in(part):
                line, column = self.document.places.get((part, name), (1, 1))
                found[name] = f"{self.file}:{line}:{column}"
        for one in self.included:
            found = {**one.names(), **found}
        return found


class Included(NamedTuple):
    """A file that another one includes; without a name its jobs keep theirs."""

    name: str
    source: Source

    def names(self) -> Names:
        """Return the names of its jobs and groups in the including file, and where each is declared."""
        return {full_name(self.name, name): place for name, place in self.source.names().items()}


class _Entry(NamedTuple):
    """An entry of `include`; `place` is its path in the document."""

    place: DocumentPath
    name: str
    path: str


def read(path: str, raw: bytes, reads: Callable[[str], object] = lambda _: None) -> Source:
    """Return a job file with all that it includes; `reads` is called with each of these before it is read."""
    return _Reader(reads).read(path, raw, ())


def specs_of(source: Source) -> JobFile:
    """Return the specs of a job file without errors."""
    found = specs.of_document(Path(source.path), source.document.data)
    for one in source.included:
        found = specs.with_included(found, one.name, specs_of(one.source))
    return found._replace(digest=digest_of(source))


def digest_of(source: Source) -> bytes:
    """Return a hash of the bytes of a job file and of all that it includes."""
    parts = [codec.digest(one.raw) for one in source.every()]
    return parts[0] if len(parts) == 1 else codec.digest(b"".join(parts))


class _Reader:
    """Reads files, and counts them."""

    def __init__(self, reads: Callable[[str], object]) -> None:
        self.reads = reads
        self.count = 0

    def read(self, path: str, raw: bytes, around: tuple[str, ...]) -> Source:
        """Return a file; `around` are the real paths of the files that include it, the outermost first."""
        file = display_path(path)
        source = Source(path, file, raw, yaml_source.read(file, raw))
        chain = (*around, realpath(path))
        for entry in _entries(source.document.data):
            source = self._with(source, entry, chain)
        return source

    def _with(self, source: Source, entry: _Entry, chain: tuple[str, ...]) -> Source:
        """Return a file with one that it includes, or with the error of that."""
        path = str(Path(source.path).parent / entry.path)
        refusal = self._refusal(source, entry, path, chain)
        if refusal:
            return _with_fault(source, entry, *refusal)
        self.reads(str(Path(path).absolute()))
        try:
            raw = read_job_file(path)
        except JobFileError as error:
            reason = str(error.problems[0]).rpartition(": ")[2]
            hint = f"the path is relative to {Path(source.path).parent}"
            return _with_fault(source, entry, f"cannot include {entry.path}: {reason}", hint)
        self.count += 1
        included = Included(entry.name, self.read(path, raw, chain))
        source = source._replace(included=(*source.included, included))
        return _with_name_faults(source, entry, included)

    def _refusal(self, source: Source, entry: _Entry, path: str, chain: tuple[str, ...]) -> tuple[str, str] | None:
        real = realpath(path)
        if real in chain:
            cycle = " -> ".join(map(display_path, (*chain[chain.index(real) :], real)))
            return f"include cycle: {cycle}", "remove one of these includes"
        if any(one.name == entry.name and realpath(one.source.path) == real for one in source.included):
            return f"{entry.path} is included twice", "remove one of them"
        if self.count >= MOST_FILES:
            return f"more than {MOST_FILES} files are included", "include fewer"
        return None


def _entries(data: Any) -> Iterator[_Entry]:
    """Yield the entries of an `include` as far as they are valid; the schema reports the others."""
    raw = data.get("include") if isinstance(data, dict) else None
    at: DocumentPath = ("include",)
    pairs = [((*at, place), one) for place, one in enumerate(raw)] if isinstance(raw, list) else [(at, raw)]
    for place, one in pairs:
        if isinstance(one, str) and one:
            yield _Entry(place, "", one)
        for name, path in one.items() if isinstance(one, dict) else ():
            if isinstance(path, str) and path:
                yield _Entry((*place, name), name, path)


def _with_fault(source: Source, entry: _Entry, message: str, hint: str) -> Source:
    fault = source.document.fault(source.file, entry.place, message, hint)
    return source._replace(faults=(*source.faults, fault))


def _with_name_faults(source: Source, entry: _Entry, included: Included) -> Source:
    """Return a file with the errors of names that are declared before, or too long with their prefix."""
    before = source._replace(included=source.included[:-1]).names()
    for name, place in included.names().items():
        if name in before:
            hint = "rename one of them" if entry.name else f"include it by name: {{NAME: {entry.path}}}"
            source = _with_fault(source, entry, f"{name!r} is declared at {before[name]} and at {place}", hint)
        if len(name) > label.LONGEST:
            message = f"the name {name[:20]}… has {len(name)} characters"
            source = _with_fault(source, entry, message, f"use at most {label.LONGEST}")
    return source
