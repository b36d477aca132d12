"""Tell coding agents to use bgrun: AGENTS.md, what leads the others to it, and an Agent Skill."""

from __future__ import annotations

import re
from typing import Any

from bgrun.setup import edits, executable
from bgrun.setup.edits import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_BEGIN, _END = "<!-- bgrun:begin -->", "<!-- bgrun:end -->"
_FILE = "AGENTS.md"
_AGENTS = """
## Long commands: use bgrun

Run tests, builds and any command that may take over a minute as a bgrun job, never in the foreground.

- With MCP tools: `bgrun_list` lists jobs, `bgrun_start` runs one and reports what failed, `bgrun_wait` waits again.
- Without: `bgrun jobs` lists jobs, `bgrun start JOB --wait -t 50s` runs one and reports what failed.
- Exit code 124: still running. Run `bgrun wait JOB -t 50s`. `bgrun report JOB` shows the result at any time.
- Any other long command: `bgrun run LABEL --wait -t 50s -- COMMAND`.
- A server: declare it in `services:`; its start answers with its URL once it is ready. Never `npm run dev &`.
- If you need more of the log: `bgrun logs JOB --grep REGEX -C 3`.
"""
_WHEN = (
    "Run long commands (test suites, builds, scans, watches) in the background and find out how they ended and what "
    "failed. Use for any command that may outlast a tool call."
)
_SKILL = f"""---
name: bgrun
description: {_WHEN}
---
{_AGENTS}
To work on while a job runs: `bgrun start JOB`, then `bgrun wait JOB` as a background command (Claude Code: Bash with
`run_in_background: true`). It ends with the job, and that notifies you: do not poll.

`bgrun status JOB` shows progress, `bgrun stop JOB` stops a run and every process it started, `bgrun list` lists runs.
Exit codes: 0 success, 1 a run did not succeed, 2 usage error, 124 still running, 125 internal error.
`--json` prints one document.
"""
SKILLS = (".claude/skills", ".agents/skills")
"""Where agents look for skills: Claude Code and opencode in the first, Codex, Gemini CLI and opencode in the second."""
_IMPORT = f"@{_FILE}"


def agents_file(root: Path) -> Change:
    """Return the change of AGENTS.md, which Codex, opencode, Cursor and VS Code read: a block between markers."""
    block = _with_program(_AGENTS, root)
    return Change(root / _FILE, lambda text: edits.between_markers(text, block, _BEGIN, _END))


def references(root: Path, clients: Collection[str]) -> Iterator[Change]:
    """Yield the changes by which Claude Code and Gemini CLI find AGENTS.md, if they are used in the project.

    clients: those that are set up now; of others a file in the project shows that they are used.
    """
    if "claude" in clients or any((root / name).exists() for name in ("CLAUDE.md", ".claude", ".mcp.json")):
        yield from _claude(root)
    if "gemini" in clients or any((root / name).exists() for name in ("GEMINI.md", ".gemini")):
        yield Change(root / ".gemini" / "settings.json", lambda text: edits.merged_json(text, _gemini))


def _claude(root: Path) -> Iterator[Change]:
    path = root / "CLAUDE.md"
    if not path.is_symlink() or path.resolve() != (root / _FILE).resolve():
        yield Change(path, _importing)


def _importing(text: str | None) -> str:
    """Return a CLAUDE.md that imports AGENTS.md."""
    if not text:
        return f"{_IMPORT}\n"
    if re.search(rf"(?:^|\s){re.escape(_IMPORT)}(?:\s|$)", text):
        return text
    line_end = "\r\n" if "\r\n" in text else "\n"
    return f"{text.rstrip()}{line_end}{line_end}{_IMPORT}{line_end}"


def _gemini(document: dict[str, Any]) -> None:
    context = document.setdefault("context", {})
    named = context.get("fileName", ["GEMINI.md"])
    names = [named] if isinstance(named, str) else list(named)
    if _FILE not in names:
        context["fileName"] = [*names, _FILE]


def skills(root: Path) -> Iterator[Change]:
    """Yield the changes that write an Agent Skill where each agent looks for it."""
    text = _with_program(_SKILL, root)
    for folder in SKILLS:
        yield Change(root / folder / "bgrun" / "SKILL.md", lambda _: text)


def _with_program(text: str, root: Path) -> str:
    """Return a text with bgrun as the shell of an agent finds it from the project."""
    return text.replace("`bgrun ", f"`{executable.command(root)} ")
