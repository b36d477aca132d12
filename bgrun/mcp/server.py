"""The MCP server: speaks the protocol over stdio with the official SDK and passes every call to `tools`.

A failed call is a tool error with a hint; the server continues. It exits at the end of its standard input; runs
continue, since they are not its children.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO, cast

import anyio
import anyio.to_thread
import mcp_types as types
from jsonschema import Draft7Validator
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from bgrun import __version__, api
from bgrun.errors import BgrunError, UnknownNameError, UsageError, output_error
from bgrun.mcp import tools
from bgrun.wording import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerRequestContext

    from bgrun.api import Project
    from bgrun.mcp.wire import Wire
    from bgrun.model import Run

_LONGEST_ERROR = 600


def serve(project: Project, settings: tools.ServerOptions, wire: Wire) -> None:
    """Serve the project until the input ends, or an answer cannot be written.

    Raises:
        OutputError: the answers cannot be written, or the client has exited.
    """
    try:
        anyio.run(_serve, Calls(project, settings), wire)
    except Exception as error:
        if found := _os_error(error):
            raise output_error(found) from error
        raise


def _os_error(error: BaseException) -> OSError | None:
    """Return the OSError in an error or a group of errors, or None."""
    if isinstance(error, OSError):
        return error
    inner = getattr(error, "exceptions", ())
    return next((found for one in inner if (found := _os_error(one))), None)


async def _serve(calls: Calls, wire: Wire) -> None:
    server: Server[Any] = Server(
        tools.NAME,
        version=__version__,
        instructions=tools.INSTRUCTIONS,
        on_list_tools=calls.list_tools,
        on_call_tool=calls.call_tool,
    )
    streams = (anyio.wrap_file(wire.input()), anyio.wrap_file(cast("TextIO", wire.output())))
    async with stdio_server(*streams) as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


class Calls:
    """Answer the requests of a client. Each call reads the project again: its job file may change at any time."""

    def __init__(self, project: Project, settings: tools.ServerOptions) -> None:
        self.begun_in = project
        self.settings = settings
        self.tools = {tool.name: tool for tool in tools.declared(settings)}

    async def list_tools(
        self, _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Answer tools/list."""
        return types.ListToolsResult(tools=[types.Tool(**tool.declaration) for tool in self.tools.values()])

    async def call_tool(
        self, _: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Answer tools/call; every error becomes a tool error."""
        try:
            answer = await self._call(params.name, params.arguments or {})
        except BgrunError as error:
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - the server must continue, and its client must be informed
            return _failed(BgrunError(f"internal error: {type(error).__name__}: {error}"))
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return types.CallToolResult(content=[types.TextContent(text=_encodable(text))], structured_content=_json(text))

    async def _call(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        tool = self.tools.get(name)
        if tool is None:
            raise UnknownNameError("tool", name[:100], self.tools)
        _check(tool, given)
        method: Any = getattr(self, f"_{name}")
        answer: dict[str, Any] = await method(**given)
        return answer

    async def _in_thread(self, work: Callable[[Project], Any]) -> Any:
        """Run blocking work in a thread, so that other calls are answered meanwhile."""

        def do() -> Any:
            return work(api.locate(self.begun_in.root, self.begun_in.job_file))

        return await anyio.to_thread.run_sync(do)

    async def _bgrun_start(
        self, job: str, args: tuple[str, ...] = (), wait_s: float = 0, *, failed: bool = False
    ) -> dict[str, Any]:
        until = api.stop.summary_due(tools.clamped(wait_s, self.settings))
        run, more = await self._in_thread(
            lambda project: tools.start(project, self.settings, job, tuple(args), failed=failed)
        )
        (ended,) = await self._wait([run.run_id], wait_s, "all") if wait_s else [run]
        answer = await self._in_thread(lambda project: api.documents.brief_result(project, ended, until))
        return {**answer, **more, **self._note(wait_s, [ended])}

    async def _bgrun_wait(self, runs: list[str], timeout_s: float | None = None, mode: str = "all") -> dict[str, Any]:
        asked = self.settings.max_wait_s if timeout_s is None else timeout_s
        until = api.stop.summary_due(tools.clamped(asked, self.settings))
        # Names are resolved once: the call does not wait for newer runs of a label.
        wanted = await self._in_thread(lambda project: api.references.meant(project, runs, without_stopping=True))
        run_ids = [run.run_id for run in wanted]
        found = await self._wait(run_ids, asked, mode)
        answers = await self._in_thread(
            lambda project: [api.documents.brief_result(project, run, until) for run in found]
        )
        return {**(answers[0] if len(answers) == 1 else {"runs": answers}), **self._note(asked, found)}

    async def _wait(self, run_ids: list[str], asked_s: float, mode: str) -> list[Run]:
        left = tools.until(tools.clamped(asked_s, self.settings))
        for pause in tools.pauses():
            found: list[Run] = await self._in_thread(lambda project: api.stop.wait_for(project, run_ids, 0.0))
            finished = [not run.live for run in found]
            if (any(finished) if mode == "any" else all(finished)) or left() <= 0:
                return found
            await anyio.sleep(max(0.0, min(pause, left())))
        raise AssertionError  # the pauses never end

    def _note(self, asked_s: float, runs: list[Run]) -> dict[str, Any]:
        if asked_s > self.settings.max_wait_s and any(run.live for run in runs):
            limit = f"{self.settings.max_wait_s:g} s (limit per call)"
            return {"note": f"still running after {limit}; call bgrun_wait again"}
        return {}

    async def _bgrun_log(
        self, run: str, since: str | None = None, match: str | None = None, max_lines: int | None = None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = await self._in_thread(lambda project: tools.log(project, run, since, match, max_lines))
        return answer

    async def _bgrun_list(self, what: str = "jobs") -> dict[str, Any]:
        answer: dict[str, Any] = await self._in_thread(lambda project: tools.listed(project, what))
        return answer

    async def _bgrun_stop(self, run: str) -> dict[str, Any]:
        answer: dict[str, Any] = await self._in_thread(lambda project: tools.stopped(project, run))
        return answer


def _check(tool: tools.Tool, given: dict[str, Any]) -> None:
    """Validate arguments against the schema of a tool.

    Raises:
        UsageError: they do not match; the message has up to three errors.
    """
    errors = [_describe(error) for error in Draft7Validator(tool.schema).iter_errors(given)]
    if errors:
        raise UsageError(f"{tool.name}: {'; '.join(errors[:3])}", f"arguments: {', '.join(tool.properties)}")


def _describe(error: Any) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    long = error.validator in ("maxLength", "maxItems")
    message = f"too long, at most {error.validator_value}" if long else error.message
    return short(f"{path}: {message}" if path else message, 200)


def _failed(error: BgrunError) -> types.CallToolResult:
    # A person gets the nearest names and a command; a client gets all names that fit.
    hint = f"valid: {_choices(error)}" if isinstance(error, UnknownNameError) else error.hint
    text = "\n".join(filter(None, (error.message, hint)))
    shown = text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}…"
    return types.CallToolResult(content=[types.TextContent(text=_encodable(shown))], is_error=True)


def _choices(error: UnknownNameError) -> str:
    others = [name for name in error.known if name not in error.nearest]
    return short(", ".join((*error.nearest, *others)), 400)


def _encodable(text: str) -> str:
    """Return text that JSON can carry: bytes that were not UTF-8 are lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _json(text: str) -> Any:
    return json.loads(_encodable(text))
