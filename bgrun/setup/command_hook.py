"""Decide what a client's hook answers to a shell command: deny declared jobs and suggest bgrun. Pure."""

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
    """Return the shell command of an event, or ''.

    Cursor has it at the top level, Claude Code under `tool_input`.
    """
    if not isinstance(event, dict):
        return ""
    inner = event.get("tool_input")
    found = event.get("command") or (inner.get("command") if isinstance(inner, dict) else "")
    return found if isinstance(found, str) else ""


def job_for(command: str, jobs: Mapping[str, JobSpec]) -> str:
    """Return the name of the declared job that a command would run whole, or ''.

    It would if it begins with the job's program and arguments, followed only by options and arguments of the job:
    `pytest -q` is the whole suite, `pytest tests/test_one.py` is not.
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
    """Return the program of a job and the arguments before its first option or template."""
    text = job.command if isinstance(job.command, str) else shlex.join(job.command)
    words = _words(text.split("{{")[0].split("{%")[0].split("\n")[0])
    stop = next((place for place, word in enumerate(words) if place and word.startswith("-")), len(words))
    return words[:stop]


def _words(command: str) -> list[str]:
    """Return the words of a simple command, without `cd`, variables, wrappers and the path of its program."""
    if re.search(r"[;&|<>`$(]", re.sub(r"^\s*cd [^;&|]+&&", "", command)):
        return []  # more than one command
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
    """Return the answer for a client: a denial that suggests bgrun for a job, otherwise permission."""
    if not job:
        return json.dumps({"permission": "allow"}) if client == "cursor" else ""
    reason = (
        f"{job} is a declared job and may exceed your time limit. Run: bgrun start {job} --wait -t 50s. "
        f"Exit code 124 means it is still running: bgrun wait {job} -t 50s."
    )
    if client == "cursor":
        # The names of the messages changed between versions of Cursor; each version reads its own.
        messages = dict.fromkeys(("user_message", "agent_message", "userMessage", "agentMessage"), reason)
        return json.dumps({"permission": "deny", **messages})
    decision = {"permissionDecision": "deny", "permissionDecisionReason": reason}
    return json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}})
