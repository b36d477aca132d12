"""Find the well-known targets of make, just and Task. Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bgrun.setup.detection.found import Found, is_endless, is_variant, purpose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.setup.detection.tree import Tree

_TARGET = re.compile(r"^([A-Za-z][\w.-]*)[ \t]*::?(?![=:])([^=\n]*)\n((?:(?:\t.*|[ \t]*#.*|[ \t]*)\n)*)", re.MULTILINE)
_RECIPE = re.compile(r"^@?([A-Za-z][\w-]*)([^:=\n]*):(?!=)([^\n]*)\n((?:(?:[ \t]+.*|[ \t]*)\n)*)", re.MULTILINE)


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield a job for each well-known target that needs no argument."""
    for targets in (
        _make(tree.first("GNUmakefile", "makefile", "Makefile")),
        _just(tree.first("justfile", "Justfile", ".justfile")),
        _task(tree.yaml("Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml")),
    ):
        every = {target.name: target for target in targets}
        yield from (found for target in every.values() for found in _jobs(target, every))


class _Target(NamedTuple):
    """A target. needed: other targets that are made before, or by it. is_complete: it needs no argument."""

    tool: str
    name: str
    body: str
    needed: list[str]
    is_complete: bool = True


def _make(text: str) -> Iterator[_Target]:
    for name, needed, body in _TARGET.findall(f"{text}\n"):
        inline = needed.partition(";")[2]
        yield _Target("make", name, f"{body}\n{inline}", needed.partition(";")[0].partition("#")[0].split())


def _just(text: str) -> Iterator[_Target]:
    for name, params, needed, body in _RECIPE.findall(f"{text}\n"):
        required = [word for word in params.split() if "=" not in word and not word.startswith("*")]
        yield _Target("just", name, body, needed.partition("#")[0].replace("&&", "").split(), not required)


def _task(document: dict[str, Any]) -> Iterator[_Target]:
    tasks = document.get("tasks")
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        body = task if isinstance(task, dict) else {"cmds": task if isinstance(task, list) else [task]}
        commands = body.get("cmds") or [body.get("cmd", "")]
        called = [one["task"] for one in commands if isinstance(one, dict) and isinstance(one.get("task"), str)]
        texts = [
            one if isinstance(one, str) else str(one.get("cmd", "")) for one in commands if isinstance(one, (str, dict))
        ]
        needed = [one if isinstance(one, str) else str(one.get("task", "")) for one in body.get("deps") or () if one]
        if isinstance(name, str):
            is_complete = not body.get("requires") and not body.get("internal")
            yield _Target("task", name, "\n".join(texts), [*needed, *called], is_complete)


def _jobs(target: _Target, every: Mapping[str, _Target]) -> Iterator[Found]:
    """Yield the job of a target, if its name is well known and it can be run as it is."""
    tool, name, body, needed, is_complete = target
    meant = purpose(name)
    lines = [line.strip().lstrip("@-") for line in body.splitlines()]
    commands = [line for line in lines if line and not line.startswith(("#", "echo "))]
    text = "\n".join([*commands, *(f"{tool} {other}" for other in needed)])
    if not meant or not is_complete or is_endless(text) or not re.fullmatch(r"[\w:.-]+", name):
        return
    label = re.sub(r"[^\w.-]", "_", f"{tool}_{name}")
    called = rf"(\b{tool}|\$[({{]MAKE[)}}]) (-\S+ )*{re.escape(name)}(?![\w:-])"
    plain = len(commands) <= 1 and not needed and "&&" not in text
    meant = "other" if is_variant(name, every) else meant
    description = f"The target `{name}` of {tool}"
    yield Found(label, f"{tool} {name}", description, meant, ("timeout: 1h",), called, text, plain, target=True)
