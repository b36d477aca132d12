"""Parse YAML to plain data with the position of each part, and collect its errors.

YAML 1.1 as PyYAML parses it, except that a scalar keeps its own text where text is meant (`scalars`). In addition a
duplicate key, a key that is not a string, an alias inside its own anchor and an alias bomb are errors: each of them
would silently mean something else.
"""

from __future__ import annotations

from typing import Any

import yaml

from bgrun.jobfile import scalars
from bgrun.jobfile.project import MOST_BYTES
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Fault(NamedTuple):
    """An error in a job file.

    line, column: its position, from 1.
    path: its place in the document, such as `jobs.x.timeout`.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: path: message; hint`."""
        where = f"{self.file}:{self.line}:{self.column}: "
        what = f"{self.path}: {self.message}" if self.path else self.message
        return where + (f"{what}; {self.hint}" if self.hint else what)


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Return errors in the order of the file, each once."""
    return sorted(set(faults), key=lambda one: (one.line, one.column, one.path, one.message))


_TOO_DEEP = ("nested too deeply", "flatten the document")
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
MOST_NODES = 50_000
"""The maximum number of values of a document with its aliases expanded: far more than anybody writes by hand."""
LONGEST_SCALAR = 200
"""The maximum length of a number, a date or another value that is not a string."""
Place = tuple[int, int]
Path = tuple[str | int, ...]


class Document(NamedTuple):
    """The data of a job file, the position (line, column) of each path in it, and its errors."""

    data: Any
    places: Mapping[Path, Place]
    faults: tuple[Fault, ...]

    def names_in(self, part: str) -> tuple[str, ...]:
        """Return the names that a part such as `jobs` declares; none if it is no object, which the schema reports."""
        declared = self.data.get(part) if isinstance(self.data, dict) else None
        return tuple(declared) if isinstance(declared, dict) else ()

    def fault(self, file: str, path: Path, message: str, hint: str = "") -> Fault:
        """Return an error at a path, or at the nearest enclosing part that has a position."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        return Fault(file, *self.places.get(known, (1, 1)), dotted(path), message, hint)


def read(file: str, raw: bytes) -> Document:
    """Return the content of a YAML file; with errors the data may be incomplete."""
    if len(raw) > MOST_BYTES:
        return _failed(file, 1, 1, f"the file is larger than {MOST_BYTES >> 20} MiB", "move commands to scripts")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        return _failed(file, line, column, "invalid UTF-8", "save the file as UTF-8")
    return _compose(file, text)


def _failed(file: str, line: int, column: int, message: str, hint: str = "") -> Document:
    return Document(None, {}, (Fault(file, line, column, "", message, hint),))


def _compose(file: str, text: str) -> Document:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except _TooMuchError:
        return _failed(file, 1, 1, f"the file has more than {MOST_NODES} values", "make it smaller")
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark if _opened(error) else error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _failed(file, line, column, *_yaml_error(error, text, line))
    except yaml.YAMLError as error:
        return _failed(file, 1, 1, f"invalid YAML: {str(error).splitlines()[0]}", "remove control characters")
    except RecursionError:
        return _failed(file, 1, 1, *_TOO_DEEP)
    if node is None:
        return _failed(file, 1, 1, "empty file", "declare a job: `jobs: {hello: {command: echo hello}}`")
    return _Builder(file).document(node)


_OPENED = {"quoted scalar": "quote", "flow mapping": "brace `{`", "flow sequence": "bracket `[`"}


def _opened(error: yaml.MarkedYAMLError) -> str:
    """Return what begins at the mark of the context and has no end in the file, or ''."""
    if not error.context_mark or "stream" not in (error.problem or ""):
        return ""
    return next((kind for name, kind in _OPENED.items() if name in (error.context or "")), "")


def _yaml_error(error: yaml.MarkedYAMLError, text: str, line: int) -> tuple[str, str]:
    """Return what the parser reports, and the likely fix."""
    if "but found another document" in (error.problem or "") + (error.context or ""):
        return "more than one document in the file", "keep one of them"
    if opened := _opened(error):
        return f"invalid YAML: {opened} is not closed", "close it where the value ends"
    parts = ", ".join(part for part in (error.context, error.problem) if part)
    start = error.context_mark.line + 1 if error.context_mark and "flow" in (error.context or "") else line
    hint = _yaml_hint(text, line) if start == line else f"close what begins in line {start}, or add a comma before this"
    return f"invalid YAML: {parts}", hint


