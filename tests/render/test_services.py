"""Services in a plan: what comes along, where it listens, and what templates know of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile import loader
from bgrun.jobfile.specs import JobFile
from bgrun.plan import Node, RenderedPlan
from bgrun.render import plan
from bgrun.system import ports
from bgrun.templating.checks import unchanged
from bgrun.templating.inputs import RenderInputs

JOBS = b"""
services:
  db: {command: serve, port: auto, ready: up}
  web:
    command: serve --port {{ port }} --db {{ services.db.port }}
    port: auto
    ready: {http: "http://localhost:{{ port }}/health?x=1", status: [200, 401], timeout: 90s, interval: 1s}
    depends_on: [db, build]
    retry: {max: 3}
  plain: {command: serve, port: 5432}
  fixed: {command: serve, port: 8080, env: {PORT: "1", WHERE: "{{ port }}"}, ready: {command: "probe {{ port }} $PORT"}}
jobs:
  build: {command: make}
  lint: {command: make}
  e2e:
    command: test {{ services.web.url }}
    depends_on: web
    env: {DB: "{{ services.db.port }}", PLAIN: "{{ services['plain'].url }}"}
  clean: {command: make, depends_on: {build: {condition: service_completed}, plain: {condition: service_started}}}
groups:
  checks: {jobs: [lint, e2e], depends_on: {lint: {plain: {condition: service_started}}}}
  all: {jobs: [lint, e2e], depends_on: {db: {condition: service_started}, build: {condition: service_completed}}}
"""


@pytest.fixture
def job_file(tmp_path: Path) -> JobFile:
    return loader.parse(str(tmp_path / "bgjobs.yaml"), JOBS)


def expanded(job_file: JobFile, *words: str, inputs: RenderInputs | None = None) -> RenderedPlan:
    return plan.expand_jobs(job_file, plan.requests_of(job_file, words), inputs or RenderInputs({}))


def by_label(made: RenderedPlan) -> dict[str, Node]:
    return {node.job.label: node for node in made.nodes}


def test_services_come_along_in_order_with_their_conditions(job_file: JobFile) -> None:
    made = expanded(job_file, "e2e")
    shown = [(node.job.label, node.needs, node.conditions, node.kept) for node in made.nodes]
    assert shown == [
        ("db", (), (), ""),
        ("build", (), (), ""),
        ("web", (0, 1), ("ready", "succeeded"), ""),
        ("e2e", (2,), ("ready",), ""),
    ]
    assert made.wanted == (3,)


def test_conditions_of_a_job_and_of_a_group(job_file: JobFile) -> None:
    assert by_label(expanded(job_file, "clean"))["clean"].conditions == ("completed", "started")
    made = by_label(plan.expand_group(job_file, "checks", RenderInputs({})))
    assert (made["lint"].conditions, made["e2e"].conditions) == (("started",), ("ready",))
    made = by_label(plan.expand_group(job_file, "all", RenderInputs({})))
    assert made["lint"].conditions == ("started", "completed")
    assert made["e2e"].conditions == ("ready", "started", "completed")


def test_a_requested_service_is_kept_until_the_jobs_are_over_or_it_is_stopped(job_file: JobFile) -> None:
    assert {label: node.kept for label, node in by_label(expanded(job_file, "web")).items()} == {
        **{"db": "", "build": "", "web": "stop"}
    }
    assert by_label(expanded(job_file, "lint", "plain"))["plain"].kept == "jobs"


def test_a_service_has_its_port_and_jobs_its_address(job_file: JobFile) -> None:
    made = by_label(expanded(job_file, "e2e", "plain", "fixed"))
    root = str(job_file.root)
    web, db = ports.assign(root, "web"), ports.assign(root, "db")
    assert (made["web"].job.port, made["web"].job.url) == (web, f"http://localhost:{web}")
    assert (made["db"].job.port, made["db"].job.url) == (db, f"http://127.0.0.1:{db}")
    assert made["web"].job.cmd == f"serve --port {web} --db {db}"
    assert f"\nexport PORT={web}\n" in made["web"].job.script
    assert made["e2e"].job.cmd == f"test http://localhost:{web}"
    assert f"\nexport DB={db}\n" in made["e2e"].job.script
    assert "\nexport PLAIN=http://127.0.0.1:5432\n" in made["e2e"].job.script
    assert "\nexport PORT=1\nexport WHERE=8080\n" in made["fixed"].job.script


def test_checks_are_rendered(job_file: JobFile) -> None:
    made = by_label(expanded(job_file, "e2e", "fixed"))
    web = made["web"].job
    assert web.ready
    assert web.ready._replace(shown="") == (
        "http",
        f"http://localhost:{web.port}/health?x=1",
        (200, 401),
        90.0,
        1.0,
        "",
    )
    assert made["db"].job.ready
    assert made["db"].job.ready.value == "up"
    check = made["fixed"].job.ready
    assert check
    assert "\nexport PORT=1\n" in check.value
    assert check.value.endswith("""bash -eo pipefail -c 'probe 8080 $PORT'\n""")


def test_the_check_of_a_service_knows_the_parameters_of_its_start(tmp_path: Path) -> None:
    text = b"""
