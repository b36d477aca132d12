"""How a package that an optional part of bgrun needs is added to this installation."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_RECEIPTS = {"uv-receipt.toml": "uv pip install --python {python}", "pipx_metadata.json": "pipx inject bgrun"}
"""Files at the top of a virtual environment that tell who made it, and how that adds a package: it has no pip."""


def install_command(extra: str) -> str:
    """Return the command that installs what an extra of bgrun needs, by the installer that made this environment.

    It names the packages themselves: bgrun may have been installed from a file, and an index may have another package
    of that name.
    """
    made_by = (how for name, how in _RECEIPTS.items() if Path(sys.prefix, name).exists())
    how = next(made_by, "{python} -m pip install").format(python=shlex.quote(sys.executable))
    return " ".join([how, *map(shlex.quote, _requirements(extra))])


def is_installed(extra: str) -> bool:
    """Return whether the package that an extra is called after can be imported."""
    from importlib.util import find_spec

    return find_spec(extra) is not None


def _requirements(extra: str) -> list[str]:
    """Return the requirements of an extra; its own name in a checkout that was not installed."""
    from importlib import metadata

    try:
        declared = metadata.requires("bgrun") or []
    except metadata.PackageNotFoundError:
        return [extra]
    parts = (one.partition(";") for one in declared)
    return [name.strip() for name, _, marker in parts if f"extra == '{extra}'" in marker.replace('"', "'")] or [extra]