def _yaml_hint(text: str, line: int) -> str:
    """Return the likely fix, from the line of the error and the one before it."""
    lines = text.split("\n")
    around = lines[max(0, line - 2) : line]
    if any("\t" in one[: len(one) - len(one.lstrip())] for one in around):
        return "indent with spaces, not with tabs"
    if any(": " in one.partition(": ")[2] or "{{" in one for one in around):
        return "quote a value that contains `: `, `{` or `#`"
    return "check indentation and quotes near this line"


class _TooMuchError(Exception):
    """The document with its aliases expanded is larger than any job file."""


class _Loader(yaml.SafeLoader):
    """Stops at more values than any job file has: a million takes seconds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count each value."""
        self.count += 1
        if self.count > MOST_NODES:
            raise _TooMuchError
        return super().compose_node(parent, index)


class _Builder:
    """Turns nodes into data, with the position of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, Place] = {}
        self.faults: list[Fault] = []
        self.open: set[int] = set()
        self.nodes = 0
        self.loader = yaml.SafeLoader("")

    def document(self, root: yaml.Node) -> Document:
        try:
            data = self._build(root, ())
        except _TooMuchError:
            message = f"the file has more than {MOST_NODES} values with its aliases expanded"
            return _failed(self.file, 1, 1, message, "use fewer anchors")
        except RecursionError:
            return _failed(self.file, 1, 1, *_TOO_DEEP)
        if not isinstance(data, dict) and not self.faults:
            self._fault(root, (), "expected an object", "begin the file with `jobs:`")
        return Document(data, self.places, tuple(self.faults))

    def _fault(self, node: yaml.Node, path: Path, message: str, hint: str = "") -> None:
        line, column = _place(node)
        self.faults.append(Fault(self.file, line, column, dotted(path), message, hint))

    def _build(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _TooMuchError
        self.places.setdefault(path, _place(node))
        if id(node) in self.open:
            self._fault(node, path, "anchor that contains itself", "write the value out")
            return None
        self.open.add(id(node))
        try:
            return self._build_kind(node, path)
        finally:
            self.open.discard(id(node))

    def _build_kind(self, node: yaml.Node, path: Path) -> Any:
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            self._fault(node, path, f"unsupported tag {node.tag}", "remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        if node.tag == "tag:yaml.org,2002:str":
            return text
        if len(text) > LONGEST_SCALAR:
            # `1:1:1…` is a number to YAML 1.1, which takes a minute for a long one.
            self._fault(node, path, f"longer than {LONGEST_SCALAR} characters and not a string", "quote the value")
            return text
        try:
            return scalars.meant(path, text, self.loader.construct_object(node))
        except scalars.AmbiguousError as error:
            self._fault(node, path, str(error), "write it in decimal digits, without a zero in front")
            return error.parsed
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):
            # The last two are raised for text that does not fit its tag: `!!bool maybe`, `!!timestamp x`.
            if not scalars.takes_text(path):
                tag = node.tag.rpartition(":")[2]
                self._fault(node, path, f"invalid {tag} {text!r}", "quote the value to make it a string")
        return text

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge(merged, value_node, path)
            elif (key := self._key(key_node, path)) is not None:
                if key in own:
                    self._fault(key_node, (*path, key), "duplicate key", "remove one of them")
                self.places[(*path, key)] = _place(key_node)
                own[key] = self._build(value_node, (*path, key))
        return {**merged, **own}

    def _merge(self, into: dict[str, Any], node: yaml.Node, path: Path) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            if isinstance(source, yaml.MappingNode):
                into.update(self._build(source, path) or {})
            else:
                self._fault(source, path, "expected an object after `<<`", "write `<<: *anchor`")

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        if isinstance(node, yaml.ScalarNode):
            kind = {"bool": "a boolean", "int": "an integer", "float": "a number", "null": "null"}
            found = kind.get(node.tag.rpartition(":")[2], "another type")
            self._fault(node, path, f"expected a string as key, got {found}: {node.value}", f'write "{node.value}"')
            return str(node.value)
        self._fault(node, path, "expected a string as key", "use a plain name")
        return None


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def dotted(path: Path) -> str:
    """Return a path in the document as text: `jobs.x.env_file[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
