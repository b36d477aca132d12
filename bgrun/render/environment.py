"""The environment of a job: what its script exports, and the virtual environment it runs in."""

from __future__ import annotations

import io
import re
from collections import ChainMap
from pathlib import Path

from bgrun.errors import UsageError
from bgrun.jobfile.env_names import refusal
from bgrun.system.files import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from bgrun.templating.inputs import RenderInputs

# No pager may wait for somebody at the keyboard, and no output may sit in a buffer.
MOST_BYTES = 1 << 18
_MOST_BLANKS = 250
_BLANKS = re.compile(rf"[^\S\r\n]{{{_MOST_BLANKS + 1}}}")
_MOST_FILLED_IN = 1000
CONSTANTS = {"PYTHONUNBUFFERED": "1", "GH_PAGER": "cat", "GIT_PAGER": "cat"}


def read_env_files(root: Path, names: Iterable[str], world: RenderInputs) -> dict[str, str]:
    """Return the variables of dotenv files, relative to `root`; later files win.

    `${NAME}` in a value is filled in from earlier lines and files, else from the environment.

    Raises:
        UsageError: a file is missing, cannot be read, or a line of it is no assignment.
    """
    found: dict[str, str] = {}
    for name in names:
        found.update(_read_env_file(root / name, name, world, found))
    return found


def _read_env_file(path: Path, name: str, world: RenderInputs, before: Mapping[str, str]) -> dict[str, str]:
    from dotenv.parser import parse_stream

    world.reads(path)
    hint = "env_file is relative to the folder of the job file"
    if path.exists() and not path.is_file():
        raise UsageError(f"the env_file {name} is not a regular file", f"{hint}: {path}")
    try:
        # As a file that is opened for text gives it, with all line ends alike.
        text = io.TextIOWrapper(io.BytesIO(read_bounded(str(path), MOST_BYTES)), encoding="utf-8").read()
        _check_cost(text, name, path)
        bindings = list(parse_stream(io.StringIO(text)))
    except OSError as error:
        raise UsageError(f"cannot read the env_file {name}: {error.strerror}", f"{hint}: {path}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the env_file {name} is not UTF-8", f"save it as UTF-8: {path}") from error
    for binding in bindings:
        if binding.error or (binding.key is not None and not _is_name(binding.key)):
            line = _line_of(binding.original)
            raise UsageError(f"{name}:{line}: not an assignment NAME=value", f"mend or remove the line: {path}")
        told, hint = refusal(binding.key or "")
        if told:
            raise UsageError(f"{name}:{_line_of(binding.original)}: {told}", hint)
    raw = {it.key: it.value for it in bindings if it.key is not None and it.value is not None}
    return _resolved(raw, before, world.env)


def _check_cost(text: str, name: str, path: Path) -> None:
    """Refuse what python-dotenv would take minutes for: its time grows with the square of these."""
    if len(text) > MOST_BYTES:
        raise UsageError(f"the env_file {name} is larger than {MOST_BYTES >> 10} KiB", f"make it smaller: {path}")
    if found := _BLANKS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(f"{name}:{line}: more than {_MOST_BLANKS} blanks in a row", f"mend the line: {path}")
    if text.count("${") > _MOST_FILLED_IN:
        raise UsageError(f"the env_file {name} has more than {_MOST_FILLED_IN} `${{`", f"make it smaller: {path}")


def _line_of(original: Any) -> int:
    """Return the line of an assignment: python-dotenv takes the blank lines before it along."""
    text: str = original.string
    return int(original.line) + text[: len(text) - len(text.lstrip())].count("\n")


def _resolved(raw: Mapping[str, str], *around: Any) -> dict[str, str]:
    """Fill in the `${NAME}` of each value from what stands before it, else from what is around, the nearest first."""
    from dotenv.variables import parse_variables

    values: dict[str, str] = {}
    for key, value in raw.items():
        known: Any = ChainMap(values, *around)
        values[key] = "".join(atom.resolve(known) for atom in parse_variables(value))
    return values


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def find_venv(wanted: str | bool, working_dir: Path, root: Path, world: RenderInputs) -> str:
    """Return the folder of the virtual environment, or '' for none.

    Raises:
        UsageError: one is named and is not there.
    """
    if wanted is False:
        return ""
    if wanted != "auto":
        named = root / str(wanted)
        if not _is_venv(named, world):
            raise UsageError(f"venv: {wanted} is no virtual environment", f"make one: python3 -m venv {named}")
        return str(named)
    candidates = (folder / name for folder in (working_dir, root) for name in ("venv", ".venv"))
    return next((str(path) for path in candidates if _is_venv(path, world)), "")


def _is_venv(folder: Path, world: RenderInputs) -> bool:
    """Return whether a folder is a virtual environment (PEP 405)."""
    return world.is_file(folder / "pyvenv.cfg") or world.is_file(folder / "bin" / "activate")