services:
  web:
    command: serve {{ at }}
    params: {at: {type: integer, required: true}, host: {default: localhost}}
    ready: {http: "http://{{ host }}:{{ at }}/health"}
  db:
    command: serve {{ at }}
    params: {at: {type: integer, default: 1}}
    ready: {command: "probe {{ at }}"}
"""
    declared = loader.parse(str(tmp_path / "bgjobs.yaml"), text)
    (web,) = expanded(declared, "web", "at=8099").nodes
    assert web.job.ready
    assert (web.job.ready.value, web.job.url) == ("http://localhost:8099/health", "http://localhost:8099")
    (db,) = expanded(declared, "db", "at=2").nodes
    assert db.job.ready
    assert "probe 2" in db.job.ready.value


@pytest.mark.parametrize(
    ("limits", "who"),
    [
        ({"db": 1, "e2e": 1}, ("e2e", 1, "db")),
        ({"web": 1, "e2e": 1}, ("e2e", 1, "web")),
        ({"db": 1, "web": 1}, ("web", 1, "db")),
        ({"db": 2, "web": 2, "e2e": 2}, ("e2e", 2, "db, web")),
        ({"db": 3, "web": 3, "e2e": 3}, None),
        ({"build": 1, "e2e": 1}, None),
        ({"build": 1, "db": 1}, None),
    ],
)
def test_a_run_that_would_wait_for_a_slot_of_its_own_services_is_refused(
    tmp_path: Path, limits: dict[str, int], who: tuple[str, int, str] | None
) -> None:
    def of(name: str) -> str:
        return f"concurrency: {{group: one, limit: {limits[name]}}}, " if name in limits else ""

    text = f"""
services:
  db: {{{of("db")}command: serve}}
  web: {{{of("web")}command: serve, depends_on: [db, build]}}
jobs:
  build: {{{of("build")}command: make}}
  e2e: {{{of("e2e")}command: test, depends_on: [web]}}
"""
    declared = loader.parse(str(tmp_path / "bgjobs.yaml"), text.encode())
    if not who:
        assert len(expanded(declared, "e2e").nodes) == 4
        return
    with pytest.raises(UsageError) as refused:
        expanded(declared, "e2e")
    waits, limit, needed = who
    where = f"concurrency group 'one' (limit {limit})"
    assert refused.value.message == f"{waits} would wait forever in {where}: it needs {needed}, in the same group"


def test_no_exit_code_of_a_service_is_a_success_so_that_each_is_tried_again(job_file: JobFile) -> None:
    job = by_label(expanded(job_file, "web"))["web"].job
    assert job.limits.success_exit_codes == ()
    assert "case $bgrun_last" not in job.script
    assert "for bgrun_pause in 1 2 4 none" in job.script


def test_a_plan_depends_on_the_ports_that_it_holds(job_file: JobFile) -> None:
    inputs = RenderInputs({})
    made = expanded(job_file, "e2e", inputs=inputs)
    now = {node.job.label: node.job.port for node in made.nodes if node.job.port}

    def check(subject: str) -> int:
        return now[subject.split("\0")[1]]

    assert unchanged(inputs.recorded(), os.environ, more={"port": check})
    now["web"] += 1
    assert not unchanged(inputs.recorded(), os.environ, more={"port": check})


def test_two_checkouts_have_ports_of_their_own(tmp_path: Path) -> None:
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found |= {node.job.port for node in expanded(loader.parse(f"{tmp_path}/{name}/bgjobs.yaml", JOBS), "e2e").nodes}
    assert len(found - {0}) == 4


def test_an_included_file_names_its_own_services(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "bgjobs.yaml").write_bytes(JOBS)
    outer = b"include: {shop: shop/bgjobs.yaml}\njobs: {all: {command: 'test {{ services[\"shop.web\"].url }}', depends_on: shop.e2e}}"
    made = by_label(expanded(loader.parse(str(tmp_path / "bgjobs.yaml"), outer), "all"))
    assert list(made) == ["shop.db", "shop.build", "shop.web", "shop.e2e", "all"]
    assert made["shop.web"].conditions == ("ready", "succeeded")
    assert made["shop.web"].job.port == ports.assign(str(tmp_path / "shop"), "web")
    assert made["shop.e2e"].job.cmd == made["all"].job.cmd == f"test {made['shop.web'].job.url}"


def test_the_address_of_a_secret_is_refused(tmp_path: Path) -> None:
    text = b"""
services:
  web: {command: serve, secrets: [KEY], env: {KEY: verysecret}, ready: {http: "http://x/{{ env.KEY }}"}}
"""
    with pytest.raises(UsageError, match="secret"):
        expanded(loader.parse(str(tmp_path / "bgjobs.yaml"), text), "web")


def test_all_of_a_plan_is_made_with_one_port(job_file: JobFile, monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter(range(20_000, 30_000))
    monkeypatch.setattr(ports, "assign", lambda *_: next(given))  # as where others start at the same moment
    nodes = by_label(expanded(job_file, "e2e"))
    db, web = nodes["db"].job, nodes["web"].job
    assert f"PORT={db.port}" in db.script
    assert f"--port {web.port} --db {db.port}" in web.script
    assert f"test {web.url}" in nodes["e2e"].job.script
    assert web.url == f"http://localhost:{web.port}"
