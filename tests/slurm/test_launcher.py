"""The launcher by itself, as Slurm starts it on a node: bash, a log directory, and no Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.jobfile.specs import Settings
from bgrun.local.supervision import log_limit
from bgrun.model import Run
from bgrun.plan import Limits, Node, RenderedJob, RenderedPlan
from bgrun.render.script import job_script
from bgrun.render.settings import RenderedSettings
from bgrun.slurm import wait
from bgrun.store import meta, record, stop_request, submission
from bgrun.store.store import Store
from tests.conftest import DEADLINE_S, LIMITS_S, TOP, wait_until
from tests.faults.conftest import is_gone
from tests.slurm.conftest import WANTED

if TYPE_CHECKING:
    from collections.abc import Iterator

LAUNCHER = TOP / "bgrun" / "slurm" / "launcher.sh"
UNTIL_END = 'echo begun; while [ ! -e "$BGRUN_LOG_DIR/end" ]; do sleep 0.05; done'
pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a node of a cluster runs Linux")


class Place:
    """A log directory as the login node leaves it, and the launchers that were started in it."""

    def __init__(self, store: Store, env: dict[str, str]) -> None:
        self.store = store
        self.env = env
        self.started: list[subprocess.Popen[bytes]] = []

    def submit(self, command: str, label: str = "x", limits: Limits | None = None, **more: str) -> str:
        """Record a queued run of a shell command, and return its run ID."""
        return self.record(f"{command}\n", command, label, limits, **more)

    def submit_whole(self, command: str) -> str:
        """Record a queued run whose job script is one as bgrun renders it, with its exit-code fallback."""
        rendered = RenderedSettings(Path("/"), "", {}, (), "", {}, Settings(), (), None)
        return self.record(job_script(rendered, "x", f"bash -c '{command}'\n", []), command, "x", None)

    def record(self, text: str, command: str, label: str, limits: Limits | None, **more: str) -> str:
        job = RenderedJob(label, text, command, "bash", "/", limits=limits or Limits(stop_grace_s=1.0))
        with submission.claimed(self.store, "/", RenderedPlan((Node(job),), (0,)), engine="slurm") as claimed:
            (run,) = claimed.runs
            at = self.store.run(run.run_id)
            with open(at.meta, "wb") as file:
                file.write(meta.pack({**run.facts, "token": "0123456789abcdef", **more}))
        return run.run_id

    def launch(self, run: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a launcher; `.stderr` is what goes to the `.slurm.log`."""
        given = {**self.env, "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1", **env}
        words = ["bash", "-p", str(LAUNCHER), self.store.log_dir, run]
        self.started.append(subprocess.Popen(words, env=given, stderr=subprocess.PIPE))
        return self.started[-1]

    def carry_out(self, run: str, **env: str) -> tuple[int, str]:
        """Start a launcher and return its exit code, and what it said."""
        launched = self.launch(run, **env)
        _, words = launched.communicate(timeout=DEADLINE_S)
        return launched.returncode, words.decode()

    def facts(self, run: str) -> dict[str, str]:
        return self.store.facts(run) or {}

    def read(self, run: str) -> Run:
        """Return a run that has closing words; they are read without its engine."""
        found = self.store.read(run)
        assert found
        return found

    def text(self, run: str) -> str:
        with open(self.store.run(run).log, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def place(tmp_path: Path, clean_env: dict[str, str]) -> Iterator[Place]:
    made = Place(Store(str(tmp_path / "p %1" / ".logs")), clean_env)
    os.mkdir(tmp_path / "p %1")
    yield made
    for one in made.started:
        if one.poll() is None:
            one.kill()
            one.wait()


def shown(run: Run) -> tuple[Any, ...]:
    return run.state, run.exit_code, run.signal, run.reason


def test_a_command_runs_once_and_its_end_is_recorded(place: Place) -> None:
    run = place.submit("echo out; echo err >&2; cat; echo $BGRUN_RUN_ID; env | grep ^bgrun_", label="a")
    assert place.carry_out(run) == (1, ""), "grep finds nothing"
    assert place.text(run) == f"out\nerr\n{run}\n"
    facts = place.facts(run)
    assert (facts["engine_job"], facts["node"], facts["attempt"]) == ("7", "n1", "1")
    assert shown(place.read(run)) == ("failed", 1, None, None)
    assert place.read(run).started_at
    assert place.read(run).ended_at
    assert float(facts["duration_s"]) >= 0
    assert sorted(os.listdir(place.store.log_dir)) == sorted(
        [f".{run}.claim.1", *(f"{run}.{kind}" for kind in ("exit", "log", "meta")), "jobs", *_more(place)]
    )
    code, words = place.carry_out(run)
    assert (code, "nothing was run" in words) == (1, True), "a second instance finds the exit code"
    assert place.text(run).count("out") == 1


def _more(place: Place) -> list[str]:
    """Return what a log directory has before any run."""
    return [name for name in os.listdir(place.store.log_dir) if name in (".cache", ".gitignore", "CACHEDIR.TAG")]


@pytest.mark.parametrize(
    ("command", "codes", "ends", "code"),
    [
        ("exit 0", (0,), ("succeeded", 0, None, None), 0),
        ("exit 3", (0,), ("failed", 3, None, None), 3),
        ("exit 3", (0, 3), ("succeeded", 3, None, None), 0),
        ("exit 0", (3,), ("failed", 0, None, None), 1),
        ("kill -9 $$", (0,), ("failed", 137, "SIGKILL", None), 137),
        ("kill -s ABRT $$", (0,), ("failed", 134, "SIGABRT", None), 134),
        ("exit 127", (0,), ("failed", 127, None, None), 127),
    ],
)
def test_the_exit_code_of_the_launcher_says_whether_the_run_succeeded(
    place: Place, command: str, codes: tuple[int, ...], ends: tuple[Any, ...], code: int
) -> None:
    run = place.submit(command, limits=Limits(success_exit_codes=codes))
    assert place.carry_out(run)[0] == code
    assert shown(place.read(run)) == ends


def test_the_command_has_the_environment_and_the_umask_of_its_user(place: Place) -> None:
    run = place.submit(
        'echo "$umask $code $FUNCNEST $POSIXLY_CORRECT ${SHELLOPTS-} ${TMOUT-none} $SLURM_JOB_ID"; umask'
    )
    given = {"umask": "mine", "code": "5", "FUNCNEST": "1", "POSIXLY_CORRECT": "1", "TMOUT": "1", "SHELLOPTS": "noexec"}
    launched = place.launch(run, **given)
    launched.communicate(timeout=DEADLINE_S)
    first, mask = place.text(run).split("\n")[:2]
    assert first.startswith("mine 5 1 1 ")
    assert "noexec" not in first
    assert first.endswith(" none 7")
    now = os.umask(0o22)
    os.umask(now)
    assert int(mask, 8) == now
    assert os.stat(place.store.run(run).log).st_mode & 0o777 == 0o600


def test_secrets_reach_the_command_through_a_file_that_is_removed(place: Place) -> None:
    run = place.submit('echo "${#KEY} $OTHER"')
    with open(place.store.run(run).hidden("env"), "wb") as file:
        file.write(b"KEY=a b\nc\0OTHER=x=y\0")
    assert place.carry_out(run)[0] == 0
    assert place.text(run) == "5 x=y\n"
    assert not os.path.exists(place.store.run(run).hidden("env"))


def test_of_two_instances_one_runs(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = place.submit(f"echo begun; read -r _ <{gate}; exit 4")
    first = place.launch(run)
    wait_until(lambda: place.facts(run).get("started_at"), "the first one runs")
    code, words = place.carry_out(run, SLURM_JOB_ID="8")
    assert (code, f"another instance has claimed {run}" in words) == (75, True)
    gate.write_text("go\n")
    assert first.wait(DEADLINE_S) == 4
    assert (place.text(run), place.facts(run)["engine_job"]) == ("begun\n", "7")


def test_a_job_of_an_array_finds_its_run(place: Place, tmp_path: Path) -> None:
    runs = [place.submit(f"echo {n}", label=f"m{n}") for n in range(3)]
    (tmp_path / "members").write_text("".join(f"{run}\n" for run in runs))
    assert place.carry_out(f"@{tmp_path / 'members'}", SLURM_ARRAY_JOB_ID="9", SLURM_ARRAY_TASK_ID="1")[0] == 0
    assert place.text(runs[1]) == "1\n"
    assert place.facts(runs[1])["engine_job"] == "9_1"
    assert not os.path.exists(place.store.run(runs[0]).log)


@pytest.mark.parametrize("obeys", [True, False])
def test_a_timeout_ends_every_process_of_the_run(place: Place, *, obeys: bool) -> None:
    ignoring = "" if obeys else "trap '' TERM; "
    for within in LIMITS_S:  # in which all of them have to be started
        limits = Limits(timeout_s=float(within), stop_grace_s=0.5)
        run = place.submit(f"{ignoring}setsid sleep 50 & sleep 50", limits=limits)
        place.carry_out(run)
        seen = place.read(run)
        assert not os.path.exists(place.store.run(run).stop)
        all_ended = (seen.reason or "").startswith(f"exceeded its timeout ({2 if obeys else 3} processes stopped)")
        if all_ended:
            break
    assert all_ended, seen
    assert (seen.state, seen.exit_code) == ("timed_out", 143 if obeys else 137)


def test_a_stop_request_stops_the_run(place: Place) -> None:
    run = place.submit("echo begun; sleep 50")
    launched = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    stop_request.ask_to_end(place.store.run(run), "stop")
    launched.send_signal(signal.SIGUSR1)
    assert launched.wait(DEADLINE_S) == 143
    assert shown(place.read(run)) == ("stopped", 143, "SIGTERM", "on request (1 process stopped)")


def test_a_stop_request_is_seen_without_a_signal_and_can_skip_the_grace_period(place: Place) -> None:
    run = place.submit("trap '' TERM; echo begun; sleep 50; sleep 50", limits=Limits(stop_grace_s=600.0))
    launched = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    stop_request.ask_to_end(place.store.run(run), "stop")
    wait_until(
        lambda: (found := stop_request.read_stop(place.store.run(run))) and found.carried_out, "the stop has begun"
    )
    stop_request.ask_to_end(place.store.run(run), "stop", now=True)
    assert launched.wait(DEADLINE_S) == 137
    assert place.read(run).state == "stopped"


def test_the_time_limit_of_slurm_is_a_timeout(place: Place) -> None:
    run = place.submit("echo begun; sleep 50")
    launched = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    launched.send_signal(signal.SIGUSR2)
    launched.wait(DEADLINE_S)
    assert place.read(run).state == "timed_out"


def test_a_log_that_is_too_long_stops_the_run(place: Place) -> None:
    run = place.submit("yes | head -c 100000; sleep 50", limits=Limits(max_log_bytes=50_000))
    place.carry_out(run)
    assert place.read(run).state == "stopped"
    assert (place.read(run).reason or "").startswith("its log grew beyond 50000 bytes")


@pytest.mark.parametrize("size", [60_000, 300_000])
def test_a_log_that_is_too_long_at_once_keeps_its_head_and_tail(place: Place, size: int) -> None:
    """As a supervisor leaves it: the command ended before it was stopped."""
    most = 65_536
    command = f"echo head; yes | head -c {size}; echo tail"
    for label in "abcde":
        run = place.submit(command, label, limits=Limits(max_log_bytes=most))
        ended = place.carry_out(run)
        if place.read(run).state != "stopped":  # on a busy machine it may take a second
            break
    assert ended == (0, "")
    assert shown(place.read(run)) == ("succeeded", 0, None, None)
    text = place.text(run)
    assert (len(text), text[:7], text[-7:]) == (size + 10, "head\ny\n", "y\ntail\n")
    as_by_a_supervisor = Path(place.store.log_dir) / "local.log"
    as_by_a_supervisor.write_text(
        subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    )
    log_limit.bound(str(as_by_a_supervisor), most)
    assert as_by_a_supervisor.read_text() == text
    assert ("\0" in text) == (size > most), "its middle is a hole"


def test_a_link_in_the_place_of_a_log_is_not_followed(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"x" * 300_000)
    run = place.submit(f'ln -sf "{other}" "$BGRUN_LOG_DIR/$BGRUN_RUN_ID.log"', limits=Limits(max_log_bytes=65_536))
    assert place.carry_out(run) == (0, "")
    assert os.path.islink(place.store.run(run).log)
    assert other.read_bytes() == b"x" * 300_000


def test_a_run_that_slurm_ends_has_an_exit_code_and_no_state(place: Place) -> None:
    run = place.submit("echo begun; sleep 50")
    launched = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    launched.send_signal(signal.SIGTERM)  # and passed on to a command that has only just begun
    assert launched.wait(DEADLINE_S) == 143
    facts = place.facts(run)
    assert ("state" in facts, facts["terminated"]) == (False, "true")
    assert record.seen_exit(place.store.run(run)) == 143


def test_a_run_that_ignores_the_sigterm_of_slurm_runs_on_and_can_be_stopped(place: Place) -> None:
    run = place.submit(f"trap '' TERM; {UNTIL_END}")
    launched = place.launch(run)
    _begun(place, run)
    launched.send_signal(signal.SIGTERM)
    wait_until(lambda: place.facts(run).get("terminated"), "that is noted before the end")
    assert not wait.has_finished(place.store.run(run))
    stop_request.ask_to_end(place.store.run(run), "stop", now=True)
    launched.send_signal(signal.SIGUSR1)
    assert launched.wait(DEADLINE_S) == 137
    assert shown(place.read(run))[:2] == ("stopped", 137)


def test_signals_at_the_end_do_not_change_the_exit_code(place: Place) -> None:
    run = place.submit(f"{UNTIL_END}; exit 6")
    launched = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    _let_end(place)
    while launched.poll() is None:
        launched.send_signal(signal.SIGUSR1)
    assert (launched.returncode, place.read(run).exit_code) == (6, 6)


@pytest.mark.timeout(600)
def test_a_cancel_at_any_moment_around_the_begin_leaves_an_exit_code(place: Place, tmp_path: Path) -> None:
    """Slurm sends SIGTERM to all processes at once: the command may end just as the launcher hears of it."""
    count, at_once, span_s = (200 if WANTED == "full" else 20), 5, 0.04
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    for first in range(0, count, at_once):
        # Each second command ends by itself, with a code of its own, just then.
        runs = [
            place.submit("exit 7" if number % 2 else f"read -r _ <{gate}", label=f"r{number}")
            for number in range(first, first + at_once)
        ]
        waiting = {run: (place.launch(run), span_s * (first + number) / count) for number, run in enumerate(runs)}
        began: dict[str, float] = {}
        give_up = time.monotonic() + DEADLINE_S
        while waiting:
            assert time.monotonic() < give_up
            for run, (launched, delay_s) in list(waiting.items()):
                if run not in began and os.path.exists(place.store.run(run).log):
                    began[run] = time.monotonic()
                if run in began and time.monotonic() - began[run] >= delay_s:
                    _cancel(launched.pid)
                    del waiting[run]
            time.sleep(0.001)
        for run, launched in zip(runs, place.started[-at_once:], strict=True):
            code = launched.wait(DEADLINE_S)
            facts, seen = place.facts(run), record.seen_exit(place.store.run(run))
            if not facts["started_at"]:  # before the begin: nothing ran
                assert (code, seen) == (143, None)
            elif seen == 7:
                assert code == 7
            else:
                assert (code, seen, facts["terminated"], "state" in facts) == (143, 143, "true", False)
    os.close(os.open(gate, os.O_RDWR | os.O_NONBLOCK))  # ends what began after its launcher had looked


def _cancel(pid: int) -> None:
    """Send SIGTERM to a launcher and all below it, as `scancel` does."""
    every = [pid]
    for parent in every:
        with suppress(OSError), open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            every += map(int, file.read().split())
    for each in every:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGTERM)


def test_a_signal_of_slurm_before_the_start_runs_nothing(place: Place) -> None:
    run = place.submit("echo begun")
    os.rename(place.store.run(run).meta, place.store.run(run).hidden("late"))
    launched = place.launch(run)
    wait_until(lambda: "sleep" in _names_below(launched.pid), "it waits for the record")
    for number in (signal.SIGUSR1, signal.SIGTERM):
        launched.send_signal(number)
    os.rename(place.store.run(run).hidden("late"), place.store.run(run).meta)
    assert launched.wait(DEADLINE_S) == 143
    facts = place.facts(run)
    assert (facts["started_at"], "state" in facts) == ("", False)
    assert not os.path.exists(place.store.run(run).log)


def _names_below(pid: int) -> list[str]:
    with suppress(psutil.Error):
        return [child.name() for child in psutil.Process(pid).children()]
    return []


def _keeper_and_script(place: Place, run: str) -> tuple[psutil.Process, psutil.Process]:
    """Return the keeper that the launcher has, and its child, the job script."""
    launcher = psutil.Process(place.started[-1].pid)
    keeper = wait_until(lambda: len(found := launcher.children()) == 1 and found[0], "it runs nothing else")
    (script,) = keeper.children()
    assert script.environ()["BGRUN_RUN_ID"] == run
    return keeper, script


def _without_keeper(place: Place, run: str) -> psutil.Process:
    """Kill the keeper, and return the job script once it is an orphan: it sees by that that nobody else publishes."""
    keeper, script = _keeper_and_script(place, run)
    keeper.kill()
    wait_until(lambda: script.ppid() != keeper.pid, "it is an orphan")
    return script


def _let_end(place: Place) -> None:
    """Have a command end that waits for that."""
    with open(f"{place.store.log_dir}/end", "wb"):
        pass


def _begun(place: Place, run: str) -> None:
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")


def test_a_launcher_that_is_killed_leaves_no_result(place: Place) -> None:
    run = place.submit("echo begun; sleep 50")
    launched = place.launch(run)
    _begun(place, run)
    keeper, script = _keeper_and_script(place, run)
    for one in (launched, keeper):
        one.kill()
    launched.wait()
    os.killpg(script.pid, signal.SIGKILL)
    assert "state" not in place.facts(run)
    assert record.seen_exit(place.store.run(run)) is None, "the room for the exit code is none"


@pytest.mark.parametrize(("killed", "code"), [(False, 5), (True, 137)])
def test_the_keeper_of_a_killed_launcher_publishes_the_exit_code(place: Place, *, killed: bool, code: int) -> None:
    run = place.submit(f"{UNTIL_END}; exit 5")
    launched = place.launch(run)
    _begun(place, run)
    keeper, script = _keeper_and_script(place, run)
    launched.kill()
    launched.wait()
    if killed:
        script.kill()
    _let_end(place)
    wait_until(lambda: is_gone(keeper.pid), "its keeper has ended")
    assert (read_exit(place, run), "state" in place.facts(run)) == (code, False)


def test_the_keeper_of_an_older_attempt_publishes_nothing(place: Place) -> None:
    run = place.submit(UNTIL_END, requeue="true")
    launched = place.launch(run)
    _begun(place, run)
    keeper, _ = _keeper_and_script(place, run)
    launched.kill()
    launched.wait()
    os.mkdir(place.store.run(run).claim(2))
    _let_end(place)
    wait_until(lambda: is_gone(keeper.pid), "its keeper has ended")
    assert read_exit(place, run) is None


def read_exit(place: Place, run: str) -> int | None:
    """Return the published exit code."""
    try:
        with open(place.store.run(run).exit, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("killed", [False, True])
def test_without_its_keeper_a_command_runs_to_its_end(place: Place, *, killed: bool) -> None:
    run = place.submit_whole(f"{UNTIL_END}; exit 5")
    launched = place.launch(run)
    _begun(place, run)
    script = _without_keeper(place, run)
    if killed:  # nobody saw with which code
        script.kill()
    _let_end(place)
    assert launched.wait(DEADLINE_S) == (1 if killed else 5)
    if killed:
        assert (read_exit(place, run), "state" in place.facts(run)) == (None, False)
    else:
        assert shown(place.read(run)) == ("failed", 5, None, None)


def test_without_its_keeper_a_run_can_be_stopped(place: Place) -> None:
    run = place.submit_whole("echo begun; sleep 50; sleep 50")
    launched = place.launch(run)
    _begun(place, run)
    _without_keeper(place, run)
    stop_request.ask_to_end(place.store.run(run), "stop")
    assert launched.wait(DEADLINE_S) == 143
    assert place.read(run).state == "stopped"


def test_a_run_that_may_run_again_runs_again_and_the_newest_attempt_counts(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = place.submit(f"echo begun; [ $SLURM_JOB_ID = 8 ] || read -r _ <{gate}; exit 0", requeue="true")
    first = place.launch(run)
    wait_until(lambda: os.path.exists(place.store.run(run).log) and place.text(run), "it runs")
    assert place.carry_out(run, SLURM_JOB_ID="8", SLURMD_NODENAME="n2")[0] == 0
    gate.write_text("go\n")
    assert first.wait(DEADLINE_S) == 75
    facts = place.facts(run)
    assert (facts["attempt"], facts["node"], facts["engine_job"], facts["state"]) == ("2", "n2", "8", "succeeded")
    assert place.text(run).split("\n")[:2] == [
        "begun",
        "--- bgrun: attempt 2 on node n2; the one before left no exit code ---",
    ]


def test_a_stop_request_before_the_start(place: Place) -> None:
    run = place.submit("echo begun")
    stop_request.ask_to_end(place.store.run(run), "stop")
    assert place.carry_out(run)[0] == 1
    assert shown(place.read(run)) == ("stopped", None, None, "stopped before it started")
    assert not os.path.exists(place.store.run(run).log)


@pytest.mark.parametrize(
    ("command", "codes", "ends"),
    [
        ("exit 0", (0,), ("succeeded", 0, None, None)),
        ("exit 3", (0, 3), ("succeeded", 0, None, None)),
        ("exit 3", (0,), ("skipped", None, None, "dependency {} failed")),
    ],
)
def test_dependencies_are_checked_by_what_is_recorded(
    place: Place, command: str, codes: tuple[int, ...], ends: tuple[Any, ...]
) -> None:
    first = place.submit(command, label="a", limits=Limits(success_exit_codes=codes))
    place.carry_out(first)
    second = place.submit("echo begun", label="b", needs=first)
    place.carry_out(second)
    *rest, reason = ends
    assert shown(place.read(second)) == (*rest, reason and reason.format(first))


def test_what_needs_a_waived_run_is_waived(place: Place) -> None:
    first = place.submit("exit 0", label="a", state="skipped", waived="true", reason="`if` is false")
    second = place.submit("echo begun", label="b", needs=first)
    place.carry_out(second)
    assert place.facts(second)["waived"] == "true"
    assert shown(place.read(second)) == ("skipped", None, None, f"dependency {first} was skipped")


@pytest.mark.parametrize(
    ("condition", "need", "state"),
    [
        ("completed", {"state": "failed"}, "succeeded"),
        ("completed", {"state": "skipped"}, "succeeded"),
        ("completed", {"state": "skipped", "waived": "true"}, "succeeded"),
        ("started", {"started_at": "2026-01-01T00:00:00+00:00"}, "succeeded"),
        ("started", {"started_at": "2026-01-01T00:00:00+00:00", "state": "failed"}, "succeeded"),
        ("started", {"state": "skipped"}, "skipped"),
        ("succeeded", {"state": "failed"}, "skipped"),
    ],
)
def test_a_dependency_has_a_condition(place: Place, condition: str, need: dict[str, str], state: str) -> None:
    good = place.submit("true", label="good", state="succeeded", started_at="2026-01-01T00:00:00+00:00")
    first = place.submit("true", label="a", **need)
    second = place.submit("true", label="b", needs=f"{good} {first}", conditions=f"succeeded {condition}")
    place.carry_out(second)
    assert place.read(second).state == state


def test_fail_fast_stops_what_runs_and_skips_what_is_queued(place: Place) -> None:
    group = place.submit("", label="g", fail_fast="true")
    runs = [
        place.submit(c, label=n, group_run=group) for n, c in (("a", "echo; sleep 50"), ("b", "exit 5"), ("c", "echo"))
    ]
    first = place.launch(runs[0])
    wait_until(lambda: os.path.exists(place.store.run(runs[0]).log) and place.text(runs[0]), "it runs")
    assert place.carry_out(runs[1])[0] == 5
    assert first.wait(DEADLINE_S) == 143
    assert place.carry_out(runs[2])[0] == 1
    why = f"fail_fast: {runs[1]} did not succeed"
    assert shown(place.read(runs[0])) == ("stopped", 143, "SIGTERM", f"{why} (1 process stopped)")
    assert shown(place.read(runs[2])) == ("skipped", None, None, why)


def test_a_run_whose_meta_cannot_be_written_does_not_run(place: Place) -> None:
    run = place.submit("echo begun")
    os.mkdir(place.store.run(run).hidden("meta.new"))
    code, words = place.carry_out(run)
    assert (code, "nothing was run" in words) == (125, True)
    assert place.text(run) == ""


def test_nothing_runs_without_a_record(place: Place) -> None:
    run = place.submit("echo begun")
    os.rename(place.store.run(run).meta, place.store.run(run).hidden("late"))
    launched = place.launch(run)
    with pytest.raises(subprocess.TimeoutExpired):
        launched.wait(0.7)
    os.rename(place.store.run(run).hidden("late"), place.store.run(run).meta)
    assert launched.wait(DEADLINE_S) == 0, "a shared file system may show the record late"
    assert place.text(run) == "begun\n"
