"""The supervisor's descriptors and their limit, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import TOP


def python(code: str) -> str:
    """Return what a script prints in a process whose soft limit is 64 descriptors."""
    script = "import os, resource\nfrom bgrun.local.supervision import descriptors\n" + code
    shell = 'ulimit -Sn 64; exec "$@"'
    command = ["bash", "-c", shell, "bash", sys.executable, "-c", script]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


LIMIT = "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], end=' ')\n"


def test_the_limit_is_raised_but_not_for_what_is_started() -> None:
    code = f"{LIMIT}descriptors.raise_limit(200)\n{LIMIT}with descriptors.callers_limit():\n    {LIMIT}{LIMIT}"
    assert python(code) == "64 200 64 200"


@pytest.mark.parametrize("needed", [10, 64])
def test_a_limit_that_suffices_is_left(needed: int) -> None:
    code = f"descriptors.raise_limit({needed})\n{LIMIT}with descriptors.callers_limit():\n    {LIMIT}"
    assert python(code) == "64 64"


def test_a_descriptor_is_moved_beyond_the_callers_limit() -> None:
    code = """
fd = os.open("/dev/null", os.O_RDONLY)
assert descriptors.out_of_reach(fd) == fd
descriptors.raise_limit(200)
moved = descriptors.out_of_reach(fd)
assert moved >= 64 and not os.get_inheritable(moved)
os.fstat(moved)
try:
    os.fstat(fd)
except OSError:
    print("moved")
"""
    assert python(code) == "moved"


def test_all_descriptors_but_some_are_closed() -> None:
    code = """
kept, other = (os.open("/dev/null", os.O_RDONLY) for _ in range(2))
descriptors.close_all([kept])
os.fstat(kept)
try:
    os.fstat(other)
except OSError:
    print("closed")
"""
    assert python(code) == "closed"
