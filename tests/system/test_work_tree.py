"""What bgrun finds out about a work tree: whether it is another one, since when, and by which commits."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from bgrun.system import git, work_tree
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_of_the_same_size_and_time_is_another_state(repo: Path) -> None:
    one, before = repo / "data", work_tree.state_of(str(repo))
    one.write_text("one")
    first, times = work_tree.state_of(str(repo)), one.stat()
    assert first not in (before, b"")
    assert work_tree.state_of(str(repo)) == first

    def swapped() -> bool:
        one.write_text("two")
        os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
        return one.stat().st_ctime_ns != times.st_ctime_ns

    wait_until(swapped, "the file's time of change has moved on")
    assert work_tree.state_of(str(repo)) != first


def test_a_clean_tree_tells_when_it_changed_last(repo: Path) -> None:
    assert work_tree.clean_tree(str(repo)) is None, "no file"
    (repo / "sub").mkdir()
    (repo / "sub" / "a").write_text("a")
    assert work_tree.clean_tree(str(repo)) is None, "untracked"
    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *words], cwd=repo, check=True)
    found = work_tree.clean_tree(str(repo / "sub"))
    assert found == work_tree.Tree(
        git.facts(str(repo)).sha,
        (repo / "sub" / "a").stat().st_ctime,
        max((repo / "sub").stat().st_mtime, repo.stat().st_mtime),
    )
    (repo / "sub" / "a").write_text("b")
    assert work_tree.clean_tree(str(repo)) is None, "changed"
    assert work_tree.clean_tree("/") is None


def test_commits_are_those_of_one_that_are_not_in_another(repo: Path) -> None:
    first = git.facts(str(repo)).sha
    for subject in ("two words", "three"):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", subject], cwd=repo, check=True)
    last = git.facts(str(repo)).sha
    found = work_tree.commits(str(repo), first, last, 5)
    assert found
    assert [one.subject for one in found] == ["three", "two words"]
    assert found[0].sha == last
    assert work_tree.commits(str(repo), first, last, 1) == found[:1]
    assert work_tree.commits(str(repo), last, first, 5) == []
    assert work_tree.commits(str(repo), "0" * 40, last, 5) is None
    assert work_tree.commits(str(repo), "--output=x", last, 5) is None
