"""`mcp`: serve the project to coding agents."""

from __future__ import annotations

import sys

from bgrun.cli import output
from bgrun.errors import EXIT_OK, ReaderLeftError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked


def mcp(project: Project, asked: Asked) -> int:
    """Handle `bgrun mcp`."""
    from bgrun.mcp.tools import MAX_WAIT_S, ServerOptions

    try:
        from bgrun.mcp.server import serve
    except ImportError as error:
        install = f"{sys.executable} -m pip install 'bgrun[mcp]'"
        raise UsageError(f"the MCP server needs a package that is not installed: {error.name}", install) from error
    try:
        serve(project, ServerOptions(asked.max_wait or MAX_WAIT_S, asked.allow_run))
    except ReaderLeftError:
        output.give_up_output()  # a client that leaves in the middle of a call ends its server as any other
    return EXIT_OK
