"""The one place that knows where the schemas are: in a wheel, an editable install or a bare checkout."""

from __future__ import annotations

import os
from os.path import dirname

from bgrun.errors import BgrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SUFFIX = ".schema.json"
_PACKAGE = dirname(dirname(os.path.realpath(__file__)))


def path(name: str) -> str:
    """Return the path of a schema.

    Raises:
        BgrunError: the installation is broken.
    """
    return f"{_folder()}/{name}{_SUFFIX}"


def _folder() -> str:
    for candidate in (f"{_PACKAGE}/schemas", f"{dirname(_PACKAGE)}/schemas"):
        if os.path.isfile(f"{candidate}/bgjobs{_SUFFIX}"):
            return candidate
    raise BgrunError("the schemas of bgrun are missing from its installation", "install bgrun anew")


def schema_names() -> list[str]:
    """Return the names of all schemas: `bgjobs`, and one for each kind of JSON output."""
    return sorted(name.removesuffix(_SUFFIX) for name in os.listdir(_folder()) if name.endswith(_SUFFIX))


def schema_text(name: str) -> str:
    """Return the text of a schema."""
    with open(path(name), encoding="utf-8") as file:
        return file.read()


def schema(name: str) -> dict[str, Any]:
    """Return a schema."""
    import json

    content: dict[str, Any] = json.loads(schema_text(name))
    return content
