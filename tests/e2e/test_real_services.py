"""Services for real: a PostgreSQL server and a web server, with psql and an HTTP client as jobs, in one group."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgrun.system import ports
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from tests.conftest import Cli

NOBODY = 65534
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
FOUND = shutil.which("postgres") or (DEBIAN and DEBIAN[-1] / "postgres")
# PostgreSQL refuses root. The capability lets it reach a directory below those that only root may enter.
AS_NOBODY = (
    f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=+dac_read_search "
    "--ambient-caps=+dac_read_search"
)
JOBS = """
services:
  db:
    command: exec {user} {bin}/postgres -D data -p "$PORT" -h 127.0.0.1 -k '' -F
    port: auto
    ready: {{command: "{bin}/pg_isready -q -h 127.0.0.1 -p $PORT"}}
    stop_signal: SIGINT
    depends_on: [cluster]
  web:
    command: exec {python} -u -m http.server "$PORT" --bind 127.0.0.1 --directory site
    port: auto
    ready: {{http: "http://127.0.0.1:{{{{ port }}}}/index.html"}}
    depends_on: {{db: {{condition: service_healthy}}, page: {{condition: service_completed_successfully}}}}
jobs:
  cluster: {{command: "{user} {bin}/initdb -D data -A trust -U tester --no-sync"}}
  page: {{command: "mkdir -p site && echo hello >site/index.html"}}
  query:
    command: psql -v ON_ERROR_STOP=1 -Atc 'create table t (n int); insert into t values (6), (7)' -c 'select 6 * 7'
    env:
      PGHOST: 127.0.0.1
      PGPORT: "{{{{ services.db.port }}}}"
      PGUSER: tester
      PGDATABASE: postgres
    depends_on: [db]
  fetch:
    command: {python} -c 'import os, urllib.request as u; print(u.urlopen(os.environ["URL"]).read().decode())'
    env: {{URL: "{{{{ services.web.url }}}}/index.html"}}
    depends_on: [web]
groups:
  checks: {{jobs: [query, fetch]}}
"""


@pytest.mark.skipif(not FOUND or not shutil.which("psql"), reason="needs PostgreSQL")
def test_a_database_and_a_web_server_serve_the_jobs_of_a_group(bg: Cli) -> None:
    is_root = os.geteuid() == 0
    data = bg.folder / "data"
    data.mkdir(mode=0o700)
    if is_root:
        os.chown(data, NOBODY, NOBODY)
    place, user = Path(str(FOUND)).resolve().parent, AS_NOBODY if is_root else ""
    bg.jobs(JOBS.format(bin=place, user=user, python=shlex.quote(sys.executable)))
    done = bg.json("group", "checks", "--wait", "--timeout", "90s")
    runs = {run["label"]: run for run in done["runs"]}

    assert {label: run["state"] for label, run in runs.items()} == {
        **dict.fromkeys(("cluster", "page", "query", "fetch"), "succeeded"),
        **dict.fromkeys(("db", "web"), "stopped"),
    }
    assert {runs[name]["reason"].partition(" (")[0] for name in ("db", "web")} == {"no longer needed"}
    assert "42" in bg("logs", "query").out
    assert "hello" in bg("logs", "fetch").out
    # Ready means what it says: nothing had to try twice. And the stop was PostgreSQL's fast shutdown.
    log = bg("logs", "db").out
    assert "database system is ready to accept connections" in log
    assert "received fast shutdown request" in log
    assert "database system is shut down" in log
    events = Path(done["log"]).read_text()
    order = [f"ready {runs['db']['run_id']}", f"started {runs['web']['run_id']}", f"ready {runs['web']['run_id']}"]
    order += [
        f"started {runs['fetch']['run_id']}",
        f"stopped {runs['web']['run_id']}",
        f"stopped {runs['db']['run_id']}",
    ]
    places = [events.index(one) for one in order]
    assert places == sorted(places), events
    for name in ("db", "web"):
        assert is_gone(runs[name]["pid"])
        assert ports.is_free(runs[name]["port"])
