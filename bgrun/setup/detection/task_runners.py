"""Find the well-known targets of make, just and Task. Pure."""

from __future__ import annotations

import re
from typing import Any

from bgrun.setup.detection.found import Found, purpose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree

_TARGET = re.compile(r"^([A-Za-z][\w.-]*)[ \t]*::?(?![=:])([^=\n]*)\n((?:(?:\t.*|[ \t]*#.*|[ \t]*)\n)*)", re.MULTILINE)
_RECIPE = re.compile(r"^@?([A-Za-z][\w-]*)([^:=\n]*):(?!=)([^\n]*)\n((?:(?:[ \t]+.*|[ \t]*)\n)*)", re.MULTILINE)


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield a job for each well-known target that needs no argument."""
    yield from _make(tree.first("GNUmakefile", "makefile", "Makefile"))
    yield from _just(tree.first("justfile", "Justfile", ".justfile"))
    yield from _task(tree.yaml("Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml"))


def _make(text: str) -> Iterator[Found]:
    for name, needed, body in _TARGET.findall(f"{text}\n"):
        inline = needed.partition(";")[2]
        yield from _target("make", name, f"{body}\n{inline}", needed.partition(";")[0].partition("#")[0].split())


def _just(text: str) -> Iterator[Found]:
    for name, params, needed, body in _RECIPE.findall(f"{text}\n"):
        required = [word for word in params.split() if "=" not in word and not word.startswith("*")]
        if not required:
            yield from _target("just", name, body, needed.partition("#")[0].replace("&&", "").split())


def _task(document: dict[str, Any]) -> Iterator[Found]:
    tasks = document.get("tasks")
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        body = task if isinstance(task, dict) else {"cmds": task if isinstance(task, list) else [task]}
        commands = body.get("cmds") or [body.get("cmd", "")]
        called = [one["task"] for one in commands if isinstance(one, dict) and isinstance(one.get("task"), str)]
        texts = [
            one if isinstance(one, str) else str(one.get("cmd", "")) for one in commands if isinstance(one, (str, dict))
        ]
        needed = [one if isinstance(one, str) else str(one.get("task", "")) for one in body.get("deps") or () if one]
        if isinstance(name, str) and not body.get("requires") and not body.get("internal"):
            yield from _target("task", name, "\n".join(texts), [*needed, *called])


def _target(tool: str, name: str, body: str, needed: list[str]) -> Iterator[Found]:
    """Yield the job of a target, if its name is well known.

    Args:
        tool: make, just or task.
        name: of the target.
        body: its commands.
        needed: other targets that are made before, or by it.
    """
    meant = purpose(name)
    if not meant or not re.fullmatch(r"[\w:.-]+", name):
        return
    lines = [line.strip().lstrip("@-") for line in body.splitlines()]
    commands = [line for line in lines if line and not line.startswith(("#", "echo "))]
    calls = [f"{tool} {other}" for other in needed]
    label = re.sub(r"[^\w.-]", "_", f"{tool}_{name}")
    called = rf"(\b{tool}|\$[({{]MAKE[)}}]) (-\S+ )*{re.escape(name)}(?![\w:-])"
    text = "\n".join([*commands, *calls])
    plain = len(commands) <= 1 and not needed and "&&" not in text
    yield Found(label, f"{tool} {name}", f"The target `{name}` of {tool}", meant, ("timeout: 1h",), called, text, plain)
