"""Create and check directories in which nobody else can have put a job script or a result.

Functions raise `StorageError`, which has the path and a hint.
"""

from __future__ import annotations

import os
import stat

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.system import files

DIRECTORY_MODE = 0o700


def ensure_log_dir(log_dir: str) -> None:
    """Create the log directory with its `jobs/` and `.gitignore`, or accept one that exists.

    One that exists keeps its mode and gets no `.gitignore`: it may contain other files.

    Raises:
        StorageError: it or its `jobs/` is a symbolic link, no directory, writable by others, or not writable.
    """
    made = ensure(log_dir)
    ensure(f"{log_dir}/jobs")
    with files.storage(log_dir, "write in"):
        if not os.access(log_dir, os.W_OK | os.X_OK):
            from errno import EACCES

            raise PermissionError(EACCES, os.strerror(EACCES))
    if made:
        ignore = f"{log_dir}/.gitignore"
        with suppress(FileExistsError), files.storage(ignore, "write"):
            files.replace(ignore, files.unique(ignore), b"*\n")


def user_state() -> str:
    """Return bgrun's directory for state that all projects of the user share.

    It follows the XDG Base Directory Specification on every system.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    return f"{state if os.path.isabs(state) else os.path.expanduser('~/.local/state')}/bgrun"


def check_log_dir(log_dir: str) -> bool:
    """Return whether the log directory exists and may be read; root may read any user's.

    Raises:
        StorageError: it or its `jobs/` is a symbolic link, no directory, or writable by others.
    """
    exists = _is_directory(log_dir)
    if exists:
        _is_directory(f"{log_dir}/jobs")
    return exists


def ensure(path: str) -> bool:
    """Create a directory that only its owner can read, or accept one that exists; return whether it was created.

    Raises:
        StorageError: it is a symbolic link, no directory or writable by others, or cannot be created.
    """
    if _is_directory(path, to_write=True):
        return False
    made = False
    with files.storage(path, "create the directory"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(path, DIRECTORY_MODE)
            os.chmod(path, DIRECTORY_MODE)  # whatever the umask
            made = True
    _is_directory(path, to_write=True)
    return made


def remove(path: str) -> bool:
    """Delete a directory of files and return whether it existed; a symbolic link to one is left alone."""
    with suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            for name in os.listdir(path):
                os.unlink(f"{path}/{name}")
            os.rmdir(path)
            return True
    return False


def quoted(path: str) -> str:
    """Return a path quoted for a shell command."""
    import shlex  # seldom needed

    return shlex.quote(path)


def _is_directory(path: str, *, to_write: bool = False) -> bool:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode):
        hint = "remove the link; to keep runs elsewhere, set `log_dir:` in the job file"
        raise StorageError(f"{path} is a symbolic link, which bgrun does not follow", hint)
    if not stat.S_ISDIR(found.st_mode):
        raise StorageError(f"{path} is not a directory", "move the file away")
    _refuse_strange(path, found, to_write=to_write)
    return True


def _refuse_strange(path: str, found: os.stat_result, *, to_write: bool) -> None:
    """Refuse a directory in which another user may have written a job script or a result."""
    me, owner = os.geteuid(), found.st_uid
    elsewhere = "or set another directory with `log_dir:` in the job file"
    if owner != me and me == 0 and to_write:
        hint = f"run it as that user: sudo -u '#{owner}' bgrun …; {elsewhere}"
        raise StorageError(f"{path} belongs to the user with uid {owner}, and a run would be root's", hint)
    if me not in (owner, 0):
        hint = f"if you trust all that is in it: sudo chown -R {me} {quoted(path)}; {elsewhere}"
        raise StorageError(f"{path} belongs to another user (uid {owner})", hint)
    others = found.st_mode & stat.S_IWOTH
    if others or (found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid, owner)):
        whose = "other users" if others else f"the group with gid {found.st_gid}"
        hint = f"if you trust all that is in it: chmod go-w {quoted(path)}; {elsewhere}"
        raise StorageError(f"{path} is writable by {whose}", hint)


def _is_private(gid: int, uid: int) -> bool:
    """Return whether a group is the private group of a user: it has the same name and no other members.

    Systems with such groups usually have a umask of 002 (useradd(8); USERGROUPS_ENAB in login.defs(5)).
    """
    import grp
    import pwd

    try:
        user = pwd.getpwuid(uid)
        group = grp.getgrgid(gid)
    except KeyError:
        return gid == uid  # an account without a name, as in a container
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
