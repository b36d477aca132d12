"""What a launcher does besides the command: test reports and outputs as the local engine keeps them, and hooks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bgrun.local.recording import reports
from bgrun.plan import Hook, Limits, Node, Output, RenderedJob, RenderedPlan
from bgrun.slurm import options, submit
from bgrun.store import meta, submission
from bgrun.store.store import Store
from tests.conftest import LIMITS_S, wait_until
from tests.slurm.test_launcher import Place, pytestmark  # noqa: F401 - the same need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.conftest import Cli
    from tests.slurm.played import Played


@pytest.fixture
def place(tmp_path: Path, clean_env: dict[str, str]) -> Iterator[Place]:
    os.mkdir(tmp_path / "p %1")
    made = Place(Store(str(tmp_path / "p %1" / ".logs")), clean_env)
    yield made
    for one in made.started:
        if one.poll() is None:
            one.kill()
            one.wait()


def submitted(place: Place, job: RenderedJob, **more: str) -> str:
    """Record a queued run as the login node does, and return its run ID."""
    with submission.claimed(place.store, "/", RenderedPlan((Node(job),), (0,)), engine="slurm") as claimed:
        (run,) = claimed.runs
        submit.write_besides(place.store, run)
        Path(place.store.run(run.run_id).meta).write_bytes(meta.pack({**run.facts, "token": "0" * 16, **more}))
    return run.run_id


def job_in(directory: Path, command: str, **more: object) -> RenderedJob:
    plain = RenderedJob("x", f"cd '{directory}'\n{command}\n", command, "bash", str(directory), limits=Limits())
    return plain._replace(**more)


def old(directory: Path) -> None:
    """Leave what an earlier run wrote."""
    for name in ("out/old.xml", "out/again.xml", "old.json", "deep/old.txt", "deep/.hidden/x.xml"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("<old/>")


NEW = (
    "mkdir -p out/b/z out/a out/c deep; echo 1 >out/new.xml; echo 22 >out/again.xml; touch out/.dot.xml; "
    "for d in b b/z a c; do echo $d >out/$d/x.xml; done; ln -s ../old.json out/link.xml; mkdir out/dir.xml; "
    'echo "{\\"n\\": 7}" >new.json; for i in $(seq 10 34); do echo $i >deep/f$i.txt; done; ln -s deep linked'
)
GLOBS = [
    "out/*.xml",
    "out/new.xml",
    "**/x.xml",
    "**/*.xml",
    "out/**/x.xml",
    "out/**",
    "o?t/[!a-m]*.xml",
    "out/none*.xml",
    "out/old.xml",
    "out/.*.xml",
    "linked/**/f1?.txt",
    "*/*/*/x.xml",
    "out/",
    "{DIR}/out/*.xml",
    "out/a\\*.xml",
]


def kept(at: str, directory: Path) -> tuple[dict[str, str], dict[str, bytes], dict[str, str]]:
    """Return the index of reports, the copies, and the index of outputs; without the directory, and without times."""
    found = {name: Path(at, name).read_bytes() for name in sorted(os.listdir(at))}

    def shown(data: bytes) -> dict[str, str]:
        return {key: value.replace(str(directory), "DIR") for key, value in meta.unpack(data).items()}

    outputs = {
        key: value.partition(" ")[2] if key.rpartition(".")[2].isdigit() else value
        for key, value in shown(found.pop("outputs", b"")).items()
    }
    return shown(found.pop("index", b"")), found, outputs


def both(
    tmp_path: Path, place: Place, prepare: Callable[[Path], None], command: str, junit: str, outputs: tuple[Output, ...]
) -> list[tuple[dict[str, str], dict[str, bytes], dict[str, str]]]:
    """Return what the local engine and a launcher keep of the same command."""
    seen = []
    for engine in ("local", "slurm"):
        directory = tmp_path / f"{engine} $x"
        directory.mkdir()
        prepare(directory)
        pattern = junit.replace("{DIR}", str(directory))
        if engine == "slurm":
            run = submitted(place, job_in(directory, command, junit=pattern, outputs=outputs))
            assert place.carry_out(run) == (0, "")
            assert not os.path.exists(place.store.run(run).hidden("besides"))
            at = place.store.run(run)
            assert os.stat(at.reports).st_mode & 0o777 == 0o700
        else:
            at = Store(str(tmp_path / "l" / ".logs")).run("x_20260101_000000")
            os.makedirs(f"{at.log_dir}/jobs")
            wanted = reports.ReportRequest(str(directory), pattern, outputs)
            before = reports.note(wanted)
            subprocess.run(["bash", "-c", command], cwd=directory, check=True)
            reports.take(at, wanted, before)
        seen.append(kept(at.reports, directory))
    return seen


@pytest.mark.parametrize("pattern", GLOBS)
def test_the_same_reports_are_kept_as_locally(tmp_path: Path, place: Place, pattern: str) -> None:
    here, there = both(tmp_path, place, old, NEW.replace("{DIR}", ""), pattern, ())
    assert there == here
    assert here[0]


def test_names_of_files_may_be_strange(tmp_path: Path, place: Place) -> None:
    command = "mkdir -p out; " + " ".join(f"touch out/$'{name}.xml';" for name in ("a b", "\\\\", "\\n", "*", "\\'"))
    here, there = both(tmp_path, place, lambda _: None, command, "out/*.xml", ())
    assert there == here
    assert len(here[1]) == 5


def test_the_same_outputs_are_kept_as_locally(tmp_path: Path, place: Place) -> None:
    wanted = (
        Output("n", "json", "new.json", ("n",)),
        Output("again", "json", "new.json", ("m",)),
        Output("old", "json", "old.json", ("n",)),
        Output("none", "json", "none.json", ("n",)),
        Output("dir", "json", "deep", ("n",)),
        Output("files", "glob", "deep/*.txt"),
        Output("nothing", "glob", "*.none"),
        Output("before", "glob", "old.*"),
        Output("any", "glob", "**/*.txt"),
        Output("link", "json", "out/link.xml", ("n",)),
    )
    here, there = both(tmp_path, place, old, NEW, "", wanted)
    assert there == here
    assert (here[2]["files.more"], here[2]["n.copy"], here[2]["again.copy"]) == ("5", "output0", "output0")


def test_a_directory_that_was_replaced_has_no_reports_of_this_run(tmp_path: Path, place: Place) -> None:
    wanted = (Output("n", "json", "new.json", ("n",)), Output("files", "glob", "*.json"))
    command = 'cd ..; d="$OLDPWD"; mkdir "$d.new"; rm -r "$d"; echo "<x/>" >"$d.new/a.xml"; mv "$d.new" "$d"'
    here, there = both(tmp_path, place, old, command, "*.xml", wanted)
    assert there == here
    assert "was removed or replaced" in here[0]["note"]


# --- hooks ------------------------------------------------------------------------------------

HOOKS = tuple(
    Hook(when, f"env | grep ^BGRUN_ | sort >{when}.env; echo {when}; pwd; cat")
    for when in ("finish", "success", "failure")
)


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def called(directory: Path) -> set[str]:
    return {path.stem for path in directory.glob("*.env")}


@pytest.mark.parametrize(
    ("command", "state", "hooks"),
    [
        ("true", "succeeded", {"finish", "success"}),
        ("exit 3", "failed", {"finish", "failure"}),
        ("kill -9 $$", "", {"finish", "failure"}),
        ("sleep 77", "timed_out", {"finish", "failure"}),
    ],
)
def test_hooks_are_called_by_how_the_run_ended(
    tmp_path: Path, place: Place, command: str, state: str, hooks: set[str]
) -> None:
    limits = Limits(timeout_s=1.0 if state == "timed_out" else 60.0, stop_grace_s=1.0)
    job = job_in(tmp_path, command, hooks=HOOKS, limits=limits)
    run = submitted(place, job._replace(cmd="a 'b' \\0 \\n"))
    place.carry_out(run, MINE="kept")
    assert called(tmp_path) == hooks
    assert place.facts(run).get("state", "") == state
    given = dict(line.split("=", 1) for line in (tmp_path / "finish.env").read_text().splitlines() if "=" in line)
    at = place.store.run(run)
    known: Mapping[str, str] = place.facts(run)
    assert given["BGRUN_STATE"] == (state or "failed")
    assert given["BGRUN_EXIT_CODE"] == Path(at.exit).read_text().strip()
    assert (given["BGRUN_LOG"], given["BGRUN_META"], given["BGRUN_LOG_DIR"]) == (at.log, at.meta, at.log_dir)
    assert (given["BGRUN_RUN_ID"], given["BGRUN_LABEL"], given["BGRUN_JOB"]) == (run, "x", "")
    assert given["BGRUN_STARTED_AT"] == known["started_at"]
    assert given["BGRUN_REASON"] == known.get("reason", "")
    assert given["BGRUN_CMD"] == "a 'b' \\0 \\n"
    lines = Path(at.hooks_log).read_text().splitlines()
    assert sorted(lines) == sorted([*hooks, *[str(tmp_path)] * len(hooks)])
    assert not os.path.exists(at.hidden("besides"))


def test_a_hook_that_hangs_is_killed_and_changes_nothing(tmp_path: Path, place: Place) -> None:
    for within in LIMITS_S:
        hook = Hook("finish", "sleep 77 & echo begun; sleep 77", timeout_s=float(within))
        run = submitted(place, job_in(tmp_path, "true", hooks=(hook, Hook("finish", "exit 9"))))
        assert place.carry_out(run)[0] == 0
        assert place.read(run).succeeded
        if Path(place.store.run(run).hooks_log).read_text().startswith("begun"):
            return
    pytest.fail("the hook never began")


def test_what_a_hook_leaves_running_holds_up_nothing(tmp_path: Path, place: Place) -> None:
    run = submitted(place, job_in(tmp_path, "true", hooks=(Hook("finish", "setsid sleep 77 & echo $! >left"),)))
    try:
        assert place.carry_out(run)[0] == 0
        wait_until(lambda: not [one for one in psutil.process_iter() if run in words_of(one)], "no launcher is left")
    finally:
        psutil.Process(int((tmp_path / "left").read_text())).kill()


def test_a_hook_of_a_run_that_slurm_terminates_is_called_without_a_state(tmp_path: Path, place: Place) -> None:
    run = submitted(place, job_in(tmp_path, "touch up; trap 'exit 5' TERM; sleep 77 & wait", hooks=HOOKS))
    launcher = place.launch(run)
    wait_until((tmp_path / "up").exists, "it runs")
    for one in (launcher.pid, launcher.pid):
        os.kill(one, 15)
    launcher.communicate(timeout=20)
    assert called(tmp_path) == {"finish"}
    assert "BGRUN_STATE=\n" in (tmp_path / "finish.env").read_text()
    assert "state" not in place.facts(run)


def test_a_run_that_never_started_calls_no_hook(tmp_path: Path, place: Place) -> None:
    run = submitted(place, job_in(tmp_path, "true", hooks=HOOKS), needs="gone_20260101_000000")
    Path(place.store.run("gone_20260101_000000").meta).write_text("run_id=gone\nstate=failed\n")
    assert place.carry_out(run)[0] == 1
    assert place.read(run).state == "skipped"
    assert called(tmp_path) == set()
    assert not os.path.exists(place.store.run(run).hidden("besides"))


def test_hooks_get_the_secrets_and_time_of_their_own(tmp_path: Path, place: Place) -> None:
    run = submitted(place, job_in(tmp_path, "true", hooks=(Hook("finish", 'echo "$KEY"'),)))
    Path(place.store.run(run).hidden("env")).write_bytes(b"KEY=very secret\0")
    assert place.carry_out(run)[0] == 0
    assert Path(place.store.run(run).hooks_log).read_text() == "very secret\n"
    job = job_in(tmp_path, "true", hooks=(Hook("finish", "true", timeout_s=600.0),), limits=Limits(timeout_s=60.0))
    assert options.time_of(job) == (60 + 10 + 600 + 120 + 59) // 60


def test_nothing_is_written_for_a_job_without_any_of_it(tmp_path: Path) -> None:
    assert options.besides(job_in(tmp_path, "true")) == ""


HOOKED = """\
jobs:
  x:
    command: "mkdir -p r; echo '<testsuite tests=\\"1\\"><testcase classname=\\"a\\" name=\\"b\\"/></testsuite>' >r/a.xml; echo '{\\"n\\": 7}' >n.json"
    reports: {junit: "r/*.xml"}
    outputs: {n: {json: n.json, pick: n}}
    on_success: "echo called by $BGRUN_LABEL >called"
