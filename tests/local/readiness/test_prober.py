"""The process that checks whether a service is ready: real servers, real logs, real deadlines."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.local.readiness import command, connecting, log_lines, prober
from bgrun.local.readiness.target import Target
from bgrun.plan import ReadyCheck
from bgrun.store.paths import MARK_DIR, MARK_RUN, RunPaths
from bgrun.system import clock, process
from tests.conftest import wait_until
from tests.local.readiness import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Prober = Callable[..., "Probe"]

WEB = "web_20260101_000000"
SOON_S = 0.3
linux = pytest.mark.skipif(not process.LINUX, reason="needs proc(5)")


class Probe:
    """A prober that runs, and what came of it."""

    def __init__(self, at: RunPaths, pid: int) -> None:
        self.at = at
        self.pid = pid
        self.status: int | None = None

    def ended(self) -> int:
        """Return its exit code, negative if it was killed."""
        if self.status is None:
            _, self.status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(self.status)

    @property
    def answer(self) -> str:
        return prober.answer(self.at.log_dir, self.at.run_id)

    @property
    def tries(self) -> int:
        """How often it has tried: its answer counts from the second time on."""
        found = re.search(r" \((\d+) times\)$", self.answer)
        return int(found[1]) if found else 1

    def tried(self) -> str:
        """Return the answer of its first try, once there is one."""
        return str(wait_until(lambda: (now := self.answer) and not now.endswith("no answer yet") and now, "an answer"))


def refused(start: Prober, *words: str, **more: Any) -> str:
    """Return the answer of the first try of a check that never succeeds, and see that its time ends.

    By two probers: whether there is time for a try before a near deadline depends on who else works here.
    """
    probe = start(*words, **more)
    first = probe.tried()
    prober.end(probe.pid)
    assert probe.ended() == -signal.SIGKILL
    assert start(*words, within_s=SOON_S, **more).ended() == prober.TIMED_OUT
    return first


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the place of the job script."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as one:
        yield one
        one.kill()


@pytest.fixture
def start(tmp_path: Path, leader: subprocess.Popen[bytes]) -> Iterator[Prober]:
    """Start probers of one run; all of them are ended afterwards."""
    begun: list[Probe] = []
    at = RunPaths(str(tmp_path), WEB)

    def one(kind: Any, value: str = "", within_s: float = 20.0, **more: Any) -> Probe:
        given = {key: more.pop(key) for key in ("status", "interval_s", "shown") if key in more}
        check = ReadyCheck(kind, value, timeout_s=within_s, **given)
        begins = process.start_of(leader.pid)
        target = Target(check, WEB, str(tmp_path), str(tmp_path), leader.pid, begins, **more)
        begun.append(Probe(at, prober.start(target, prober.deadline(check, clock.steady_clock()))))
        return begun[-1]

    yield one
    for probe in begun:
        if probe.status is None:
            prober.end(probe.pid)
            probe.ended()


def own(tmp_path: Path) -> dict[str, str]:
    """Return the marks of the run's processes."""
    return {MARK_RUN: WEB, MARK_DIR: str(tmp_path)}


# --- ports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104
def test_a_port_is_ready_once_the_run_listens_on_it(start: Prober, tmp_path: Path, host: str) -> None:
    port = servers.free_port()
    with servers.process(port, host, env=own(tmp_path)):
        assert start("port", port=port).ended() == prober.READY


def test_a_port_of_ipv6_alone_is_not_the_address_of_the_service(start: Prober, tmp_path: Path) -> None:
    port = servers.free_port()
    with servers.process(port, "::1", env=own(tmp_path)):
        answer = refused(start, "port", port=port)
        assert answer.startswith(f"port {port}: it listens on ::1 only, and its address is 127.0.0.1")
        assert start("http", f"http://[::1]:{port}/").ended() == prober.READY


