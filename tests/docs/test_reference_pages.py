"""The reference pages that people write name exactly what the code has: states, exit codes, variables, meta keys."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bgrun import errors
from bgrun.local.supervision import hooks
from bgrun.model import STATES, Run
from bgrun.render.environment import CONSTANTS
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import programs
from tests.conftest import TOP

if TYPE_CHECKING:
    from tests.conftest import Cli

REFERENCE = TOP / "docs" / "reference"
SOURCES = [path for path in (TOP / "bgrun").rglob("*") if path.suffix in (".py", ".j2")]
JOBS = """
jobs:
  bad:
    command: "sleep 300 >/dev/null 2>&1 & exit 3"
    params: {x: {default: y}}
    tags: [t]
    timeout: 10m
    retention: {max_runs: 5, max_age: 7d}
    env: {TOKEN: not to be seen}
    secrets: [TOKEN]
    log: {max_size: 10MB}
    on_finish: ["true"]
    concurrency: {group: g, when_busy: join}
    progress: pytest
    problems: [pytest]
    reports: {junit: x.xml}
    outputs: {o: {glob: "*.txt"}}
    retry: {max: 1, backoff: 0s}
  after: {command: "true", depends_on: bad}
  never: {command: "true", if: "false"}
  late: {command: "sleep 300", timeout: 200ms}
groups: {all: {jobs: [bad, after, never, late], max_parallel: 2}}
"""


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of each row of the first table under a heading."""
    _, _, rest = (REFERENCE / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    section = re.split(r"\n## ", rest)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if not line.startswith("| -")
    ]


def names(page: str, heading: str) -> list[str]:
    """Return what stands as code in the first cell of each row of all tables under a heading."""
    return [name for row in rows(page, heading) for name in re.findall(r"`([^`]+)`", row[0])]


def test_the_page_has_every_state() -> None:
    assert names("states-and-exit-codes.md", "States") == list(STATES)


def test_the_page_has_every_exit_code() -> None:
    known = sorted(value for name, value in vars(errors).items() if name.startswith("EXIT_"))
    shown = [row[0] for row in rows("states-and-exit-codes.md", "Exit codes of bgrun")[1:]]
    assert shown == [str(code) for code in known]


def test_the_page_has_every_variable_that_is_read() -> None:
    """PATH is read by everything; the last three are Python's own."""
    read = {
        name
        for path in SOURCES
        for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z]\w+)"', path.read_text(encoding="utf-8"))
    }
    assert read >= {"NO_COLOR", "BGRUN_DEBUG", "XDG_STATE_HOME"}
    documented = set(names("environment.md", "That bgrun reads"))
    assert read - {"PATH"} <= documented
    assert documented - read == {"COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE"}


def test_the_page_has_every_variable_of_a_job() -> None:
    documented = names("environment.md", "In jobs")
    assert set(documented) == {MARK_RUN, MARK_DIR, "VIRTUAL_ENV", "PATH", "PORT", *CONSTANTS}
    text = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    kept_back = {
        name for name in ("SHELLOPTS", "BASHOPTS", "BASH_XTRACEFD", "EXECIGNORE", "TMOUT") if f"`{name}`" in text
    }
    assert programs.job_environment(dict.fromkeys([*kept_back, "bgrun_x", "OTHER"], "1")) == {"OTHER": "1"}
    assert len(kept_back) == 5


def test_the_page_has_every_variable_of_a_hook() -> None:
    run: Any = SimpleNamespace(**dict.fromkeys(Run._fields))
    assert set(names("environment.md", "In hooks")) == set(hooks.variables(run))


@pytest.fixture
def metas(bg: Cli) -> dict[str, dict[str, str]]:
    """The metas of runs that ended in many ways."""
    bg.jobs(JOBS)
    bg("group", "all", "--wait", code=1)
    bg("start", "bad", "--wait", code=1)
    runs = bg.json("list", "--all")["runs"]
    for run in runs:
        bg("stop", run["run_id"])
    return {run["run_id"]: bg.meta(run) for run in runs}


def test_the_page_has_every_key_of_a_meta(metas: dict[str, dict[str, str]]) -> None:
    documented = names("files.md", "The meta")
    keys = [name for name in documented if re.fullmatch("[a-z_]+", name)]
    assert len(keys) == len(set(keys))
    written = {key for meta in metas.values() for key in meta}
    assert len(written) > 50
    assert written - set(keys) == set()
    for meta in metas.values():
        assert list(meta)[:9] == keys[:9]


def test_the_page_has_no_key_that_the_code_has_not() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    keys = [name for name in names("files.md", "The meta") if re.fullmatch("[a-z_]+", name)]
    assert [key for key in keys if f'"{key}"' not in code] == []


def test_the_page_has_every_file_of_a_run(bg: Cli, metas: dict[str, dict[str, str]]) -> None:
    text = (REFERENCE / "files.md").read_text(encoding="utf-8")
    documented = {name.replace("<group>/", "") for name in re.findall(r"^\| `(\.logs/[^`]+)`", text, re.MULTILINE)}
    directories = tuple(name for name in documented if name.endswith("/"))
    made = {str(path.relative_to(bg.folder)) for path in bg.logs.rglob("*") if path.is_file()}
    for run_id in metas:
        made = {name.replace(run_id, "<run_id>") for name in made}
    assert {name for name in made if name not in documented and not name.startswith(directories)} == set()
    assert len(documented - made) < len(documented) / 2
