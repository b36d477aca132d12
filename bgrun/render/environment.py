"""Read the env files of a job, and find its virtual environment."""

from __future__ import annotations

import io
import re
from collections import ChainMap
from pathlib import Path

from bgrun.errors import UsageError
from bgrun.jobfile.env_names import refusal
from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from bgrun.jobfile.specs import EnvFile
    from bgrun.templating.inputs import RenderInputs

MOST_BYTES = 1 << 18
_MOST_SPACES = 250
_SPACES = re.compile(rf"[^\S\r\n]{{{_MOST_SPACES + 1}}}")
_MOST_REFERENCES = 1000
CONSTANTS = {"PYTHONUNBUFFERED": "1", "GH_PAGER": "cat", "GIT_PAGER": "cat"}
"""Variables of every job: output is not buffered, and no pager waits for input."""


def read_env_files(root: Path, files: Iterable[EnvFile], inputs: RenderInputs) -> dict[str, str]:
    """Return the variables of dotenv files, relative to `root`; later files win.

    A file that is not required may be absent, or have an empty path.

    `${NAME}` in a value is expanded from earlier lines and files, or else from the environment.

    Raises:
        UsageError: a file does not exist or cannot be read, or a line of it is not an assignment.
    """
    found: dict[str, str] = {}
    for one in files:
        path = root / one.path
        if one.required or (one.path and _exists(path, inputs)):
            found.update(_read_env_file(path, one.path, inputs, found))
    return found


def _exists(path: Path, inputs: RenderInputs) -> bool:
    """Return whether a file exists, and record the answer: a plan without it is valid only while it is absent."""
    inputs.reads(path)
    return path.exists()


def _read_env_file(path: Path, name: str, inputs: RenderInputs, before: Mapping[str, str]) -> dict[str, str]:
    from dotenv.parser import parse_stream

    inputs.reads(path)
    relative = "env_file is relative to the directory of the job file"
    hint = "check the path given to --env-file" if path == Path(name) else relative
    if path.exists() and not path.is_file():
        raise UsageError(f"env_file {name} is not a regular file", f"{hint}: {path}")
    try:
        # As open() decodes a text file, with all line ends alike.
        text = io.TextIOWrapper(io.BytesIO(read_bounded(str(path), MOST_BYTES)), encoding="utf-8").read()
        _check_cost(text, name, path)
        bindings = list(parse_stream(io.StringIO(text)))
    except OSError as error:
        raise UsageError(f"cannot read env_file {name}: {error.strerror}", f"{hint}: {path}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"env_file {name} is not UTF-8", f"save it as UTF-8: {path}") from error
    for binding in bindings:
        if binding.error or (binding.key is not None and not _is_name(binding.key)):
            line = _line_of(binding.original)
            raise UsageError(f"{name}:{line}: expected NAME=value", f"fix or remove the line: {path}")
        refused, fix = refusal(binding.key or "")
        if refused:
            raise UsageError(f"{name}:{_line_of(binding.original)}: {refused}", fix)
    raw = {it.key: it.value for it in bindings if it.key is not None and it.value is not None}
    return _resolved(raw, before, inputs.env)


def _check_cost(text: str, name: str, path: Path) -> None:
    """Refuse files that python-dotenv would parse for minutes.

    Its time grows with the square of these counts.
    """
    if len(text) > MOST_BYTES:
        raise UsageError(f"env_file {name} is larger than {MOST_BYTES >> 10} KiB", f"make it smaller: {path}")
    if found := _SPACES.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(f"{name}:{line}: more than {_MOST_SPACES} consecutive spaces", f"shorten the line: {path}")
    if text.count("${") > _MOST_REFERENCES:
        raise UsageError(f"env_file {name} has more than {_MOST_REFERENCES} `${{`", f"make it smaller: {path}")


def _line_of(original: Any) -> int:
    """Return the line of an assignment: python-dotenv includes the empty lines before it."""
    text: str = original.string
    return int(original.line) + text[: len(text) - len(text.lstrip())].count("\n")


def _resolved(raw: Mapping[str, str], *around: Any) -> dict[str, str]:
    """Expand each `${NAME}` from earlier assignments, or else from `around`, nearest first."""
    from dotenv.variables import parse_variables

    values: dict[str, str] = {}
    for key, value in raw.items():
        known: Any = ChainMap(values, *around)
        values[key] = "".join(atom.resolve(known) for atom in parse_variables(value))
    return values


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def find_venv(named: str | bool, working_dir: Path, root: Path, inputs: RenderInputs) -> str:
    """Return the directory of the virtual environment, or '' for none.

    Raises:
        UsageError: a named one does not exist.
    """
    if named is False:
        return ""
    if named != "auto":
        venv = root / str(named)
        if not _is_venv(venv, inputs):
            raise UsageError(f"venv {named} is not a virtual environment", f"create it: python3 -m venv {venv}")
        return str(venv)
    candidates = (parent / name for parent in (working_dir, root) for name in ("venv", ".venv"))
    return next((str(path) for path in candidates if _is_venv(path, inputs)), "")


def _is_venv(directory: Path, inputs: RenderInputs) -> bool:
    """Return whether a directory is a virtual environment (PEP 405)."""
    return inputs.is_file(directory / "pyvenv.cfg") or inputs.is_file(directory / "bin" / "activate")