def test_a_port_may_be_named(start: Prober, tmp_path: Path) -> None:
    port = servers.free_port()
    with servers.process(port, env=own(tmp_path)):
        assert start("port", str(port), port=1).ended() == prober.READY


def test_a_port_that_is_late_is_ready_once_it_is_there(start: Prober, tmp_path: Path) -> None:
    port = servers.free_port()
    probe = start("port", port=port)
    assert probe.tried().startswith(f"port {port}: connection refused")
    with servers.process(port, env=own(tmp_path)):
        assert probe.ended() == prober.READY


def test_a_port_that_never_comes_is_tried_again_and_again_until_it_times_out(start: Prober) -> None:
    port = servers.free_port()
    probe = start("port", port=port)
    wait_until(lambda: probe.tries > 2, "it tries again")
    assert re.fullmatch(rf"port {port}: connection refused \(\d+ times\)", probe.answer)
    prober.end(probe.pid)
    assert probe.ended() == -signal.SIGKILL
    late = start("port", port=port, within_s=SOON_S)  # how often it tries in that time depends on who else works here
    assert late.ended() == prober.TIMED_OUT
    assert late.answer.startswith(f"port {port}: ")


def test_pauses_grow_even_from_an_interval_of_no_time(start: Prober) -> None:
    probe = start("port", port=servers.free_port(), within_s=SOON_S, interval_s=0.0)
    assert probe.ended() == prober.TIMED_OUT
    assert probe.tries < 10


@linux
def test_a_stranger_on_the_port_makes_nothing_ready(start: Prober, tmp_path: Path) -> None:
    port = servers.free_port()
    other = {MARK_RUN: "web_20250101_000000", MARK_DIR: str(tmp_path / "other" / ".logs")}
    with servers.process(port, env=other) as server:
        answer = refused(start, "port", port=port)
    assert f"port {port} is taken by pid {server.pid} (python" in answer
    assert f"), run web_20250101_000000 of {tmp_path}/other" in answer


@linux
def test_a_server_without_the_mark_that_the_job_started_is_the_runs_own(start: Prober) -> None:
    port = servers.free_port()
    with servers.process(port):  # its parent is ours, as if its job had orphaned it
        assert start("port", port=port).ended() == prober.READY


@linux
def test_a_connection_never_meets_itself() -> None:
    low, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    port = low if low % 2 == 0 else low + 1  # connect(2) tries ports of one parity first
    for _ in range(2000):
        found = connecting.connect("127.0.0.1", port, 1.0)
        assert found.socket is None
        assert found.why == "connection refused"


# --- HTTP -----------------------------------------------------------------------------------------


def reply(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("answers", "status", "why"),
    [
        ([reply("200 OK")], (), ""),
        ([reply("204 No Content")], (), ""),
        ([b"HTTP/1.0 200\r\n\r\n"], (), ""),
        ([reply("103 Early Hints") + reply("200 OK")], (), ""),
        ([reply("401 Unauthorized")], (200, 401), ""),
        ([reply("200 OK")], (401,), "answered 200"),
        ([reply("401 Unauthorized")], (), "answered 401"),
        ([reply("302 Found", "Location: /login")], (), "answered 302, a redirect"),
        ([reply("302 Found", "Location: /login")], (302,), ""),
        ([reply("503 Starting"), reply("503 Starting"), reply("200 OK")], (), ""),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], (), "the answer is not HTTP"),
        ([b"HTTP/1.1 2x0\r\n\r\n"], (), "the answer is not HTTP"),
        ([b""], (), "closed without an answer"),
    ],
)
def test_an_answer_is_judged_by_its_status(start: Prober, answers: list[bytes], status: Any, why: str) -> None:
    with servers.answering(*answers) as (port, _):
        url = f"http://127.0.0.1:{port}/health"
        if why:
            assert why in refused(start, "http", url, status=status)
        else:
            assert start("http", url, status=status).ended() == prober.READY


