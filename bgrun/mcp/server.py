"""The MCP server: speaks the protocol over stdio with the official SDK and passes every call to `calls`.

A failed call is a tool error with a hint; the server continues. It exits at the end of its standard input; runs
continue, since they are not its children.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO, cast

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from bgrun import __version__, api
from bgrun.errors import BgrunError, NoJobFileError, UnknownNameError, output_error
from bgrun.mcp import arguments, calls, roots, texts, tools, unreadable
from bgrun.wording import limit, short

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerRequestContext
    from mcp.server.session import ServerSession

    from bgrun.api import Project
    from bgrun.mcp.wire import Wire
    from bgrun.model import Run

_LONGEST_ERROR = 600
_NO_PROJECT = "configure the server to start in the project's directory, or as: bgrun --file PATH/bgjobs.yaml mcp"
_PAUSES_S = (0.05, 0.1, 0.2, 0.25)
"""The seconds between two checks of runs that are waited for; the last goes for all that follow."""
PROGRESS_S = (2.0, 8.0)
"""After how many seconds progress is sent first, and then again: a client may allow a minute of silence."""


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


async def _serve(answering: Calls, wire: Wire) -> None:
    server: Server[Any] = Server(
        tools.NAME,
        version=__version__,
        instructions=tools.INSTRUCTIONS,
        on_list_tools=answering.list_tools,
        on_call_tool=answering.call_tool,
    )
    streams = (anyio.wrap_file(wire.input()), anyio.wrap_file(cast("TextIO", wire.output())))
    async with stdio_server(*streams) as (reading, writing), anyio.create_task_group() as group:
        to, messages = anyio.create_memory_object_stream[SessionMessage | Exception]()
        group.start_soon(unreadable.pass_on, reading, writing, to)
        await server.run(messages, writing, server.create_initialization_options())


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
        self, context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Answer tools/call; every error becomes a tool error."""
        try:
            lines = await self._call(context, params.name, params.arguments or {})
        except BgrunError as error:
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - the server must continue, and its client must be informed
            return _failed(BgrunError(f"internal error: {type(error).__name__}: {error}"))
        return types.CallToolResult(content=[types.TextContent(text=_encodable("\n".join(lines)))])

    async def _call(self, context: ServerRequestContext[Any], name: str, given: dict[str, Any]) -> list[str]:
        tool = self.tools.get(name)
        if tool is None:
            raise UnknownNameError("tool", name[:100], self.tools)
        known = arguments.read(tool, given)
        await self._find_project(context.session)
        if name == "bgrun_start":
            return await self._start(Waiting(context, self.settings), **known)
        if name == "bgrun_wait":
            return await self._wait(Waiting(context, self.settings), **known)
        if name == "bgrun_log":
            return await self._lines(lambda project: calls.log(project, **known))
        if name == "bgrun_list":
            what, job = known.get("what", "jobs"), known.get("job")
            return await self._lines(lambda project: calls.listed(project, what, job))
        return await self._lines(lambda project: calls.stopped(project, known["run"]))

    async def _find_project(self, session: ServerSession) -> None:
        """Serve the project that the client has open, if the server was started where there is none."""
        if self.begun_in.job_file or api.locate(self.begun_in.root).job_file:
            return
        if found := roots.with_job_file(await roots.listed(session)):
            self.begun_in = found

    async def _in_thread(self, work: Callable[[Project], Any]) -> Any:
        """Run blocking work in a thread, so that other calls are answered meanwhile."""

        def do() -> Any:
            return work(api.locate(self.begun_in.root, self.begun_in.job_file))

        return await anyio.to_thread.run_sync(do)

    async def _lines(self, work: Callable[[Project], list[str]]) -> list[str]:
        return cast("list[str]", await self._in_thread(work))

    async def _start(
        self, waiting: Waiting, job: str, args: list[str] | None = None, wait_s: float | None = None, **given: Any
    ) -> list[str]:
        how = calls.How(**given)
        begun: calls.Begun = await self._in_thread(
            lambda project: calls.start(project, self.settings, job, args or [], how)
        )
        mode = "ready" if begun.run.service else "all"
        (run,) = await self._until(waiting, [begun.run.run_id], wait_s, mode)
        await self._until_released(waiting, run)
        return [*begun.lines, *await self._results(waiting, [run], wait_s, apart=False)]

    async def _wait(
        self, waiting: Waiting, runs: list[str], wait_s: float | None = None, mode: str = "all"
    ) -> list[str]:
        # Names are resolved once: the call does not wait for newer runs of a label.
        run_ids: list[str] = await self._in_thread(lambda project: calls.meant(project, runs))
        if mode == "ready":
            await self._in_thread(lambda project: api.services.meant(project, run_ids))
        found = await self._until(waiting, run_ids, wait_s, mode)
        return await self._results(waiting, found, wait_s, apart=mode == "any")

    async def _results(self, waiting: Waiting, runs: list[Run], asked_s: float | None, *, apart: bool) -> list[str]:
        lines = await self._lines(lambda project: calls.results(project, runs, waiting.summary_due, apart=apart))
        is_cut_off = waiting.left_s <= 0 and (asked_s is None or asked_s > waiting.longest_s)
        if is_cut_off and any(run.live and not run.is_ready for run in runs):
            lines.append(f"still running after {limit(waiting.longest_s)}, the limit of a call: bgrun_wait again")
        return lines

    async def _until(self, waiting: Waiting, run_ids: list[str], asked_s: float | None, mode: str) -> list[Run]:
        """Return runs once all have finished, or any, or are ready, or as they are when the time is up."""
        waiting.begin(asked_s)
        enough = any if mode == "any" else all
        arrived = api.services.arrived if mode == "ready" else _has_finished
        pauses = iter(_PAUSES_S)
        found: list[Run] = await self._in_thread(lambda project: api.stop.wait_for(project, run_ids, 0.0))
        while True:
            found = await self._in_thread(_as_they_are(found))
            if enough(arrived(run) for run in found) or waiting.left_s <= 0:
                return found
            await self._report(waiting, next(run for run in found if run.live))
            await anyio.sleep(max(0.0, min(next(pauses, _PAUSES_S[-1]), waiting.left_s)))

    async def _until_released(self, waiting: Waiting, run: Run) -> None:
        """Wait until the services have stopped that came along with a finished run."""
        pauses = iter(_PAUSES_S)
        while run.group_run and not run.live and waiting.left_s > 0:
            if not await self._in_thread(lambda project: api.services.is_releasing(project, run)):
                return
            await anyio.sleep(max(0.0, min(next(pauses, _PAUSES_S[-1]), waiting.left_s)))

    async def _report(self, waiting: Waiting, run: Run) -> None:
        """Send progress, if the client asked for it and the last was a while ago."""
        if waiting.is_progress_due:
            eta_s, message = await self._in_thread(lambda project: texts.progress_message(project, run))
            spent = waiting.reported()
            total = None if eta_s is None else spent + eta_s
            await waiting.context.session.report_progress(spent, total, _encodable(message))


