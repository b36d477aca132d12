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


SPREAD = """
import os, signal, sys
from bgrun.system import cpus
limit = {int(cpu) for cpu in sys.argv[1].split()}
os.sched_setaffinity(0, limit)
read, asked = cpus._read, []
cpus._read = lambda path: b"0 0 0 2/99 1" if path == "/proc/loadavg" else read(path)
change = os.sched_setaffinity
os.sched_setaffinity = lambda pid, wanted: (asked.append(set(wanted)), change(pid, wanted))
pid = os.fork()
if not pid:
    signal.pause()
try:
    cpus.spread(pid)
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0) == limit, os.sched_getaffinity(pid)
finally:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(*(len(wanted & limit) for wanted in asked))
"""


def _spread(limit: set[int]) -> str:
    """Return how many CPUs a fork may use at each step, in a process with this limit."""
    words = [sys.executable, "-c", SPREAD, " ".join(map(str, limit))]
    return subprocess.run(words, cwd=TOP, check=True, capture_output=True, text=True).stdout.strip()


@linux_only
def test_it_is_moved_and_may_use_all_of_them_after_that() -> None:
    online = os.sysconf("SC_NPROCESSORS_ONLN")
    if not 1 < online == len(os.sched_getaffinity(0)):
        pytest.skip("not all CPUs, or there is one only")
    assert _spread(os.sched_getaffinity(0)) == f"{online - 1} {online}"


@linux_only
def test_a_limit_is_left_alone() -> None:
    """It may be one of a cpuset, which grows: CPUs that are set explicitly would stay as they are."""
    assert _spread({min(os.sched_getaffinity(0))}) == ""


@linux_only
@pytest.mark.parametrize("call", ["sched_getaffinity", "sched_setaffinity"])
def test_a_sandbox_may_forbid_it(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, call, forbidden)
    monkeypatch.setattr(cpus, "elsewhere", lambda *_: {0})
    cpus.spread(os.getpid())


@linux_only
def test_a_python_may_lack_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    cpus.spread(os.getpid())
