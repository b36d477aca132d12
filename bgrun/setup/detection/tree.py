"""Read the files of a project that say which tools it uses."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from bgrun.setup.detection import documents
from bgrun.setup.detection.documents import Broken
from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCKS = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock"),
    *("pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb", "package-lock.json"),
)
"""Lock files, of which only the names count; those of a workspace are in a directory above its members."""
MANIFESTS = (
    *("pyproject.toml", "setup.py", "package.json", "Cargo.toml", "go.mod", "pom.xml"),
    *("build.gradle", "build.gradle.kts"),
)
"""The files by which a directory is a package of its own; a Makefile can be in any directory."""
NAMES = (
    *MANIFESTS,
    *("setup.cfg", "tox.ini", "tox.toml", "noxfile.py", "pytest.ini", "mypy.ini", "ruff.toml", ".ruff.toml", ".flake8"),
    *("pyrightconfig.json", "Pipfile", "hatch.toml", ".pre-commit-config.yaml", "pnpm-workspace.yaml"),
    *("go.work", ".golangci.yml", ".golangci.yaml", ".golangci.toml", "clippy.toml", ".clippy.toml", "CMakeLists.txt"),
    *("settings.gradle", "settings.gradle.kts", "gradlew", "mvnw"),
    *("Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", ".justfile"),
    *("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml", "Procfile", "Procfile.dev"),
)
"""The files that are read."""
PARSED = (
    *("pyproject.toml", "hatch.toml", "ruff.toml", ".ruff.toml", "Cargo.toml", "package.json"),
    *("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"),
)
"""Those of which the whole document counts; one that is broken is worth a warning."""
SCRIPTS = "scripts"
_PYTHON = ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini")
_TESTS = ("test_*.py", "*_test.py")
_FOREIGN = frozenset(("node_modules", "venv", "vendor", "third_party", "build", "dist", "target"))
"""Directories whose files are not the project's own."""
_MOST_BYTES = 1 << 20
_MOST_FILES = 300


class Tree(NamedTuple):
    """What a project has.

    texts: its known files by their path in it; also the scripts in scripts/, and the package.json of packages below.
    locks: the names of lock files in it and in the directories above it, up to the top of the git work tree.
    executable: those of the files that can be executed.
    tests: the directory of its Python tests, `.` if they are beside the code, or '' if there are none.
    unread: why a file could not be read, by its path; one that is too large is among `texts`, as an empty one.
    """

    texts: Mapping[str, str]
    locks: frozenset[str] = frozenset()
    executable: frozenset[str] = frozenset()
    tests: str = ""
    unread: Mapping[str, str] = {}

    def first(self, *names: str) -> str:
        """Return the text of the first of these files that exists, or ''."""
        return next((self.texts[name] for name in names if name in self.texts), "")

    def has(self, *names: str) -> bool:
        """Return whether one of these files exists."""
        return any(name in self.texts for name in names)

    def toml(self, name: str) -> dict[str, Any]:
        """Return a TOML document; {} for one that does not exist or is broken."""
        return documents.read(name, self.texts.get(name, ""))[0]

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON object; {} for one that does not exist or is broken."""
        return documents.read(name, self.texts.get(name, "{}"))[0]

    def yaml(self, *names: str) -> dict[str, Any]:
        """Return the YAML mapping of the first of these files that exists; {} without one, or for a broken one."""
        return next((documents.read(name, self.texts[name])[0] for name in names if name in self.texts), {})

    def broken(self) -> Iterator[Broken]:
        """Yield the files that cannot be read: what they declare is not found."""
        yield from (Broken(name, "", why) for name, why in self.unread.items())
        has_workspace = "workspaces" in self.json("package.json") or self.has("pnpm-workspace.yaml")
        for name, text in self.texts.items():
            is_parsed = name in PARSED or (has_workspace and "/" in name)
            if is_parsed and name not in self.unread and (found := documents.read(name, text)[1]):
                yield found


def get(document: Any, *keys: str) -> Any:
    """Return what is at these keys of nested mappings, or None."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def read(directory: Path) -> Tree:
    """Return what a directory has."""
    texts: dict[str, str] = {}
    unread: dict[str, str] = {}
    for path in _paths(directory):
        name = str(path.relative_to(directory))
        try:
            raw = read_bounded(str(path), _MOST_BYTES)
        except OSError as error:
            unread[name] = f"cannot be read: {documents.lower(error.strerror or str(error))}"
            continue
        if len(raw) > _MOST_BYTES and path.name in PARSED:
            unread[name] = f"larger than {_MOST_BYTES} bytes"
            raw = b""  # that there is one counts, too
        texts[name] = raw.decode("utf-8", "replace")
    executable = frozenset(name for name in texts if os.access(directory / name, os.X_OK))
    tests = _python_tests(directory, is_python=any(name in texts for name in _PYTHON))
    return Tree(texts, frozenset(_locks(directory)), executable, tests, unread)


def _paths(directory: Path) -> Iterator[Path]:
    # As listed: where names differ by case only, `is_file` would find one file as two.
    there = {entry.name for entry in _entries(directory)}
    yield from (directory / name for name in NAMES if name in there)
    yield from islice(sorted((directory / SCRIPTS).glob("*.sh")), _MOST_FILES)
    if "package.json" in there:
        below = (path for depth in ("*", "*/*") for path in directory.glob(f"{depth}/package.json"))
        yield from islice((path for path in below if _is_own(path, directory)), _MOST_FILES)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(directory) as entries:
        return list(entries)
    return []


def _locks(directory: Path) -> Iterator[str]:
    for above in up_to_top(directory):
        yield from (name for name in LOCKS if (above / name).is_file())


def up_to_top(directory: Path) -> Iterator[Path]:
    """Yield a directory and those above it, up to the top of its git work tree; alone outside of one."""
    every = [directory, *directory.parents]
    tops = [place for place, above in enumerate(every) if os.path.lexists(above / ".git")]
    yield from every[: tops[0] + 1] if tops else every[:1]


def _python_tests(directory: Path, *, is_python: bool) -> str:
    """Return the directory of Python tests: `tests` or `test`, or `.` if they are beside the code or in packages."""
    patterns = {name: (*_TESTS, *(f"*/{one}" for one in _TESTS), "conftest.py") for name in ("tests", "test")}
    patterns["."] = (*_TESTS, *(("*/tests/test_*.py", "*/*/tests/test_*.py") if is_python else ()))
    for name, ones in patterns.items():
        with suppress(OSError):
            if any(
                _is_own(path, directory) for one in ones for path in islice((directory / name).glob(one), _MOST_FILES)
            ):
                return name
    return ""


def _is_own(path: Path, directory: Path) -> bool:
    """Return whether a file below a directory is the project's own."""
    return not any(part in _FOREIGN or part.startswith(".") for part in path.relative_to(directory).parts)