"""


def test_reports_outputs_and_hooks_on_a_cluster(on: Cli) -> None:
    on.jobs(HOOKED)
    seen = []
    for engine in ("slurm", "local"):
        (on.folder / "called").unlink(missing_ok=True)
        run = on.json("start", "x", "--wait", "--on", engine)
        assert wait_until(lambda: (on.folder / "called").exists(), "the hook is called")
        seen.append((run["state"], run["digest"]["counts"], run["digest"]["outputs"], run["digest"]["problems"]))
    assert seen[0] == seen[1]
    assert seen[0][1]["passed"] == 1
    assert (on.folder / "called").read_text() == "called by x\n"


def test_the_login_node_leaves_what_the_launcher_reads(on_played: Cli, played: Played) -> None:
    on_played.jobs(HOOKED)
    run = on_played.json("start", "x", "--on", "slurm")
    path = on_played.logs / f".{run['run_id']}.besides"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hook success 60.000 'echo called by $BGRUN_LABEL >called'" in path.read_text()
    assert len(played.calls("sbatch")) == 1


@pytest.fixture
def on_played(bg: Cli, played: Played) -> Cli:
    return type(bg)(bg.folder, bg.command, {**bg.env, "PATH": f"{played.directory}/bin:{bg.env['PATH']}"})
