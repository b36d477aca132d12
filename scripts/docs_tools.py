"""The page of the tools that are recognized, made from the descriptions of their recorded output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bgrun.parsers import registry

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tools"
_KINDS = {
    "test_runners": "Test runners",
    "compilers": "Compilers and build tools",
    "linters": "Linters, type checkers and formatters",
    "infrastructure": "Infrastructure",
    "tracebacks": "Tracebacks",
    "annotations": "Annotations",
    "wrappers": "Tools that run others",
}
_THROUGH = ("make", "npm", "tox", "bun", "concurrently", "honcho", "lerna", "nx", "pnpm", "turbo", "yarn")
_FOUND = {"id": "name", "file": "file", "line": "line", "message": "message"}
_HEAD = """\
# Tools that are recognized in a log

<!-- made by scripts/docs_reference.py: change tests/fixtures/tools instead -->

bgrun recognizes these tools from what they print, whatever started them; a job declares nothing. The name in the first
column is the one for `problems:`, which limits the search to the tools it names. Each row is what the tests find in the
recorded output of the versions in the second column; *quoted* means that the output is from the tool's documentation or
from an issue, since the tool was not run. Where a tool counts more than was found, the summary says `N more not
recognized`.

What a program put before each line is no obstacle: a time (`ts`, the runners of GitHub and GitLab), or the name of one of
several commands (`web-1  | `, `[0] `, `web:test: `, or `#12 3.45 ` of `docker build`). Each command's lines are read on
their own.
"""


def tools_page() -> str:
    """Return the page."""
    rows: dict[str, list[str]] = {}
    for name, cases in sorted(_cases().items()):
        rows.setdefault(_kind(name), []).append(_row(name, cases))
    lines = [_HEAD.rstrip("\n")]
    for kind in dict.fromkeys(_KINDS.values()):
        if kind in rows:
            lines += ["", f"## {kind}", "", "| tool | tried | found | through |", "|---|---|---|---|", *rows[kind]]
    return "\n".join(lines) + "\n"


def _cases() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(FIXTURES.glob("*/*.yaml")):
        case = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.setdefault(str(case["tool"]), []).append(case)
    return found


def _kind(name: str) -> str:
    place = registry.place(name)
    return _KINDS[place.partition(":")[0].partition(".")[0]]


def _row(name: str, cases: list[dict[str, Any]]) -> str:
    versions = {_version(case["version"]) + ("" if case["source"] == "run here" else " (quoted)") for case in cases}
    problems = [one for case in cases for one in case.get("problems") or () if one.get("tool", name) == name]
    found = [word for key, word in _FOUND.items() if any(one.get(key) is not None for one in problems)]
    counts = {what for case in cases for what in case.get("counts") or ()}
    found += ["totals"] if counts - {"failed", "errors", "warnings"} else []
    words = {str(case["command"]).split()[0] for case in cases}
    through = [word for word in _THROUGH if word in words and word != name]
    return f"| `{name}` | {', '.join(sorted(versions, key=_in_order))} | {', '.join(found)} | {', '.join(through)} |"


def _version(text: object) -> str:
    return "unknown version" if str(text) == "None" else str(text)


def _in_order(version: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else 0, part) for part in version.replace(" ", ".").split(".")]