def _as_they_are(runs: list[Run]) -> Callable[[Project], list[Run]]:
    """Return what looks at runs again, without their names: one that was deleted meanwhile hides no other."""
    return lambda project: api.stop.wait_on(project, runs, 0.0)


def _has_finished(run: Run) -> bool:
    return not run.live


class Waiting:
    """The wait of one call: how long it may take, and when its client was last sent progress."""

    def __init__(self, context: ServerRequestContext[Any], settings: tools.ServerOptions) -> None:
        about = context.session.client_params
        self.context = context
        self.wants_progress = bool(context.meta and context.meta.get("progress_token") is not None)
        name = about.client_info.name if about else ""
        self.longest_s = tools.longest_wait_s(name, settings, progress=self.wants_progress)
        self.summary_due: float | None = None
        self._begun = self._end = self._due = time.monotonic()

    def begin(self, asked_s: float | None) -> None:
        """Begin to wait, as long as the client allows unless less was asked for."""
        self._begun = time.monotonic()
        self._end = self._begun + (self.longest_s if asked_s is None else min(asked_s, self.longest_s))
        self._due = self._begun + PROGRESS_S[0]
        self.summary_due = api.stop.summary_due(self._end - self._begun)

    @property
    def left_s(self) -> float:
        """The seconds that are left."""
        return self._end - time.monotonic()

    @property
    def is_progress_due(self) -> bool:
        """Whether progress is to be sent now."""
        return self.wants_progress and time.monotonic() >= self._due

    def reported(self) -> float:
        """Note that progress is sent; return the seconds waited, which grow from report to report."""
        now = time.monotonic()
        self._due = now + PROGRESS_S[1]
        return round(now - self._begun, 1)


def _failed(error: BgrunError) -> types.CallToolResult:
    # A person gets the nearest names and a command; a client gets all names that fit.
    hint = f"valid: {_choices(error)}" if isinstance(error, UnknownNameError) and error.known else error.hint
    if isinstance(error, NoJobFileError):
        hint = _NO_PROJECT
    text = "\n".join(filter(None, (error.message, hint)))
    shown = text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}…"
    return types.CallToolResult(content=[types.TextContent(text=_encodable(shown))], is_error=True)


def _choices(error: UnknownNameError) -> str:
    others = [name for name in error.known if name not in error.nearest]
    return short(", ".join((*error.nearest, *others)), 400)


def _encodable(text: str) -> str:
    """Return text that JSON can carry: bytes that were not UTF-8 are lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
