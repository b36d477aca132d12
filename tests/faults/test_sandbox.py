"""What is not promised is told: a PID namespace that ends everything at once."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("PID namespaces need root")


def test_a_start_in_such_a_sandbox_says_so_and_the_run_is_lost_not_succeeded(bg: Cli) -> None:
    command = [*UNSHARE, *bg.command, "run", "x", "--", "sleep", "300"]
    done = subprocess.run(command, cwd=bg.folder, env=bg.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "this sandbox kills every process" in done.stderr
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("lost", None)


def test_elsewhere_nothing_is_said(bg: Cli) -> None:
    # The first PID namespace of a machine has this inode (include/linux/proc_ns.h, PROC_PID_INIT_INO).
    if os.stat("/proc/self/ns/pid").st_ino != 0xEFFFFFFC:
        pytest.skip("these tests run inside a PID namespace, where it is said, and rightly")
    assert "sandbox" not in bg("run", "x", "--wait", "--", "true").err
