"""What bgrun reads of a git repository: bounded, and true of what the files hold."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.system import git
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit and a HEAD that names a branch."""
    folder = tmp_path / "repo"
    folder.mkdir()
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, env={**os.environ, "HOME": str(tmp_path)})
    return folder


def test_a_file_of_the_same_size_and_time_is_another_state(repo: Path) -> None:
    one, before = repo / "data", git.state_of(str(repo))
    one.write_text("one")
    first, times = git.state_of(str(repo)), one.stat()
    assert first not in (before, b"")
    assert git.state_of(str(repo)) == first

    def swapped() -> bool:
        one.write_text("two")
        os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
        return one.stat().st_ctime_ns != times.st_ctime_ns

    wait_until(swapped, "the file's time of change has moved on")
    assert git.state_of(str(repo)) != first


def test_a_clean_tree_tells_when_it_changed_last(repo: Path) -> None:
    assert git.clean_tree(str(repo)) is None, "no file"
    (repo / "sub").mkdir()
    (repo / "sub" / "a").write_text("a")
    assert git.clean_tree(str(repo)) is None, "untracked"
    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *words], cwd=repo, check=True)
    found = git.clean_tree(str(repo / "sub"))
    assert found == git.Tree(
        git.facts(str(repo)).sha,
        (repo / "sub" / "a").stat().st_ctime,
        max((repo / "sub").stat().st_mtime, repo.stat().st_mtime),
    )
    (repo / "sub" / "a").write_text("b")
    assert git.clean_tree(str(repo)) is None, "changed"
    assert git.clean_tree("/") is None


def test_commits_are_those_of_one_that_are_not_in_another(repo: Path) -> None:
    first = git.facts(str(repo)).sha
    for subject in ("two words", "three"):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", subject], cwd=repo, check=True)
    last = git.facts(str(repo)).sha
    found = git.commits(str(repo), first, last, 5)
    assert found
    assert [one.subject for one in found] == ["three", "two words"]
    assert found[0].sha == last
    assert git.commits(str(repo), first, last, 1) == found[:1]
    assert git.commits(str(repo), last, first, 5) == []
    assert git.commits(str(repo), "0" * 40, last, 5) is None
    assert git.commits(str(repo), "--output=x", last, 5) is None


def test_git_is_not_asked_about_a_branch_without_a_commit(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = git.facts(str(repo))
    assert first.branch == "main"
    subprocess.run(["git", "checkout", "-q", "--orphan", "new/one"], cwd=repo, check=True)
    asked: list[tuple[str, ...]] = []
    whole = git._git
    monkeypatch.setattr(git, "_git", lambda place, *words: asked.append(words) or whole(place, *words))
    assert git.facts(str(repo)) == git.GitFacts("", "new/one")
    assert not asked
    monkeypatch.undo()
    subprocess.run(["git", "checkout", "-q", "-b", "link", first.sha], cwd=repo, check=True)
    (repo / ".git" / "refs" / "heads" / "link").write_text("ref: refs/heads/main\n")
    assert git.facts(str(repo)) == first, "git follows the link"
    subprocess.run(["git", "checkout", "-q", "main"], cwd=repo, check=True)
    subprocess.run(["git", "pack-refs", "--all"], cwd=repo, check=True)
    assert git.facts(str(repo)) == first
