"""Read the commit, the branch and the state of a work tree (gitrepository-layout(5)).

Reading two small files costs a hundredth of starting git. Git runs only where the layout is unusual; without git the
facts are empty.
"""

from __future__ import annotations

import os
import stat

from bgrun.light import NamedTuple

_ASK_S = 2.0
_MOST_TRACKED = 50_000
_OF_A_REPOSITORY = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})
_MOST_LINE, _MOST_PACKED = 1 << 16, 32 << 20


class GitFacts(NamedTuple):
    """Commit ID and branch; empty outside a repository, the branch also on a detached HEAD."""

    sha: str = ""
    branch: str = ""


def facts(directory: str) -> GitFacts:
    """Return commit and branch of the work tree that contains `directory`."""
    git_dir = _git_dir(directory)
    if not git_dir:
        return GitFacts()
    head = _line(f"{git_dir}/HEAD")
    if not head:
        return GitFacts()  # git itself would block on a pipe in its place
    if not head.startswith("ref: refs/heads/"):
        return GitFacts(head) if _is_sha(head) else _ask(directory)
    branch = head.removeprefix("ref: refs/heads/")
    sha = _ref(git_dir, f"refs/heads/{branch}")
    return GitFacts(sha, branch) if sha or _is_new(git_dir, f"refs/heads/{branch}") else _ask(directory)


def state_of(directory: str) -> bytes:
    """Return bytes that identify the state of a work tree: commit, changed files, their sizes, times and inodes.

    Empty outside a repository. If git fails they are random: equal to no other state.
    """
    root = top_of(directory)
    if not root:
        return b""
    listed = _git_bytes(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    if listed is None:
        return os.urandom(16)
    stamps = [_stamp(os.path.join(root, os.fsdecode(entry[3:]))) for entry in listed.split(b"\0") if entry]
    return "\0".join([facts(directory).sha, *stamps]).encode() + b"\0" + listed


class Tree(NamedTuple):
    """A work tree without changes and untracked files.

    sha: the commit that is checked out.
    changed: when one of its files was changed last, in epoch seconds.
    moved: when something was last added to one of its directories or removed from it.
    """

    sha: str
    changed: float
    moved: float


def clean_tree(directory: str) -> Tree | None:
    """Return the work tree that contains `directory` if it is clean; None if it is not, or that is unknown."""
    top = top_of(directory)
    before = facts(directory) if top and _is_own(top) else GitFacts()
    if not before.sha:
        return None
    plain = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
    changes = _git_bytes(top, *plain, "status", "--porcelain=v1", "-z", "--untracked-files=normal")
    listed = _git_bytes(top, *plain, "ls-files", "-z") if changes == b"" else None
    if listed is None or (count := listed.count(b"\0")) > _MOST_TRACKED or not count:
        return None
    paths = [os.fsdecode(path) for path in listed.split(b"\0") if path]
    directories = {above for path in paths for above in _above(path)}
    try:
        changed = max(os.lstat(f"{top}/{path}").st_ctime for path in paths)
        moved = max(os.lstat(f"{top}/{path}").st_mtime for path in directories)
    except OSError:
        return None
    return Tree(before.sha, changed, moved) if facts(directory) == before else None


class Moment(NamedTuple):
    """When a file was written, by the clock of its file system.

    device: the file system. at_ns: nanoseconds since the epoch.
    """

    device: int
    at_ns: int


def is_unchanged_since(directory: str, moment: Moment, *, names_too: bool) -> bool:
    """Return whether no file of the work tree that contains `directory` has changed since a moment.

    Files count that are tracked, or untracked and not ignored. A file that was removed leaves no trace but in its
    directory and in the index; so does what was staged: they count with `names_too`. False where that is unknown:
    outside a repository, on another file system, with a submodule. A clock that is set back is not noticed.
    """
    top = top_of(directory)
    if not _is_own(top):
        return False
    plain = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
    listed = _git_bytes(top, *plain, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if not listed:
        return False
    paths = {os.fsdecode(path) for path in listed.split(b"\0") if path}
    try:
        if not all(_is_older(os.lstat(f"{top}/{path}"), moment) for path in paths):
            return False
        above = {directory for path in paths for directory in _above(path)} if names_too else ()
        index = (os.lstat(f"{_git_dir(top)}/index").st_ctime_ns,) if names_too else ()
        return all(at < moment.at_ns for at in (*(os.lstat(f"{top}/{one}").st_mtime_ns for one in above), *index))
    except OSError:
        return False


def _is_older(found: os.stat_result, moment: Moment) -> bool:
    is_comparable = found.st_dev == moment.device and not stat.S_ISDIR(found.st_mode)
    return is_comparable and found.st_ctime_ns < moment.at_ns


def _above(path: str) -> list[str]:
    """Return the directories above a relative path, with the top one as ''."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts))]


def _is_own(top: str) -> bool:
    """Return whether a repository is this user's: its configuration can name programs that git runs."""
    try:
        return bool(top) and os.lstat(f"{top}/.git").st_uid == os.geteuid()
    except OSError:
        return False


class Commit(NamedTuple):
    """A commit: its ID and the first line of its message."""

    sha: str
    subject: str


def commits(directory: str, since: str, until: str, most: int) -> list[Commit] | None:
    """Return the newest commits that are in `until` and not in `since`, at most so many; None if git cannot tell."""
    if not (_is_sha(since) and _is_sha(until) and _is_own(top_of(directory))):
        return None
    form = ("--no-show-signature", "--format=%H %s%x00")
    listed = _git_bytes(directory, "log", f"--max-count={most}", *form, f"{since}..{until}")
    if listed is None:
        return None
    lines = (line.strip("\n") for line in listed.decode("utf-8", "replace").split("\0"))
    return [Commit(*line.split(" ", 1)) for line in lines if " " in line]


def _stamp(path: str) -> str:
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def top_of(directory: str) -> str:
    """Return the directory at or above `directory` that contains `.git`, or ''."""
    while not os.path.lexists(f"{directory}/.git"):
        above = os.path.dirname(directory)
        if above == directory:
            return ""
        directory = above
    return directory


def _git_dir(directory: str) -> str:
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
    return loose if _is_sha(loose) else _packed(f"{common}/packed-refs", name)


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


def _is_sha(text: str) -> bool:
    return len(text) in (40, 64) and all(character in "0123456789abcdef" for character in text)


def _ask(directory: str) -> GitFacts:
    sha, branch = (
        _git(directory, "rev-parse", "--verify", "-q", "HEAD"),
        _git(directory, "branch", "--show-current"),
    )
    return GitFacts(sha, branch)


def _git(directory: str, *words: str) -> str:
    return (_git_bytes(directory, *words) or b"").decode("utf-8", "replace").strip()


def _git_bytes(directory: str, *words: str) -> bytes | None:
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
