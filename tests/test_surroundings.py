"""The suite does not depend on who runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests import surroundings
from tests.conftest import TOP, in_folder

if TYPE_CHECKING:
    from pathlib import Path

LOOK = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tests import surroundings
surroundings.settle()
mask = os.umask(0)
print(*(name for name in os.environ if not name.startswith("BGRUN_TEST_")))
print(os.environ["TZ"], oct(mask), signal.getsignal(signal.SIGINT) is signal.default_int_handler,
      signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_what_is_meant_for_others_is_dropped_and_what_leads_to_the_network_stays() -> None:
    theirs = {
        "VIRTUAL_ENV": "/v",
        "BGRUN_RUN_ID": "x",
        "GIT_DIR": "/g",
        "PYTHONPATH": "/p",
        "NO_COLOR": "1",
        "USER": "u",
    }
    kept = {"PATH": "/bin", "PIP_INDEX_URL": "https://x", "https_proxy": "http://y", "PYTEST_XDIST_WORKER": "gw0"}
    found = surroundings.explicit({**theirs, **kept, "TZ": "Pacific/Chatham", "CI": "true"}, "/h")
    own = {"LANG": surroundings.UTF8, "TZ": "UTC", "HOME": "/h"}
    assert found == {**kept, **own, "BGRUN_TEST_HOME": "/h", "BGRUN_TEST_CI": "true"}


def test_settling_twice_is_settling_once_and_the_real_home_is_remembered() -> None:
    once = surroundings.explicit({"PATH": "/bin", "CI": "true"}, "/h")
    assert surroundings.explicit(once, "/moved") == {**once, "HOME": "/moved"}


def test_directories_that_cannot_be_searched_are_no_part_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    (tmp_path / "open").mkdir()
    path = f"{tmp_path}/closed:{tmp_path}/open:/nowhere"
    kept = surroundings.reachable(path)
    assert kept == (path if os.getuid() == 0 else f"{tmp_path}/open:/nowhere")


def test_no_example_is_judged_by_how_long_it_takes() -> None:
    found = settings()
    assert (found.deadline, HealthCheck.too_slow in found.suppress_health_check) == (None, True)
    assert HealthCheck.too_slow in in_folder(1).suppress_health_check


def test_umask_signals_and_time_zone_are_set_too() -> None:
    ignoring = "trap '' INT TERM; umask 077; exec \"$@\""
    command = ["bash", "-c", ignoring, "-", sys.executable, "-S", "-c", LOOK, str(TOP)]
    env = {"PATH": os.environ["PATH"], "TZ": "America/St_Johns", "LC_ALL": "C", "VIRTUAL_ENV": "/v"}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    names, reported = done.stdout.splitlines()
    assert set(names.split()) <= {"PATH", "PYENV_ROOT", "LANG", "TZ", "HOME"}, done
    assert reported == "UTC 0o22 True True set()"
