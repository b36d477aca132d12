"""What a digest says about earlier runs: what is new, fixed and flaky, and what was committed since a success."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from bgrun.jobfile.schema import schema

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = f"""
jobs:
  tests: {{command: ./suite.sh, rerun: "./suite.sh {{{{ failed }}}}", timeout: 20s}}
  real:
    command: {sys.executable} -m pytest -q -p no:cacheprovider test_real.py
groups: {{all: {{jobs: [tests]}}}}
"""
SUITE = """#!/bin/bash
# Stands for pytest: the tests that are named in the file `failing` fail.
mapfile -t failing < failing
[ ! -e hang ] || sleep 60
printf '%s\n' "============================= test session starts =============================="
echo "=========================== short test summary info ============================"
for id in "${failing[@]}"; do echo "FAILED test_a.py::$id - assert no"; done
total=$(cat total 2>/dev/null || echo 60); n=${#failing[@]}
ruler() { python3 -c 'import sys; print(f" {sys.argv[1]} ".center(80, "="))' "$1"; }
if [ $n = 0 ]; then ruler "$total passed in 1.50s"; exit 0; fi
ruler "$n failed, $((total - n)) passed in 1.50s"
exit 1
"""


class Suite:
    """A project under git with a test suite whose failures are chosen."""

    def __init__(self, bg: Cli) -> None:
        self.bg = bg
        bg.jobs(JOBS)
        self.write("suite.sh", SUITE)
        (bg.folder / "suite.sh").chmod(0o755)
        self.write(".gitignore", "failing\ntotal\nhang\n__pycache__\n")
        self.write("failing", "")
        self.git("init", "-q", "-b", "main")
        self.commit("First")

    def write(self, name: str, text: str) -> None:
        (self.bg.folder / name).write_text(text)

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *words], cwd=self.bg.folder, check=True, env=self.bg.env)

    def commit(self, subject: str) -> None:
        """Commit everything; what runs from now on started later than the clock of the file system shows."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        changed = max(path.stat().st_ctime for path in self.bg.folder.iterdir())
        while time.time() < changed + 0.05:
            time.sleep(0.005)

    def run(self, *failing: str, look: bool = True, job: str = "tests") -> dict[str, Any]:
        """Run the suite, and look at the digest unless that is to be left for later."""
        with open(self.bg.folder / "failing", "r+", encoding="utf-8") as file:  # its directory does not change
            file.truncate()
            file.write("".join(f"{name}\n" for name in failing))
        run: dict[str, Any] = self.bg.json("start", job)
        self.bg("wait", "-q", run["run_id"], code=None)
        if look:
            self.digest(run)
        return run

    def digest(self, run: dict[str, Any]) -> dict[str, Any]:
        found = self.bg.json("report", run["run_id"])
        jsonschema.Draft7Validator(schema("report")).validate(found)
        digest: dict[str, Any] = found["digest"]
        return digest

    def compared(self, run: dict[str, Any]) -> tuple[str, int, int | None] | None:
        found = self.digest(run)["comparison"]
        return found and tuple(found.values())

    def marks(self, run: dict[str, Any]) -> dict[str, tuple[bool | None, str | None]]:
        problems = self.digest(run)["problems"]
        return {one["id"].partition("::")[2]: (one["new"], one["passed_in"]) for one in problems}


@pytest.fixture
def suite(bg: Cli) -> Suite:
    return Suite(bg)


def test_what_is_new_and_fixed_is_marked_and_counted(suite: Suite) -> None:
    first = suite.run("test_1", "test_2", "test_3")
    suite.write("suite.sh", f"{SUITE}\n")  # the tree is no longer clean: nothing is flaky
    run = suite.run("test_2", "test_4")
    text = suite.bg("report", run["run_id"]).out
    assert "2 failed, 58 passed; 1 new, 2 fixed\nNEW test_a.py test_4: assert no\ntest_a.py test_2: assert no\n" in text
    assert text.endswith(f"\n(new, fixed: compared with {first['run_id']})\n")
    good = suite.run()
    assert "60 passed; 2 fixed\n" in suite.bg("report", good["run_id"]).out
    again = suite.run("test_2", look=False)
    assert suite.compared(again) == (good["run_id"], 1, 0)


def test_it_is_said_once_and_stays_so(suite: Suite) -> None:
    first = suite.run("test_1")
    second = suite.run("test_2")
    before = suite.bg("report", second["run_id"]).out
    suite.run()
    for path in (suite.bg.logs / f"{first['run_id']}.meta", suite.bg.logs / "jobs" / f"{first['run_id']}.digest.json"):
        path.unlink()
    assert suite.bg("report", second["run_id"]).out == before
    assert "1 new, 1 fixed" in before


def test_a_run_that_nobody_looked_at_is_compared_all_the_same_unless_its_log_is_large(suite: Suite) -> None:
    first = suite.run("test_1", look=False)
    assert suite.compared(suite.run("test_1", "test_2", look=False)) == (first["run_id"], 1, 0)
    large = suite.run("test_3", look=False)
    with open(suite.bg.logs / f"{large['run_id']}.log", "a", encoding="utf-8") as log:
        log.truncate(2 << 20)
    assert suite.compared(suite.run("test_3", look=False)) != (large["run_id"], 0, 0)
    assert not (suite.bg.logs / "jobs" / f"{large['run_id']}.digest.json").exists()


def test_only_complete_runs_of_the_same_script_are_compared(suite: Suite) -> None:
    first = suite.run("test_1")
    suite.write("hang", "")
    stopped = suite.bg.json("start", "tests")
    suite.bg("stop", stopped["run_id"])
    (suite.bg.folder / "hang").unlink()
    suite.bg("rerun", first["run_id"], "--failed", "--wait", code=1)
    assert suite.compared(suite.run("test_1", look=False)) == (first["run_id"], 0, 0)
    suite.bg.jobs(JOBS.replace("./suite.sh, rerun", "'true; ./suite.sh', rerun"))
    assert suite.compared(suite.run("test_1")) is None
    assert "new" not in suite.bg("report", "tests").out.splitlines()[1]


def test_tests_that_may_not_have_run_are_not_fixed(suite: Suite) -> None:
    first = suite.run("test_1")
    suite.write("total", "7")
    assert suite.compared(suite.run("test_2")) == (first["run_id"], 1, None)


def test_a_test_with_both_outcomes_at_one_clean_commit_is_flaky(suite: Suite) -> None:
    good = suite.run()
    bad = suite.run("test_1")
    assert suite.marks(bad) == {"test_1": (True, good["run_id"])}
    assert "NEW FLAKY test_a.py test_1: assert no\n" in suite.bg("report", bad["run_id"]).out
    assert suite.marks(suite.run("test_1", "test_2")) == {
        "test_1": (False, good["run_id"]), "test_2": (True, bad["run_id"]),
    }  # fmt: skip


@pytest.mark.parametrize(
    "change", ["edit", "edit and restore", "untracked", "untracked for a while", "commit", "total"]
)
def test_it_is_not_flaky_if_anything_may_have_changed(suite: Suite, change: str) -> None:
    good = suite.run()
    if change.startswith("edit"):
        suite.write("suite.sh", f"{SUITE}\n")
    if change.startswith("untracked"):
        suite.write("conftest.py", "")
    if change == "commit":
        suite.commit("Second")
    if change == "total":
        suite.write("total", "61")
    bad = suite.run("test_1", look=False)
    if change == "edit and restore":
        suite.git("checkout", "-q", "suite.sh")
    if change == "untracked for a while":
        (suite.bg.folder / "conftest.py").unlink()
    assert suite.marks(bad) == {"test_1": (True, None)}
    assert suite.compared(bad) == (good["run_id"], 1, 0)


def test_a_real_flaky_test(suite: Suite) -> None:
    suite.write(
        "test_real.py", "import os\n\ndef test_env():\n    assert 'BREAK' not in os.environ\n\ndef test_b(): pass\n"
    )
    suite.commit("Tests")
    good = suite.bg.json("start", "real", "--wait")
    bad = suite.bg.json("start", "real", "--wait", code=1, BREAK="1")
    jsonschema.Draft7Validator(schema("run")).validate(bad)
    assert [(one["id"], one["new"], one["passed_in"]) for one in bad["digest"]["problems"]] == [
        ("test_real.py::test_env", True, good["run_id"])
    ]


def test_outside_of_git_nothing_is_flaky_and_no_commits_are_known(suite: Suite) -> None:
    os.rename(suite.bg.folder / ".git", suite.bg.folder / "away")
    good = suite.run()
    bad = suite.run("test_1")
    assert suite.marks(bad) == {"test_1": (True, None)}
    text = suite.bg("report", "tests", "--since-success").out
    assert f"LAST SUCCESS {good['run_id']} (the commit of a run is not known)\n" in text


def test_the_commits_since_it_last_succeeded(suite: Suite) -> None:
    assert (
        "LAST SUCCESS none: no earlier run" in suite.bg("report", suite.run("test_1")["run_id"], "--since-success").out
    )
    good = suite.run()
    assert "(no commit since: both ran at the same one)" in suite.bg(
        "report", suite.run("test_1")["run_id"], "--since-success"
    ).out  # fmt: skip
    for number in range(22):
        suite.commit(f"Change {number} é\x1b[31m")
    bad = suite.run("test_1")
    suite.bg("rerun", bad["run_id"], "--failed", "--wait", code=1)
    lines = suite.bg("report", bad["run_id"], "--since-success").out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"LAST SUCCESS {good['run_id']} at "))
    assert [line.split(" ", 3)[3] for line in lines[at + 1 : at + 3]] == ["Change 21 é", "Change 20 é"]
    assert lines[-1] == "  … and more commits"
    found = suite.bg.json("report", bad["run_id"], "--since-success")
    jsonschema.Draft7Validator(schema("report")).validate(found)
    assert (len(found["since_success"]["commits"]), found["since_success"]["more"]) == (20, True)
