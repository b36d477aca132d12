"""The CPU on which a fork begins: not that of its parent, unless all are busy, and no limit is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from bgrun.system import cpus
from tests.conftest import TOP

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="supervisors are forked on Linux only")
STAT = b"7 (a) b) S 1 7 7 0 -1 4194560 " + b"0 " * 29 + b"2 0 0 0"


@pytest.mark.parametrize(
    ("loadavg", "found"),
    [
        (b"0.00 0.01 0.05 2/120 4711\n", {0, 1, 3}),
        (b"9.00 9.01 9.05 4/120 4711\n", {0, 1, 3}),
        (b"0.00 0.01 0.05 5/120 4711\n", set()),
    ],
    ids=["idle", "one for each", "all are busy"],
)
def test_a_fork_begins_where_its_parent_is_not(loadavg: bytes, found: set[int]) -> None:
    assert cpus.elsewhere(STAT, loadavg, {0, 1, 2, 3}) == found


@pytest.mark.parametrize(("stat", "loadavg"), [(b"", b"0 0 0 1/1 1"), (STAT, b""), (STAT, b"0 0 0 x/1 1")])
def test_what_the_kernel_never_says_is_an_error_that_is_expected(stat: bytes, loadavg: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        cpus.elsewhere(stat, loadavg, {0, 1})


STATUS = b"Name:\tbgrun\nSeccomp:\t%d\nSeccomp_filters:\t0\n"


@pytest.mark.parametrize(
    ("allowed", "possible", "filters", "found"),
    [
        ({0, 1, 2, 3}, b"0-3\n", 0, True),
        ({0, 1, 2}, b"0-3\n", 0, False),
        ({1, 2, 3}, b"0-3\n", 0, False),
        ({0, 1}, b"0-127\n", 0, False),
        ({0}, b"0\n", 0, False),
        ({*range(1024)}, b"0-1023\n", 0, True),
        ({*range(1024)}, b"0-1024\n", 0, False),
        ({*range(1025)}, b"0-1024\n", 0, False),
        ({0, 1, 2, 3}, b"0-3\n", 2, False),
    ],
    ids=[
        "all",
        "not the last",
        "not the first",
        "some are offline",
        "one",
        "1,024",
        "one is offline",
        "more",
        "filter",
    ],
)
def test_only_who_may_use_all_cpus_is_moved(allowed: set[int], possible: bytes, filters: int, found: bool) -> None:
    assert cpus.is_unlimited(allowed, possible, STATUS % filters) is found


@pytest.mark.parametrize("possible", [b"", b"0,2-3\n", b"all\n"])
def test_cpus_in_another_form_are_an_error_that_is_expected(possible: bytes) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        cpus.is_unlimited({0, 1}, possible, STATUS % 0)


SPREAD = """
import os, signal, sys
from bgrun.system import cpus
limit = {int(cpu) for cpu in sys.argv[1].split()}
os.sched_setaffinity(0, limit)
said = {"/proc/loadavg": b"0 0 0 2/99 1", "/proc/self/status": b"\\nSeccomp:\\t0\\n", **eval(sys.argv[2])}
read, asked = cpus._read, []
cpus._read = lambda path: said.get(path) or read(path)
change = os.sched_setaffinity
def ask(pid, wanted):
    asked.append(set(wanted))
    if len(asked) == int(sys.argv[3]):
        raise OSError("no memory")
    change(pid, wanted)
os.sched_setaffinity = ask
pid = os.fork()
if not pid:
    signal.pause()
try:
    cpus.spread(pid)
    if len(asked) == int(sys.argv[3]) == 2:
        assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status == signal.SIGKILL
    else:
        assert os.sched_getaffinity(pid) == os.sched_getaffinity(0) == limit, os.sched_getaffinity(pid)
finally:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(*(len(wanted & limit) for wanted in asked))
"""
POSSIBLE = "/sys/devices/system/cpu/possible"


def _spread(limit: set[int], said: dict[str, bytes] | None = None, fails: int = 0) -> str:
    """Return how many CPUs a fork may use at each step, in a process with this limit.

    said: what the system says, by the path. fails: which of the steps does.
    """
    words = [sys.executable, "-c", SPREAD, " ".join(map(str, limit)), repr(said or {}), str(fails)]
    return subprocess.run(words, cwd=TOP, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def all_cpus() -> set[int]:
    """All CPUs of this machine."""
    found = os.sched_getaffinity(0)
    if len(found) < 2 or found != set(range(len(found))):
        pytest.skip("not all CPUs, or there is one only")
    return found


@linux_only
def test_it_is_moved_and_may_use_all_of_them_after_that(all_cpus: set[int]) -> None:
    count = len(all_cpus)
    assert _spread(all_cpus, {POSSIBLE: b"0-%d" % (count - 1)}) == f"{count - 1} {count}"


@linux_only
def test_a_limit_is_left_alone(all_cpus: set[int]) -> None:
    """It may be one of a cpuset, which grows: CPUs that are set explicitly would stay as they are."""
    assert _spread(all_cpus, {POSSIBLE: b"0-%d" % len(all_cpus)}) == ""
    assert _spread({0}) == ""


@linux_only
def test_one_that_cannot_be_set_free_again_is_killed(all_cpus: set[int]) -> None:
    said = {POSSIBLE: b"0-%d" % (len(all_cpus) - 1)}
    assert _spread(all_cpus, said, fails=2) == f"{len(all_cpus) - 1} {len(all_cpus)}"
    assert _spread(all_cpus, said, fails=1) == f"{len(all_cpus) - 1}"


@linux_only
@pytest.mark.parametrize("call", ["sched_getaffinity", "sched_setaffinity"])
def test_a_sandbox_may_forbid_it(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, call, forbidden)
    monkeypatch.setattr(cpus, "is_unlimited", lambda *_: True)
    monkeypatch.setattr(cpus, "elsewhere", lambda *_: {0})
    cpus.spread(os.getpid())


@linux_only
def test_a_python_may_lack_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    cpus.spread(os.getpid())
