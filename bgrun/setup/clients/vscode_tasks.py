"""Offer the jobs as tasks of VS Code."""

from __future__ import annotations

from typing import Any

from bgrun.setup import edits, executable
from bgrun.setup.edits import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LABEL = "bgrun: "


def tasks(root: Path, names: Sequence[str]) -> Change:
    """Return the change of VS Code's tasks: one for each job; other tasks stay."""
    program = executable.command(root, "${workspaceFolder}/")

    def change(document: dict[str, Any]) -> None:
        document.setdefault("version", "2.0.0")
        others = [one for one in document.get("tasks", []) if not str(one.get("label", "")).startswith(_LABEL)]
        document["tasks"] = [*others, *(_task(program, name) for name in names)]

    return Change(root / ".vscode" / "tasks.json", lambda text: edits.merged_json(text, change))


def _task(program: str, name: str) -> dict[str, Any]:
    words = ["start", name, "--wait"]
    return {"label": f"{_LABEL}{name}", "type": "process", "command": program, "args": words, "problemMatcher": []}
