"""The job file of a shop with a database and a web server, with stand-ins for PostgreSQL and npm."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bgrun.system import ports
from tests.conftest import TOP, Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB_FILE = TOP / "tests" / "jobfile" / "positive" / "services.yaml"
SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
port = sys.argv[sys.argv.index(OPTION) + 1]
http.server.HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""
CLIENT = """
import os, sys, urllib.request
assert sys.argv[1:] == ["playwright", "test"]
urllib.request.urlopen(os.environ["BASE_URL"] + "/health")
urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PGPORT']}/health")
"""
PROGRAMS: Mapping[str, str] = {
    "postgres": SERVER.replace("OPTION", '"-p"'),
    "pg_isready": "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[3])))",
    "npm": f"import sys\nif 'dev' in sys.argv:\n    exec({SERVER.replace('OPTION', repr('--port'))!r})",
    "npx": CLIENT,
}


def test_the_services_of_a_shop_start_in_order_are_ready_and_stop_in_order(bg: Cli) -> None:
    programs = bg.folder / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!{sys.executable}\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    bg.jobs(JOB_FILE.read_text(encoding="utf-8"))
    bg.env["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"

    bg("start", "e2e", "--wait", "--timeout", "60s")
    group = bg.state("plan_e2e")["run_id"]
    assert bg.ended(group, "30s")["state"] == "succeeded"

    events = [line.split()[1:3] for line in (bg.logs / f"{group}.log").read_text(encoding="utf-8").splitlines()]
    order = [f"{what} {run_id[0].rsplit('_', 2)[0]}" for what, *run_id in events if run_id and "_20" in run_id[0]]
    of_services = [one for one in order if not one.endswith(" build")]
    assert of_services == [
        *("started db", "ready db", "started web", "ready web"),
        *("started e2e", "succeeded e2e", "stopped web", "stopped db"),
    ]
    assert order.index("succeeded build") < order.index("started web")
    metas = [bg.meta({"meta": path}) for path in Path(bg.logs).glob("*.meta")]
    own = [int(meta["port"]) for meta in metas if "port" in meta]
    assert len(own) == 2
    assert wait_until(lambda: all(map(ports.is_free, own)), "the ports are free")
    # The guard of all tests finds any process that is left.
