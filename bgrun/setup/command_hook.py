"""What a client's hook is told about a shell command that is about to run; pure."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.jobfile.specs import JobSpec

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_WRAPPERS = ("time", "nohup", "env", "exec", "command", "uv", "poetry", "pdm", "pipenv", "hatch", "npx", "pnpx", "bunx")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def command_of(event: Any) -> str:
    """Return the shell command that an event is about, or ''.

    Cursor has it at the top, Claude Code under `tool_input`.
    """
    if not isinstance(event, dict):
        return ""
    inner = event.get("tool_input")
    found = event.get("command") or (inner.get("command") if isinstance(inner, dict) else "")
    return found if isinstance(found, str) else ""


def job_for(command: str, jobs: Mapping[str, JobSpec]) -> str:
    """Return the declared job that a command is, in the foreground; '' where it is none, or only a part of one.

    It is one if it begins with the job's program and words, and has beyond them nothing but options and
    words of the job: `pytest -q` is the whole suite, `pytest tests/test_one.py` is not.
    """
    words = _words(command)
    for name, job in jobs.items():
        own = _words(_template_free(job))
        first = _literal(job)
        if first and words[: len(first)] == first:
            known = {*own, *(str(param.default).rstrip("/") for param in job.params if param.default is not None)}
            if all(word.startswith("-") or word.rstrip("/") in known for word in words[len(first) :]):
                return name
    return ""


def _template_free(job: JobSpec) -> str:
    text = job.command if isinstance(job.command, str) else shlex.join(job.command)
    return _TEMPLATE.sub(" ", text)


def _literal(job: JobSpec) -> list[str]:
    """Return the program of a job and the words behind it that are no options and no templates."""
    text = job.command if isinstance(job.command, str) else shlex.join(job.command)
    words = _words(text.split("{{")[0].split("{%")[0].split("\n")[0])
    stop = next((place for place, word in enumerate(words) if place and word.startswith("-")), len(words))
    return words[:stop]


def _words(command: str) -> list[str]:
    """Return the words of a command without what stands around it: folders, variables, wrappers, paths of programs."""
    if re.search(r"[;&|<>`$(]", re.sub(r"^\s*cd [^;&|]+&&", "", command)):
        return []  # more than one command: whoever writes that knows what they want of it
    try:
        words = shlex.split(re.sub(r"^\s*cd [^;&|]+&&", "", command))
    except ValueError:
        return []
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in _WRAPPERS or words[0] in ("run", "timeout")):
        words = words[2:] if words[0] == "timeout" else words[1:]
    if words[1:2] == ["-m"] and re.fullmatch(r"(?:.*/)?python[\d.]*", words[0]):
        words = words[2:]
    return [words[0].rsplit("/", 1)[-1] if not words[0].startswith("./") else words[0], *words[1:]] if words else []


def answer(client: str, job: str) -> str:
    """Return what a client reads: for a job a refusal that says what to do instead, else nothing against it."""
    if not job:
        return json.dumps({"permission": "allow"}) if client == "cursor" else ""
    told = (
        f"This is the declared job {job}, which may outlast a tool call. Run it as: bgrun start {job} --wait -t 50s "
        f"(exit code 124: it goes on; then bgrun wait {job} -t 50s)."
    )
    if client == "cursor":
        # The names of the messages changed between versions of Cursor; each version reads its own.
        said = {"user_message": told, "agent_message": told, "userMessage": told, "agentMessage": told}
        return json.dumps({"permission": "deny", **said})
    decision = {"permissionDecision": "deny", "permissionDecisionReason": told}
    return json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}})
