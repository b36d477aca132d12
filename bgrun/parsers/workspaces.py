"""Read lines that a runner of workspaces prefixed: `packages/a check: …` of pnpm, `a:check: …` of Turborepo."""

from __future__ import annotations

import re

_PREFIX = re.compile(r"^(?:([\w@./-]+) [\w:.-]+|[\w@./-]+:[\w.-]+): (?=\S|  )")


def unprefixed(line: str) -> tuple[str, str]:
    """Return the directory of the workspace, or '', and the line without the prefix.

    Only a parser that knows its own lines by more than their beginning may use it: `error in x: y` has a prefix, too.
    """
    match = _PREFIX.match(line)
    return (match[1] or "", line[match.end() :]) if match else ("", line)
