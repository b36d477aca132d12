"""Read the JSON Schemas: of the job file, and of each kind of JSON output."""

from __future__ import annotations

import os

from bgrun.jobfile.installation import schema_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SUFFIX = ".schema.json"


def schema_names() -> list[str]:
    """Return the names of all schemas: `bgjobs`, and one for each kind of JSON output."""
    names = os.listdir(schema_dir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def schema_text(name: str) -> str:
    """Return the text of a schema."""
    with open(f"{schema_dir()}/{name}{_SUFFIX}", encoding="utf-8") as file:
        return file.read()


def schema(name: str) -> dict[str, Any]:
    """Return a schema."""
    import json

    content: dict[str, Any] = json.loads(schema_text(name))
    return content
