"""Read the commit and the branch of a repository (gitrepository-layout(5)).

Reading two small files costs a hundredth of starting git. Git runs only where the layout is unusual; without git the
facts are empty.
"""

from __future__ import annotations

import os
import stat

from bgrun.light import NamedTuple

_ASK_S = 2.0
_OF_A_REPOSITORY = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})
_MOST_LINE, _MOST_PACKED = 1 << 16, 32 << 20


class GitFacts(NamedTuple):
    """Commit ID and branch; empty outside a repository, the branch also on a detached HEAD."""

    sha: str = ""
    branch: str = ""


def facts(directory: str) -> GitFacts:
    """Return commit and branch of the work tree that contains `directory`."""
    git_dir = git_dir_of(directory)
    if not git_dir:
        return GitFacts()
    head = _line(f"{git_dir}/HEAD")
    if not head:
        return GitFacts()  # git itself would block on a pipe in its place
    if not head.startswith("ref: refs/heads/"):
        return GitFacts(head) if is_sha(head) else _ask(directory)
    branch = head.removeprefix("ref: refs/heads/")
    sha = _ref(git_dir, f"refs/heads/{branch}")
    return GitFacts(sha, branch) if sha or _is_new(git_dir, f"refs/heads/{branch}") else _ask(directory)


def top_of(directory: str) -> str:
    """Return the directory at or above `directory` that contains `.git`, or ''."""
    while not os.path.lexists(f"{directory}/.git"):
        above = os.path.dirname(directory)
        if above == directory:
            return ""
        directory = above
    return directory


def git_dir_of(directory: str) -> str:
    """Return the directory of the repository that `directory` is in, or ''."""
    root = top_of(directory)
    dot_git = f"{root}/.git"
    if not root or os.path.isdir(dot_git):
        return dot_git if root else ""
    pointer = _line(dot_git).removeprefix("gitdir: ")
    return os.path.join(root, pointer) if pointer else ""


def _common(git_dir: str) -> str:
    """Return the directory that the work trees of a repository share."""
    return os.path.join(git_dir, _line(f"{git_dir}/commondir") or ".")


def _is_new(git_dir: str, name: str) -> bool:
    """Return whether a branch has no commit yet, as in a new repository; that git need not be asked saves 30 ms."""
    common = _common(git_dir)
    # Where references are in tables, `heads` is no directory.
    is_elsewhere = os.path.lexists(f"{common}/{name}") or os.path.lexists(f"{common}/packed-refs")
    return os.path.isdir(f"{common}/refs/heads") and not is_elsewhere


def _ref(git_dir: str, name: str) -> str:
    common = _common(git_dir)
    loose = _line(f"{common}/{name}")
    return loose if is_sha(loose) else _packed(f"{common}/packed-refs", name)


def _packed(path: str, name: str) -> str:
    lines = _text(path, _MOST_PACKED).split("\n")
    return next((line.split(" ")[0] for line in lines if line.endswith(f" {name}")), "")


def _line(path: str) -> str:
    line = _text(path, _MOST_LINE).partition("\n")[0].strip()
    return "" if "\0" in line else line


def _text(path: str, most: int) -> str:
    """Return the beginning of a regular file, '' for any other file: reading a pipe could block."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, most).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def is_sha(text: str) -> bool:
    """Return whether a text is the whole ID of a commit."""
    return len(text) in (40, 64) and all(character in "0123456789abcdef" for character in text)


def _ask(directory: str) -> GitFacts:
    sha, branch = (
        _git(directory, "rev-parse", "--verify", "-q", "HEAD"),
        _git(directory, "branch", "--show-current"),
    )
    return GitFacts(sha, branch)


def _git(directory: str, *words: str) -> str:
    return (run(directory, *words) or b"").decode("utf-8", "replace").strip()


def run(directory: str, *words: str) -> bytes | None:
    """Return the output of git, or None if it fails or takes too long."""
    import subprocess

    try:
        # No locks: this must not make the user's own git fail.
        command = ["git", "--no-optional-locks", "-C", directory, *words]
        # In a hook of git the environment names a repository, which may be another one.
        env = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
        done = subprocess.run(command, capture_output=True, timeout=_ASK_S, check=False, env=env)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