def test_the_request_is_that_of_the_url(start: Prober) -> None:
    with servers.answering(reply("200 OK")) as (port, asked):
        url = f"http://me:se%20cret@127.0.0.1:{port}/a b/ü?q=1&r=x y#part"
        assert start("http", url).ended() == prober.READY
        (request,) = asked
    first, *headers = request.decode().split("\r\n")
    assert first == "GET /a%20b/%C3%BC?q=1&r=x%20y HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in headers
    assert "Authorization: Basic bWU6c2UgY3JldA==" in headers
    assert "Connection: close" in headers


def test_a_server_that_never_answers_does_not_hold_the_prober(start: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.listening() as server:
        url = f"http://localhost:{server.getsockname()[1]}/"
        assert start("http", url, within_s=SOON_S).ended() == prober.TIMED_OUT
        monkeypatch.setattr(connecting, "TRY_S", SOON_S)
        assert "no answer in time" in refused(start, "http", url)


@pytest.mark.parametrize("part", [b"H", reply("100 Continue"), reply("100 Continue") * 500])
def test_an_answer_that_never_ends_holds_up_one_try_alone(
    start: Prober, monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    monkeypatch.setattr(connecting, "TRY_S", 0.5)
    with servers.listening() as server:

        def serve() -> None:
            endless, _ = server.accept()
            threading.Thread(target=servers.send_forever, args=(endless, part), daemon=True).start()
            with contextlib.suppress(OSError):
                while True:
                    one, _ = server.accept()
                    with one:
                        one.sendall(reply("200 OK"))

        threading.Thread(target=serve, daemon=True).start()
        assert start("http", f"http://127.0.0.1:{server.getsockname()[1]}/").ended() == prober.READY
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_without_tls_is_said_to_be_that(start: Prober) -> None:
    with servers.answering(reply("400 Bad Request")) as (port, _):
        assert ": TLS: " in refused(start, "http", f"https://127.0.0.1:{port}/")


@linux
def test_a_stranger_that_answers_makes_nothing_ready(start: Prober) -> None:
    port = servers.free_port()
    with servers.process(port, env={MARK_RUN: "web_20250101_000000", MARK_DIR: "/nowhere"}) as server:
        answer = refused(start, "http", f"http://127.0.0.1:{port}/")
    assert f"port {port} is taken by pid {server.pid}" in answer


def test_an_answer_that_is_for_a_person_hides_what_the_url_has(start: Prober) -> None:
    port = servers.free_port()
    answer = refused(start, "http", f"http://127.0.0.1:{port}/?key=hidden", shown="GET http://…/?key=***")
    assert answer.startswith("GET http://…/?key=***: connection refused")


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", "http://127.0.0.1:99999/", "http://[::1/", "http://ü.­/"]
)
def test_a_url_that_leads_nowhere_never_makes_it_ready(start: Prober, url: str) -> None:
    probe = start("http", url, within_s=SOON_S)
    assert probe.ended() != prober.READY
    assert probe.answer


def test_a_try_that_there_was_no_time_for_is_named(start: Prober) -> None:
    probe = start("http", "http://127.0.0.1:1/", within_s=-1.0)
    assert probe.ended() == prober.TIMED_OUT
    assert probe.answer == "GET http://127.0.0.1:1/: no answer yet"


# --- logs -----------------------------------------------------------------------------------------


def write(tmp_path: Path, text: str) -> None:
    with (tmp_path / f"{WEB}.log").open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_log_line_makes_it_ready(start: Prober, tmp_path: Path) -> None:
    write(tmp_path, "starting\n\x1b[32mready on http://localhost\x1b[0m\n")
    assert start("log", r"^ready on http://\w+$").ended() == prober.READY


def test_half_a_line_counts_only_once_it_is_whole(start: Prober, tmp_path: Path) -> None:
    write(tmp_path, "one\nsoon ")
    probe = start("log", "soon( ready)?")
    assert wait_until(lambda: "times)" in probe.answer and probe.answer, "several tries")
    assert "no match in 1 line (" in probe.answer
    write(tmp_path, "ready\n")
    assert probe.ended() == prober.READY


def test_a_log_that_comes_late_is_read(start: Prober, tmp_path: Path) -> None:
    probe = start("log", "up")
    assert "its log does not exist" in probe.tried()
    write(tmp_path, "up\n")
    assert probe.ended() == prober.READY


def test_a_match_before_the_last_attempt_does_not_count(start: Prober, tmp_path: Path) -> None:
    again = "--- bgrun: attempt 2 of 3 in 1 s; the one before ended with exit code 1 ---\n"
    write(tmp_path, f"up\n{again}starting\n")
    assert "no match in 1 line" in refused(start, "log", "up")
    write(tmp_path, "up\n")
    assert start("log", "up").ended() == prober.READY


def test_an_earlier_runs_log_never_counts(start: Prober, tmp_path: Path) -> None:
    (tmp_path / "web_20250101_000000.log").write_text("up\n")
    assert "its log does not exist" in refused(start, "log", "up")


def test_a_pattern_that_backtracks_forever_ends_at_the_deadline(start: Prober, tmp_path: Path) -> None:
    write(tmp_path, "a" * 4000 + "!\n")
    pattern = r"(a|a)*(a|a)*(a|a)*$"
    probe = start("log", pattern)
    wait_until(lambda: "took longer than" in probe.answer, "the search of the line has ended")
    prober.end(probe.pid)
    assert probe.ended() == -signal.SIGKILL
    # A search may take its processor time only: where others have the processor, the kernel ends it instead.
    late = start("log", pattern, within_s=1.0)
    assert late.ended() in (prober.TIMED_OUT, -signal.SIGALRM)


@pytest.fixture
def log_check(tmp_path: Path) -> log_lines.LogCheck:
    """The check of a log, in this process."""
    check = ReadyCheck("log", "^up$")
    return log_lines.LogCheck(Target(check, WEB, str(tmp_path), str(tmp_path), 1, ""), str(tmp_path / f"{WEB}.log"))


def test_a_log_that_grows_all_the_time_is_ready_with_its_line(
    log_check: log_lines.LogCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "up\n")
    looks = 0

    def grow(fd: int, most: int, at: int, read: Any = os.pread) -> bytes:
        nonlocal looks
        looks += 1
        assert looks < 10, "it reads on and on"
        write(tmp_path, "more\n")
        return bytes(read(fd, most, at))

    monkeypatch.setattr(os, "pread", grow)
    assert log_check(20.0) == ""


def test_what_was_matched_counts_once_all_later_attempts_are_known(
    log_check: log_lines.LogCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "_BLOCK", 16)
    write(tmp_path, "up\n" + "much text\n" * 100 + "--- bgrun: attempt 2 of 3 in 1 s; …\nstarting\n")
    assert log_check(20.0) == "no match in 1 line"
    write(tmp_path, "up\n" + "much text\n" * 100)
    assert log_check(20.0) == ""


@pytest.mark.parametrize("ends", [False, True])
def test_lines_that_backtrack_forever_take_less_time_each_and_none_is_left_out(
    log_check: log_lines.LogCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    class Slow:
        spent_s, seen = 0.0, 0

        def search(self, text: str, timeout: float) -> Any:
            if text == "up":
                return text
            self.seen += 1
            if ends:
                self.spent_s += 0.4
                return None
            self.spent_s += timeout
            raise TimeoutError

    slow = Slow()
    log_check.pattern = slow  # type: ignore[assignment]
    monkeypatch.setattr(clock, "steady_clock", lambda: slow.spent_s)
    write(tmp_path, "backtracks\n" * 1000 + "up\nrest\n")
    looks = 1
    while log_check(20.0):
        assert slow.spent_s < looks * 2, "a look has an end"
        looks += 1
    assert looks > 1
    assert slow.seen == 1000
    assert ends or slow.spent_s < 12.0, "not half a second each"


def test_a_long_pattern_leaves_room_for_how_it_went(start: Prober, tmp_path: Path) -> None:
    write(tmp_path, "up\n")
    assert start("log", "x" * 5000).tried().endswith("x…: no match in 1 line")


def test_a_log_that_was_truncated_is_read_from_its_start(start: Prober, tmp_path: Path) -> None:
    write(tmp_path, "much text\n" * 100)
    probe = start("log", "^up")
    assert "no match in 100 lines" in probe.tried()
    (tmp_path / f"{WEB}.log").write_text("up\n")
    assert probe.ended() == prober.READY


# --- commands -------------------------------------------------------------------------------------


def test_a_command_makes_it_ready_once_it_succeeds(start: Prober, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    probe = start("command", f"echo not yet; echo no flag >&2; test -e {shlex.quote(str(flag))}")
    assert ": exit 1: no flag" in probe.tried()
    flag.touch()
    assert probe.ended() == prober.READY


def test_a_command_has_the_secrets_and_the_marks_of_its_run(start: Prober) -> None:
    text = f'[ "$KEY" = hidden ] && [ "$BGRUN_RUN_ID" = {WEB} ] && [ -n "$PATH" ] && ! read -r'
    assert start("command", text, environment=(("KEY", "hidden"),)).ended() == prober.READY


@pytest.mark.parametrize(
    "prints",
    [
        """printf '%0155d%s' 0 "$KEY" """,  # where the answer is cut
        """printf '%s%04090d' "${KEY# }" 0""",
        """printf '%s%04104d' "${KEY# }" 0""",  # where what is read begins
        """printf 'x\\n  %s  ' "$KEY" """,
        """printf 'a-sec\\033[1mret-of-\\033[0mours'""",
        """printf '\\033[3%s' "$KEY" """,  # its first letter ends the sequence
    ],
)
def test_no_part_of_a_secret_is_in_the_answer(start: Prober, prints: str) -> None:
    probe = start("command", f"{prints}; exit 1", environment=(("KEY", " a-secret-of-ours"),), shown="command")
    assert probe.tried().startswith("command: exit 1: ")
    assert ("***" in probe.answer) != ("4104" in prints)
    assert "sec" not in probe.answer
    assert "ours" not in probe.answer


def test_what_a_command_prints_takes_no_room(tmp_path: Path) -> None:
    until_freed = "import os, time\nwhile os.fstat(1).st_blocks * 512 > 4 << 20: time.sleep(0.01)"
    fill = "head -c 20000000 /dev/zero | tr '\\0' x"
    text = f"{fill}; {sys.executable} -S -c {shlex.quote(until_freed)}; echo; echo last; exit 1"
    target = Target(ReadyCheck("command", text), WEB, str(tmp_path), str(tmp_path), 1, "")
    with tempfile.TemporaryFile() as output:
        assert command.check(target, 20.0, output.fileno()) == "exit 1: last"
        assert os.fstat(output.fileno()).st_blocks * 512 < 4 << 20


def test_a_command_that_is_killed_is_said_to_be(start: Prober) -> None:
    assert "killed by SIGKILL" in refused(start, "command", "kill -9 $$")


def test_a_command_that_hangs_is_killed_at_the_deadline(start: Prober, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    within_s = 0.5
    while not noted.exists():  # it may take all the time to begin
        text = f"trap '' TERM; echo $$ >{shlex.quote(str(noted))}; while :; do sleep 0.05; done"
        probe = start("command", text, within_s=within_s)
        assert probe.ended() == prober.TIMED_OUT
        within_s *= 2
    assert "did not finish within" in probe.answer
    assert process.read(int(noted.read_text())) is None


def test_the_last_try_of_a_command_shows_more_than_that_its_time_was_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_LEAST_S", 20.0)
    target = Target(ReadyCheck("command", "sleep 0.1; echo why; exit 3"), WEB, str(tmp_path), str(tmp_path), 1, "")
    with tempfile.TemporaryFile() as output:
        assert command.check(target, 0.001, output.fileno()) == "exit 3: why"


def test_a_command_ends_with_its_prober(start: Prober, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    probe = start("command", f"echo $$ >{shlex.quote(str(noted))}; sleep 60; :")
    pid = int(wait_until(lambda: noted.exists() and noted.read_text(), "the command"))
    prober.end(probe.pid)
    assert probe.ended() == -signal.SIGKILL
    wait_until(lambda: not (found := process.read(pid)) or found.zombie, "the end of the command")


# --- in general -----------------------------------------------------------------------------------


def test_a_delay_makes_it_ready(start: Prober) -> None:
    before = clock.steady_clock()
    assert start("delay", "0.2").ended() == prober.READY
    assert clock.steady_clock() - before >= 0.2


@pytest.mark.parametrize("kind", ["delay", "command", "log"])
def test_what_has_exited_is_not_ready(start: Prober, tmp_path: Path, leader: Any, kind: str) -> None:
    write(tmp_path, "true\n")
    leader.kill()
    leader.wait()
    assert "it has exited" in refused(start, kind, {"delay": "0"}.get(kind, "true"))


@pytest.mark.parametrize("kind", ["command", "delay", "log"])
def test_nothing_is_ready_before_its_next_attempt_begins(
    start: Prober, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(prober, "OVERTIME_S", 20.0)  # all the time that there is for a delay of 0
    write(tmp_path, "true\n")
    attempt = tmp_path / f".{WEB}.attempt"
    attempt.write_text("2\n60\n")
    probe = start(kind, {"delay": "0"}.get(kind, "true"))
    assert "attempt 2 has not begun" in probe.tried()
    attempt.write_text("2\n")
    assert probe.ended() == prober.READY


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_check_of_an_attempt_that_has_ended_is_no_result(start: Prober, tmp_path: Path, value: str) -> None:
    more = f"echo 2 >{shlex.quote(str(tmp_path / f'.{WEB}.attempt'))}"
    probe = start("command", f"{more}; {value}")
    assert probe.ended() == prober.RESTARTED
    assert probe.status is not None
    assert prober.is_restarted(probe.status)
    assert prober.is_final(probe.status)
    assert not prober.is_ready(probe.status)


def test_a_prober_that_is_killed_has_no_result_and_may_be_started_again(start: Prober) -> None:
    probe = start("port", port=servers.free_port())
    probe.tried()
    os.kill(probe.pid, signal.SIGKILL)
    probe.ended()
    assert probe.status is not None
    assert not prober.is_final(probe.status)
    assert not prober.is_ready(probe.status)


def test_a_check_that_cannot_be_made_says_why(start: Prober) -> None:
    probe = start("log", "(")
    assert probe.ended() == prober.FAILED
    assert "cannot check: invalid regular expression" in probe.answer
    assert probe.status is not None
    assert prober.is_final(probe.status)


def test_a_prober_dies_with_its_supervisor(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from bgrun.local.readiness import prober, target\nfrom bgrun.plan import ReadyCheck\n"
        f"one = target.Target(ReadyCheck('delay', '60'), {WEB!r}, sys.argv[2], sys.argv[2], 1, '')\n"
        "print(prober.start(one, time.clock_gettime(time.CLOCK_BOOTTIME) + 60), flush=True)\ntime.sleep(60)\n"
    )
    top = str(Path(prober.__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", code, top, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        begun = process.start_of(pid)
        parent.kill()
    wait_until(lambda: not process.is_running(pid, begun), "the end of the prober")


def test_without_room_for_the_answer_it_is_ready_all_the_same(start: Prober, tmp_path: Path) -> None:
    (tmp_path / f".{WEB}.ready").mkdir()
    assert start("command", "true").ended() == prober.READY


def test_no_answer_is_no_text(tmp_path: Path) -> None:
    assert prober.answer(str(tmp_path), WEB) == ""
