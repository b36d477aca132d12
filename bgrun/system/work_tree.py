"""Identify the state of a work tree, tell whether it has changed, and list commits. Git is run for all of it."""

from __future__ import annotations

import os
import stat

from bgrun.light import NamedTuple
from bgrun.system import git

_MOST_TRACKED = 50_000


def state_of(directory: str) -> bytes:
    """Return bytes that identify the state of a work tree: commit, changed files, their sizes, times and inodes.

    Empty outside a repository. If git fails they are random: equal to no other state.
    """
    root = git.top_of(directory)
    if not root:
        return b""
    listed = git.run(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    if listed is None:
        return os.urandom(16)
    stamps = [_stamp(os.path.join(root, os.fsdecode(entry[3:]))) for entry in listed.split(b"\0") if entry]
    return "\0".join([git.facts(directory).sha, *stamps]).encode() + b"\0" + listed


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
    top = git.top_of(directory)
    before = git.facts(directory) if top and _is_own(top) else git.GitFacts()
    if not before.sha:
        return None
    plain = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
    changes = git.run(top, *plain, "status", "--porcelain=v1", "-z", "--untracked-files=normal")
    listed = git.run(top, *plain, "ls-files", "-z") if changes == b"" else None
    if listed is None or (count := listed.count(b"\0")) > _MOST_TRACKED or not count:
        return None
    paths = [os.fsdecode(path) for path in listed.split(b"\0") if path]
    directories = {above for path in paths for above in _above(path)}
    try:
        changed = max(os.lstat(f"{top}/{path}").st_ctime for path in paths)
        moved = max(os.lstat(f"{top}/{path}").st_mtime for path in directories)
    except OSError:
        return None
    return Tree(before.sha, changed, moved) if git.facts(directory) == before else None


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
    top = git.top_of(directory)
    if not _is_own(top):
        return False
    plain = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")
    listed = git.run(top, *plain, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if not listed:
        return False
    paths = {os.fsdecode(path) for path in listed.split(b"\0") if path}
    try:
        if not all(_is_older(os.lstat(f"{top}/{path}"), moment) for path in paths):
            return False
        above = {directory for path in paths for directory in _above(path)} if names_too else ()
        index = (os.lstat(f"{git.git_dir_of(top)}/index").st_ctime_ns,) if names_too else ()
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
    if not (git.is_sha(since) and git.is_sha(until) and _is_own(git.top_of(directory))):
        return None
    form = ("--no-show-signature", "--format=%H %s%x00")
    listed = git.run(directory, "log", f"--max-count={most}", *form, f"{since}..{until}")
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
