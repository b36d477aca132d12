"""bgrun for coding agents: the Model Context Protocol over stdio.

`tools` says what there is, `opening` and `wire` answer the first requests, `server` speaks the protocol from then on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.mcp.tools import ServerOptions


def serve(project: Project, settings: ServerOptions) -> None:
    """Serve the project until standard input ends: at once, while the SDK is imported, and then with it.

    Raises:
        ImportError: the SDK is not installed.
        OutputError: the answers cannot be written, or the client has exited.
    """
    from importlib.util import find_spec
    from threading import Thread

    from bgrun import __version__
    from bgrun.errors import output_error
    from bgrun.mcp import tools
    from bgrun.mcp.opening import Opening
    from bgrun.mcp.wire import Wire

    found = find_spec("mcp")
    if found is None or found.submodule_search_locations is None:
        raise ImportError("the SDK is not installed", name="mcp")
    declared = [tool.declaration for tool in tools.declared(settings)]
    errors: list[OSError] = []

    def answer() -> None:
        try:
            wire.answer()
        except OSError as error:
            errors.append(error)

    try:
        wire = Wire(Opening(tools.NAME, __version__, tools.INSTRUCTIONS, declared))
        wire.greet()
    except OSError as error:
        raise output_error(error) from error
    if wire.is_done:
        return
    answering = Thread(target=answer, daemon=True)
    answering.start()
    from bgrun.mcp import server

    wire.wake()
    answering.join()
    if errors:
        raise output_error(errors[0])
    if not wire.is_done:
        server.serve(project, settings, wire)
