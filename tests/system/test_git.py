"""What bgrun reads of a git repository: bounded, and true of what the files hold."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.system import git

if TYPE_CHECKING:
    from pathlib import Path


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
