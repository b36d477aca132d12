"""A job that was detected, and what the names of scripts and targets say about their purpose."""

from __future__ import annotations

import re
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

PURPOSES = {
    **dict.fromkeys(("test", "tests", "unit", "e2e", "integration", "smoke"), "test"),
    **dict.fromkeys(("lint", "linter"), "lint"),
    **dict.fromkeys(("typecheck", "types", "type-check", "tsc"), "types"),
    **dict.fromkeys(("check", "checks", "ci", "verify", "validate", "all", "qa"), "check"),
    **dict.fromkeys(("build", "compile", "dist"), "build"),
    **dict.fromkeys(("docs", "bench", "benchmark"), "other"),
}
"""The purpose of a script or target by a part of its name; one whose name has no such part is no job."""
CHECKS = ("test", "lint", "types")
"""The purposes of the jobs in the group `checks`."""
_ENDLESS = frozenset(
    ("watch", "dev", "serve", "start", "ui", "debug", "update", "fix", "write", "open", "clean", "publish")
)
_WATCHES = re.compile(r"(?<![\w./])(--)?(watch|watchexec|nodemon)(?![\w./])")
_PARTS = re.compile(r"[^A-Za-z0-9]+")


class Found(NamedTuple):
    """A detected job.

    purpose: what it is for, as in `PURPOSES`; '' for what is nothing of these.
    more: further lines of YAML.
    called: a regular expression of how other scripts call the same, or ''.
    text: what a script or target runs.
    plain: whether that is one command, with nothing to be done before.
    target: whether it is a target or script, which may do what the job of a tool does.
    """

    name: str
    command: str
    description: str
    purpose: str = ""
    more: tuple[str, ...] = ()
    called: str = ""
    text: str = ""
    plain: bool = True
    target: bool = False


def purpose(name: str) -> str:
    """Return the purpose of a script or target, or '' for one that is no job: another, or one that does not end."""
    if name.lower() in PURPOSES:
        return PURPOSES[name.lower()]
    parts = _PARTS.split(name.lower())
    if _ENDLESS.intersection(parts):
        return ""
    return next((PURPOSES[part] for part in parts[:1] if part in PURPOSES), "")


def is_variant(name: str, others: Container[str]) -> bool:
    """Return whether a name such as `test:fast` is that of a part or variant of another script, `test`."""
    return name.lower() not in PURPOSES and _PARTS.split(name)[0] in others


def is_endless(text: str) -> bool:
    """Return whether a script watches files, so that it does not end by itself."""
    return bool(_WATCHES.search(text))
