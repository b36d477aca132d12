"""A model that says what a script tells it to, on loopback, behind the APIs of four coding agents.

Anthropic Messages (Claude Code), OpenAI Responses (Codex), Chat Completions (opencode), Gemini generateContent.
"""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]
Events = list[tuple[str, Any]]
WAIT_TOOL = "WaitForMcpServers"
"""Claude Code connects its servers in the background, and offers this until they are connected."""
MOST_TURNS = 100


class Step(NamedTuple):
    """A tool call: its name, or the end of its name, and its input.

    until: it is made again until the next request has this text.
    """

    tool: str
    input: Json
    until: str = ""


class Script:
    """The steps, and what came back for each of them, as text."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)
        self.answers: list[str] = []
        self.offered: set[str] = set()
        self.first_offer: frozenset[str] = frozenset()
        self.first_request = self.last_request = ""
        self.turn = 0
        self._is_answer_due = False
        self._lock = threading.Lock()

    def next(self, offered: set[str], results: list[Any], request: str) -> tuple[str, Json] | None:
        """Return the next call, or None for the last words; `request` is the text of the whole request."""
        with self._lock:
            self.last_request = request
            self.first_request = self.first_request or request
            if self._is_answer_due and (self.steps[len(self.answers)].until in request or self.turn > MOST_TURNS):
                self.answers.append("\n".join(map(_text, results)))
            self._is_answer_due = False
            self.offered |= offered
            self.first_offer = self.first_offer or frozenset(offered)
            if len(self.answers) == len(self.steps):
                return None
            self.turn += 1
            step = self.steps[len(self.answers)]
            name = next(
                (one for one in offered if one == step.tool or one.endswith(("_" + step.tool, "." + step.tool))), ""
            )
            if not name and WAIT_TOOL in offered and self.turn < MOST_TURNS:
                return WAIT_TOOL, {}
            self._is_answer_due = True
            return name or step.tool, step.input


def _text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


# --- requests: the tools that are offered, and what the last calls gave ---------------------------------------


def offered_in(body: Json) -> set[str]:
    """Return the names of the tools that a request offers."""
    return set(_names(body.get("tools") or []))


def _names(tools: list[Json]) -> Iterator[str]:
    for tool in tools:
        if tool.get("type") == "namespace":  # Codex puts the tools of a server into one
            yield from (f"{tool['name']}.{one['name']}" for one in tool["tools"])
        elif "functionDeclarations" in tool:
            yield from (one["name"] for one in tool["functionDeclarations"])
        else:
            yield str(tool.get("function", tool).get("name", tool.get("type")))


def results_in(body: Json) -> list[Any]:
    """Return what the last calls gave, in the words of the client."""
    if "contents" in body:
        parts = body["contents"][-1].get("parts", [])
        return [part["functionResponse"].get("response") for part in parts if "functionResponse" in part]
    if "input" in body:
        return [item.get("output") for item in body["input"] if str(item.get("type")).endswith("_call_output")][-1:]
    last = body["messages"][-1]
    if last["role"] == "tool":
        return [last["content"]]
    blocks = last["content"] if isinstance(last["content"], list) else []
    return [block.get("content") for block in blocks if block.get("type") == "tool_result"]


# --- answers --------------------------------------------------------------------------------------------


def anthropic(call: tuple[str, Json] | None, n: int) -> Events:
    """Return the events of Anthropic's Messages API."""
    start = (
        {"type": "tool_use", "id": f"toolu_{n}", "name": call[0], "input": {}} if call else {"type": "text", "text": ""}
    )
    delta = (
        {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
        if call
        else {"type": "text_delta", "text": "done"}
    )
    message = {
        **{"id": f"msg_{n}", "type": "message", "role": "assistant", "model": "m", "content": []},
        **{"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}},
    }
    stop = {"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}
    return [
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": start}),
        ("content_block_delta", {"index": 0, "delta": delta}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": stop, "usage": {"output_tokens": 5}}),
        ("message_stop", {}),
    ]


def responses(call: tuple[str, Json] | None, n: int) -> Events:
    """Return the events of OpenAI's Responses API."""
    text = {"type": "output_text", "text": "done", "annotations": []}
    item: Json = {"type": "message", "id": f"msg_{n}", "role": "assistant", "status": "completed", "content": [text]}
    if call:
        space, _, name = call[0].rpartition(".")
        item = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": name, "status": "completed"}
        item |= {"arguments": json.dumps(call[1]), **({"namespace": space} if space else {})}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, **details}
    whole = {
        "id": f"r_{n}",
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": [item],
        "usage": usage,
    }
    return [
        ("response.created", {"response": {**whole, "status": "in_progress", "output": []}}),
        ("response.output_item.added", {"output_index": 0, "item": item}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]


def chat(call: tuple[str, Json] | None, n: int) -> Events:
    """Return the events of OpenAI's Chat Completions API."""
    message: Json = {"role": "assistant", "content": None if call else "done"}
    if call:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        message["tool_calls"] = [{"index": 0, "id": f"call_{n}", "type": "function", "function": function}]
    base = {"id": f"c_{n}", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    last = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if call else "stop"}
    return [
        ("", {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}),
        ("", {**base, "choices": [last], "usage": usage}),
        ("", "[DONE]"),
    ]


def gemini(call: tuple[str, Json] | None, n: int) -> Events:
    """Return the events of Gemini's streamGenerateContent."""
    part = {"functionCall": {"name": call[0], "args": call[1], "id": f"call_{n}"}} if call else {"text": "done"}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    return [("", {"candidates": [candidate], "usageMetadata": usage})]


APIS = {"/messages": anthropic, "/responses": responses, "/chat/completions": chat, "enerateContent": gemini}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._send_json({"data": [], "models": []})

    def do_GET(self) -> None:
        self.do_HEAD()

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        path = self.path.split("?")[0]
        api = next(
            (found for end, found in APIS.items() if end in path and "ount" not in path.rsplit("/", 1)[-1]), None
        )
        if api is None:
            self._send_json({"input_tokens": 10, "totalTokens": 10})
            return
        body = json.loads(text)
        offered = offered_in(body)
        # A request without tools is a side errand of the client: a title, a summary.
        call = self.script.next(offered, results_in(body), text) if offered else None
        events = api(call, self.script.turn)
        streams = body.get("stream") or "streamGenerateContent" in path
        if streams or api is not gemini:
            self._send_events(events)
        else:
            self._send_json(events[0][1])

    def _send_json(self, document: Json) -> None:
        out = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(out)

    def _send_events(self, events: Events) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for kind, data in events:
            head = f"event: {kind}\n" if kind else ""
            document = data if isinstance(data, str) else json.dumps({**({"type": kind} if kind else {}), **data})
            self.wfile.write(f"{head}data: {document}\n\n".encode())
        self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:  # type: ignore[override]
        """Ignore a client that hangs up."""


def serve(script: Script) -> http.server.ThreadingHTTPServer:
    """Serve a script from a thread; the port is `server_address[1]`."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"script": script}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
