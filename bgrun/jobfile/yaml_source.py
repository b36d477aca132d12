"""YAML text to plain data with a place for each part of it; safe, and never a traceback.

YAML 1.1 as PyYAML reads it. Beyond that a duplicate key, a key that is no string, an alias inside
its own anchor and an alias bomb are faults, since each of them would silently mean something else.
"""

from __future__ import annotations

from typing import Any

import yaml

from bgrun.jobfile.project import MOST_BYTES
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Fault(NamedTuple):
    """One fault; `path` is its place in the document (`jobs.x.timeout`), lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: path: message; hint`."""
        where = f"{self.file}:{self.line}:{self.column}: "
        told = f"{self.path}: {self.message}" if self.path else self.message
        return where + (f"{told}; {self.hint}" if self.hint else told)


def in_order(problems: Iterable[Fault]) -> list[Fault]:
    """Return problems in the order of the file, each once."""
    return sorted(set(problems), key=lambda one: (one.line, one.column, one.path, one.message))


_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
MOST_NODES = 50_000
"""Parts of a document after its aliases are filled in; far more than anybody writes by hand."""
LONGEST_SCALAR = 200
"""Characters of a number, a date or the like."""
Place = tuple[int, int]
Path = tuple[str | int, ...]


class Document(NamedTuple):
    """The data of a job file, the place (line, column) of each path in it, and what is wrong."""

    data: Any
    places: Mapping[Path, Place]
    problems: tuple[Fault, ...]

    def problem(self, file: str, path: Path, message: str, hint: str = "") -> Fault:
        """Return a problem at a path, or at the nearest part around it that has a place."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        return Fault(file, *self.places.get(known, (1, 1)), dotted(path), message, hint)


def read(file: str, raw: bytes) -> Document:
    """Return the content of a YAML file; with problems the data may be incomplete."""
    if len(raw) > MOST_BYTES:
        return _failed(file, 1, 1, f"larger than {MOST_BYTES >> 20} MiB", "a job file is written by hand; split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        return _failed(file, line, column, "not UTF-8", "save the file as UTF-8")
    return _compose(file, text)


def _failed(file: str, line: int, column: int, message: str, hint: str = "") -> Document:
    return Document(None, {}, (Fault(file, line, column, "", message, hint),))


def _compose(file: str, text: str) -> Document:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except _TooMuchError:
        return _failed(file, 1, 1, f"more than {MOST_NODES} values", "split it")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _failed(file, line, column, _yaml_message(error), _yaml_hint(text, line))
    except yaml.YAMLError as error:
        return _failed(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}", "remove control characters")
    except RecursionError:
        return _failed(file, 1, 1, "nested too deeply")
    if node is None:
        return _failed(file, 1, 1, "the file is empty", "declare a job: `jobs: {hello: {command: echo hello}}`")
    return _Builder(file).document(node)


def _yaml_message(error: yaml.MarkedYAMLError) -> str:
    if "but found another document" in (error.problem or "") + (error.context or ""):
        return "several documents in one file"
    told = ", ".join(part for part in (error.context, error.problem) if part)
    return f"not YAML: {told}"


def _yaml_hint(text: str, line: int) -> str:
    lines = text.split("\n")
    around = lines[max(0, line - 2) : line]
    if any("\t" in one[: len(one) - len(one.lstrip())] for one in around):
        return "indent with spaces, not with tabs"
    if any(": " in one.partition(": ")[2] or "{{" in one for one in around):
        return "put a value that holds `: `, `{` or `#` in quotes"
    return "check the indentation and the quotes around here"


class _TooMuchError(Exception):
    """The document is larger, once its aliases are filled in, than any job file."""


class _Loader(yaml.SafeLoader):
    """Reads no more values than any job file has: it takes seconds for a million."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count a value as it is read."""
        self.count += 1
        if self.count > MOST_NODES:
            raise _TooMuchError
        return super().compose_node(parent, index)


class _Builder:
    """Turns nodes into data, keeping the place of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, Place] = {}
        self.problems: list[Fault] = []
        self.open: set[int] = set()
        self.nodes = 0
        self.scalars = yaml.SafeLoader("")

    def document(self, root: yaml.Node) -> Document:
        try:
            data = self._build(root, ())
        except _TooMuchError:
            message = f"more than {MOST_NODES} values once its aliases are filled in"
            return _failed(self.file, 1, 1, message, "write less with anchors")
        except RecursionError:
            return _failed(self.file, 1, 1, "nested too deeply")
        if not isinstance(data, dict) and not self.problems:
            self._tell(root, (), "the file is not a mapping", "begin with `jobs:`")
        return Document(data, self.places, tuple(self.problems))

    def _tell(self, node: yaml.Node, path: Path, message: str, hint: str = "") -> None:
        line, column = _place(node)
        self.problems.append(Fault(self.file, line, column, dotted(path), message, hint))

    def _build(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _TooMuchError
        self.places.setdefault(path, _place(node))
        if id(node) in self.open:
            self._tell(node, path, "an anchor that contains itself", "write the value out")
            return None
        self.open.add(id(node))
        try:
            return self._build_kind(node, path)
        finally:
            self.open.discard(id(node))

    def _build_kind(self, node: yaml.Node, path: Path) -> Any:
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            self._tell(node, path, f"the tag {node.tag} means nothing here", "remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if node.tag != "tag:yaml.org,2002:str" and len(node.value) > LONGEST_SCALAR:
            # `1:1:1…` is a number to YAML 1.1, which takes a minute for a long one.
            self._tell(node, path, "too long for anything but text", "put it in quotes to have it as text")
            return str(node.value)
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            tag = node.tag.rpartition(":")[2]
            self._tell(node, path, f"{node.value!r} cannot be read as {tag}", "put it in quotes to have it as text")
            return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge(merged, value_node, path)
            elif (key := self._key(key_node, path)) is not None:
                if key in own:
                    self._tell(key_node, (*path, key), "a second time the same key", "remove one of the two")
                self.places[(*path, key)] = _place(key_node)
                own[key] = self._build(value_node, (*path, key))
        return {**merged, **own}

    def _merge(self, into: dict[str, Any], node: yaml.Node, path: Path) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            if isinstance(source, yaml.MappingNode):
                into.update(self._build(source, path) or {})
            else:
                self._tell(source, path, "`<<` takes a mapping", "write `<<: *anchor`")

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        if isinstance(node, yaml.ScalarNode):
            kind = {"bool": "a boolean", "int": "a number", "float": "a number", "null": "nothing"}
            read_as = kind.get(node.tag.rpartition(":")[2], "something else")
            self._tell(node, path, f"YAML reads the key {node.value!r} as {read_as}", f'write "{node.value}"')
            return str(node.value)
        self._tell(node, path, "a key must be text", "")
        return None


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def dotted(path: Path) -> str:
    """Return a path in the document as it is told: `jobs.x.env_file[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
