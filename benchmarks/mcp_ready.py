"""How soon an MCP server has answered after its spawn: the handshake, the list of tools, the first call.

Starts `bgrun mcp` again and again, as a client does that sends its handshake at once and asks for the tools when
that is answered, and prints the medians. `--check` exits with 1 if the list of tools comes later than `TARGET_MS`.
Needs `pip install -e '.[dev]'`, and a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TARGET_MS = 250
STEPS = ("initialize", "tools/list", "first call")
JOBS = "jobs: {ok: {command: 'true'}}\n"
HANDSHAKE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


def _line(method: str, number: int | None = None, params: dict[str, Any] | None = None) -> bytes:
    about = {} if number is None else {"id": number}
    more = {} if params is None else {"params": params}
    return json.dumps({"jsonrpc": "2.0", **about, "method": method, **more}).encode() + b"\n"


def once(command: list[str], folder: Path) -> tuple[float, ...]:
    """Start a server; return after how many milliseconds it has answered each step."""
    begun = time.perf_counter()
    found: list[float] = []
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        if not (server.stdin and server.stdout):
            raise SystemExit("no pipes")
        for data in (
            _line("initialize", 0, HANDSHAKE),
            _line("notifications/initialized") + _line("tools/list", 1),
            _line("tools/call", 2, {"name": "bgrun_list", "arguments": {}}),
        ):
            server.stdin.write(data)
            server.stdin.flush()
            if "result" not in json.loads(server.stdout.readline()):
                raise SystemExit("the server did not answer")
            found.append((time.perf_counter() - begun) * 1000)
        server.stdin.close()
    return tuple(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--at-once", type=int, default=1, help="how many servers are started at a time")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the target is missed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bgjobs.yaml").write_text(JOBS, encoding="utf-8")
        command = [sys.executable, "-m", "bgrun", "mcp"]
        once(command, folder)  # fills the caches of the file system
        with ThreadPoolExecutor(asked.at_once) as several:
            rounds = list(several.map(lambda _: once(command, folder), range(asked.rounds * asked.at_once)))
    for step, times in zip(STEPS, zip(*rounds, strict=True), strict=True):
        print(f"{step:12} {statistics.median(times):5.0f} ms  (fastest {min(times):.0f}, slowest {max(times):.0f})")
    if asked.check and statistics.median(one[1] for one in rounds) > TARGET_MS:
        sys.exit(1)


if __name__ == "__main__":
    main()
