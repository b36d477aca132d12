"""Find the project among the directories that a client has open, for a server that was started somewhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import mcp_types as types

from bgrun import api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp.server.session import ServerSession

    from bgrun.api import Project

ANSWER_S = 3.0
"""How long a client is waited for; one that does not answer has no directories."""
MOST_ROOTS = 20


async def listed(session: ServerSession) -> list[str]:
    """Return the directories that a client has open; none if it does not tell, or not in time."""
    able = session.client_capabilities
    if able is None or able.roots is None or not session.can_send_request:
        return []
    try:
        found: Any = await session.send_request(types.ListRootsRequest(), types.ListRootsResult, ANSWER_S)
        return directories(str(root.uri) for root in found.roots[:MOST_ROOTS])
    except Exception:  # noqa: BLE001 - whatever a client answers, the call itself must be answered
        return []


def directories(uris: Iterable[str]) -> list[str]:
    """Return the directories of this machine among URIs (RFC 8089)."""
    parts = [urlsplit(uri) for uri in uris]
    paths = [unquote(one.path) for one in parts if one.scheme == "file" and one.netloc in ("", "localhost")]
    return [path for path in paths if Path(path).is_dir()]


def with_job_file(paths: Iterable[str]) -> Project | None:
    """Return the first project with a job file that a directory belongs to, or None."""
    found = (api.locate(path) for path in paths)
    return next((project for project in found if project.job_file), None)
