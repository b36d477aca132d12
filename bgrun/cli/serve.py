"""`mcp`: serve the project to coding agents."""

from __future__ import annotations

import sys

from bgrun.errors import EXIT_OK, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.cli.call import Asked
    from bgrun.jobfile.find import Project


def mcp(project: Project, asked: Asked) -> int:
    """Handle `bgrun mcp`."""
    from bgrun.mcp.tools import MAX_WAIT_S, Settings

    try:
        from bgrun.mcp.server import serve
    except ImportError as error:
        install = f"{sys.executable} -m pip install 'bgrun[mcp]'"
        raise UsageError(f"the MCP server needs a package that is not installed: {error.name}", install) from error
    serve(project, Settings(asked.max_wait or MAX_WAIT_S, asked.allow_run))
    return EXIT_OK
