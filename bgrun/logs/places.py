"""Make the files of problems relative to the project, wherever the tool ran."""

from __future__ import annotations

import itertools
import os

from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.parsers.shape import Problem

MOST_DIRECTORIES = 2000
"""How many directories of a project are searched for a file that is named relative to an unknown one."""
_DEPTH = 3
_SKIPPED = frozenset(("node_modules", "target", "build", "dist", "venv", "site-packages", "__pycache__"))


class Places:
    """Finds the files that tools name.

    A file may be named relative to the directory that the log names, to one that the command entered, to the job's
    working directory, or to a part of a workspace. The first of these in which it exists is taken.
    """

    def __init__(self, root: str, working_dir: str, cmd: str) -> None:
        self._roots = tuple(dict.fromkeys((root, os.path.realpath(root)))) if root else ()
        self._working_dir = working_dir or root
        self._bases = [*_entered(cmd, self._working_dir), self._working_dir]
        self._known: dict[tuple[str, str], str] = {}
        self._directories: list[str] | None = None

    def placed(self, problem: Problem, base: str = "") -> Problem:
        """Return a problem with its file relative to the project; one outside keeps its whole path.

        `base` is the directory that its file is relative to, if the log names one.
        """
        file = problem.file
        if not file or not self._roots:
            return problem
        key = (base, file)
        if key not in self._known:
            self._known[key] = self._relative(self._found(file, base))
        return problem._replace(file=self._known[key])

    def of_name(self, file: str) -> list[str]:
        """Return the files of the project that a relative path may name, seen from any of its directories."""
        every = (os.path.join(one, file) for one in dict.fromkeys([*self._bases, *self._roots[:1], *self._every()]))
        return list(dict.fromkeys(os.path.realpath(path) for path in every if os.path.isfile(path)))

    def _found(self, file: str, base: str) -> str:
        if os.path.isabs(file):
            return file if os.path.exists(file) else self._as_in_project(file)
        # A container may name a directory that does not exist here.
        named = [os.path.join(self._working_dir, one) for one in _endings(base) if one[:1] != "/" or os.path.isdir(one)]
        bases = [*named, *self._bases]
        for directory in bases:
            if os.path.exists(path := os.path.join(directory, file)):
                return path
        elsewhere = [path for one in self._every() if os.path.exists(path := os.path.join(one, file))]
        return elsewhere[0] if len(elsewhere) == 1 else os.path.join((named or [self._working_dir])[0], file)

    def _as_in_project(self, file: str) -> str:
        """Return the file of the project that a path of another machine may mean, by the most of its names."""
        names = file.strip("/").split("/")
        paths = ("/".join((self._roots[0], *names[at:])) for at in range(len(names)))
        return next(filter(os.path.exists, paths), file)

    def _relative(self, path: str) -> str:
        path = os.path.normpath(path)
        for root in self._roots:
            if path.startswith(f"{root.rstrip('/')}/"):
                return os.path.relpath(path, root)
        return path

    def _every(self) -> list[str]:
        if self._directories is None:
            self._directories = list(_below(self._roots[0])) if self._roots else []
        return self._directories


def _endings(base: str) -> Iterator[str]:
    """Yield a directory, and its endings if it is relative: Go names a package by the path of its module."""
    while base:
        yield base
        base = "" if os.path.isabs(base) else base.partition("/")[2]


def _entered(cmd: str, working_dir: str) -> list[str]:
    """Return the directories that a command line enters with `cd`, the last one first."""
    words = cmd.split()
    found: list[str] = []
    at = working_dir
    for word, directory in itertools.pairwise(words):
        if word == "cd":
            at = os.path.join(at, directory.strip("'\";&"))
            found.insert(0, at)
    return found


def _below(root: str) -> Iterator[str]:
    """Yield the directories below another one, those nearest first, up to a depth and a number."""
    level = [root]
    left = MOST_DIRECTORIES
    for _ in range(_DEPTH):
        deeper: list[str] = []
        for directory in level:
            with suppress(OSError), os.scandir(directory) as entries:
                deeper += [
                    entry.path
                    for entry in entries
                    if not entry.name.startswith(".")
                    and entry.name not in _SKIPPED
                    and entry.is_dir(follow_symlinks=False)
                ]
        deeper = sorted(deeper)[:left]
        left -= len(deeper)
        yield from deeper
        level = deeper
