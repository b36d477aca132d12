"""The handler of `mcp`: serve the project to coding agents."""

from __future__ import annotations

from bgrun.cli import output
from bgrun.errors import EXIT_OK, ReaderLeftError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args


def mcp(project: Project, args: Args) -> int:
    """Handle `bgrun mcp`."""
    from bgrun.mcp import serve
    from bgrun.mcp.tools import ServerOptions

    try:
        serve(project, ServerOptions(args.max_wait, args.allow_run))
    except ImportError as error:
        from bgrun.setup.extras import install_command

        hint = f"install it: {install_command('mcp')}"
        raise UsageError(f"missing package {error.name!r} for the MCP server", hint) from error
    except ReaderLeftError:
        output.give_up_output()  # the client exited during a call
    return EXIT_OK
