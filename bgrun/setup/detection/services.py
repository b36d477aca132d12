"""Find the servers that a project runs in development: in the scripts of package.json, make and others. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.setup.detection import node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree

SOURCES = (
    *("Procfile", "Procfile.dev", "Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", ".justfile"),
    *("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"),
)
"""The files whose lines are searched, besides package.json and the scripts in scripts/."""
_RUNNER = r"(?:exec )?(?:(?:uv|poetry|pdm|pipenv|hatch|pixi) run )?(?:python3? (?:-m )?)?(?:\./)?"
_SERVERS = {
    "django": r"manage\.py runserver",
    "flask": r"flask(?: --?\w[\w-]*[ =][\w.:]+)* run",
    "uvicorn": r"uvicorn",
    "compose": r"docker[ -]compose(?: -f [\w./-]+)* up",
}
"""How the command of a server begins, by the name that its service gets."""
_LINE = re.compile(
    # What precedes a command in a Makefile, a Procfile and a Taskfile.
    r"^\s*(?:[@-]\s*)*(?:cmd: *|[\w-]+: +)?['\"]?(?P<command>"
    rf"{_RUNNER}(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _SERVERS.items())})(?![\w-])[^'\"]*)['\"]?\s*$"
)
_SCRIPT = {"vite": r"vite(?: dev| serve)?(?= --?\w|$)", "next": r"next dev\b"}
_PORT = re.compile(r"(?:--port[= ]|-p[= ]?|[\w.]:|runserver )(\d{2,5})\b")
_SHELL = re.compile(r"[$&|;<>`\\(){}]")
"""What makes a line more than one command with its arguments."""
_MOST_LINE = 400


class Service(NamedTuple):
    """A server that was detected.

    port: as in the job file. ready: its check as YAML.
    """

    name: str
    command: str
    description: str
    port: str = "auto"
    ready: str = "{port: true}"


def find(tree: Tree) -> list[Service]:
    """Return the servers of a project, one for each kind."""
    found: dict[str, Service] = {}
    for one in (*_of_package(tree), *_of_lines(tree)):
        found.setdefault(one.name, one)
    return list(found.values())


def _of_package(tree: Tree) -> Iterator[Service]:
    manager = node.manager_of(tree)
    for script, text in node.scripts_of(tree).items():
        for name, words in _SCRIPT.items():
            if not re.match(words, text) or _SHELL.search(text):
                continue
            about = f"The server of the script `{script}` of package.json"
            fixed = _PORT.search(text)
            options = [] if fixed else ['--port "$PORT"', *(["--strictPort"] if name == "vite" else [])]
            if name == "vite" and "--host" not in text:
                options.append("--host 127.0.0.1")  # else it listens where localhost leads first, which may be ::1
            # npm alone needs to know where its own options end.
            command = [f"{manager} run {script}", *(["--"] if options and manager == "npm" else []), *options]
            yield Service(name, " ".join(command), about, fixed[1] if fixed else "auto")


def _of_lines(tree: Tree) -> Iterator[Service]:
    for source in (*SOURCES, *(name for name in tree.texts if name.endswith(".sh"))):
        for line in tree.texts.get(source, "").splitlines():
            if len(line) <= _MOST_LINE and (found := _LINE.match(line)):
                command = " ".join(found["command"].split())
                name = next(name for name in _SERVERS if found[name])
                if not _SHELL.search(command):
                    yield _service(name, command, f"The server that {source} starts")


def _service(name: str, command: str, about: str) -> Service:
    if name == "compose":
        attached = re.sub(r" (-d|--detach)\b", "", command)
        running = 'test -n "$(docker compose ps -q --status running)"'
        return Service(name, attached, about, "", f"{{command: '{running}', timeout: 5m}}")
    if fixed := _PORT.search(command):
        return Service(name, command, about, fixed[1])
    return Service(name, f'{command} "127.0.0.1:$PORT"' if name == "django" else f'{command} --port "$PORT"', about)
