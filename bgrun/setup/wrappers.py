"""Remove the programs that only run another program: `timeout 600`, `nice`, `env A=B`, `uv run`, `python -m`. Pure."""

from __future__ import annotations

import re

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")
_SHELL = re.compile(r"(?:.*/)?(?:ba|z|da|k)?sh")
_MOST = 20


class _Wrapper(NamedTuple):
    """A program that runs another one: its options that take a value, and its own arguments before the program."""

    valued: frozenset[str] = frozenset()
    arguments: int = 0


_WRAPPERS: Mapping[str, _Wrapper] = {
    **dict.fromkeys(("time", "nohup", "command", "setsid", "xvfb-run", "unbuffer"), _Wrapper()),
    "exec": _Wrapper(frozenset({"-a"})),
    "timeout": _Wrapper(frozenset({"-k", "-s"}), 1),
    "gtimeout": _Wrapper(frozenset({"-k", "-s"}), 1),
    "nice": _Wrapper(frozenset({"-n"})),
    "ionice": _Wrapper(frozenset({"-c", "-n"})),
    "stdbuf": _Wrapper(frozenset({"-i", "-o", "-e"})),
    "caffeinate": _Wrapper(frozenset({"-t", "-w"})),
}
_RUNNERS: Mapping[str, str] = {
    **dict.fromkeys(("uv", "poetry", "pdm", "pipenv", "hatch", "rye"), "run"),
    **dict.fromkeys(("pnpm", "yarn", "bundle", "npm"), "exec"),
    **dict.fromkeys(("npx", "pnpx", "bunx"), ""),
}
"""Programs that run another one in the environment of the project, and the word before it."""
_RUNNER_OPTIONS = frozenset(
    re.findall(r"\S+", "-q --quiet -s --silent -y --yes --frozen --locked --no-sync --offline --all-extras")
)
_PYTHON_OPTIONS = frozenset(re.findall(r"\S+", "-u -B -I -s -E -bb -O"))


def is_assignment(text: str) -> bool:
    """Return whether a word sets a variable."""
    return bool(_ASSIGNMENT.match(text))


def without(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Return the program that words run, with its arguments, and the variables that `env` sets, as shell text."""
    set_here: list[str] = []
    for _ in range(_MOST):
        shorter = _shorter(words, set_here)
        if not shorter or shorter == words:
            break
        words = shorter
    return words, set_here


def shell_text(words: tuple[str, ...]) -> str | None:
    """Return the text in `bash -c TEXT`, or None if the words are something else."""
    if len(words) == 3 and _SHELL.fullmatch(words[0]) and re.fullmatch(r"-[leux]*c", words[1]):
        return words[2]
    return None


def _shorter(words: tuple[str, ...], set_here: list[str]) -> tuple[str, ...]:
    """Return words without the wrapper that they begin with, or as they are."""
    first, rest = words[0].rsplit("/", 1)[-1], words[1:]
    if first == "env":
        return _without_env(words, set_here)
    if wrapper := _WRAPPERS.get(first):
        return _without_options(rest, wrapper.valued)[wrapper.arguments :]
    if first in _RUNNERS:
        return _without_runner(words, _RUNNERS[first])
    if _PYTHON.fullmatch(words[0]):
        return _without_python(words)
    if _SHELL.fullmatch(words[0]) and rest and rest[0][:1] not in ("-", "+"):
        return rest  # a script
    return words


def _without_options(words: tuple[str, ...], valued: frozenset[str]) -> tuple[str, ...]:
    while words and words[0].startswith("-"):
        if words[0] == "--":
            return words[1:]
        words = words[2:] if words[0] in valued else words[1:]
    return words


def _without_env(words: tuple[str, ...], set_here: list[str]) -> tuple[str, ...]:
    place = 1
    while place < len(words) and is_assignment(words[place]):
        place += 1
    if place == len(words) or words[place].startswith("-"):
        return words
    import shlex

    for one in words[1:place]:
        name, _, value = one.partition("=")
        set_here.append(f"{name}={shlex.quote(value)}")
    return words[place:]


def _without_runner(words: tuple[str, ...], verb: str) -> tuple[str, ...]:
    rest = words[1:]
    if verb:
        if rest[:1] != (verb,):
            return words
        rest = rest[1:]
    while rest and (rest[0] in _RUNNER_OPTIONS or rest[0] == "--"):
        rest = rest[1:]
    return rest if rest and not rest[0].startswith("-") else words


def _without_python(words: tuple[str, ...]) -> tuple[str, ...]:
    place = 1
    while place < len(words) and words[place] in _PYTHON_OPTIONS:
        place += 1
    rest = words[place:]
    if rest[:1] == ("-m",) and len(rest) > 1:
        return rest[1:]
    return rest if rest and rest[0].endswith(".py") else words
