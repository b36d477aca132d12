"""The one place that knows where the schemas are: in a wheel, an editable install or a bare checkout."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from bgrun.errors import BgrunError

_SUFFIX = ".schema.json"
_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def folder() -> Path:
    """Return the folder of the schemas.

    Raises:
        BgrunError: the installation is broken.
    """
    for candidate in (_PACKAGE / "schemas", _PACKAGE.parent / "schemas"):
        if (candidate / f"bgjobs{_SUFFIX}").is_file():
            return candidate
    raise BgrunError("the schemas of bgrun are missing from its installation", "install bgrun anew")


def schema_names() -> list[str]:
    """Return the names of all schemas: `bgjobs`, and one for each kind of JSON output."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder().glob(f"*{_SUFFIX}"))


def schema_text(name: str) -> str:
    """Return the text of a schema."""
    return (folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """Return a schema."""
    content: dict[str, Any] = json.loads(schema_text(name))
    return content
