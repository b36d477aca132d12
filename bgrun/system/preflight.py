"""Warn of surroundings in which runs may fail: a disk that is almost full, a sandbox that kills every process."""

from __future__ import annotations

import os

from bgrun.system import process

LOW_BYTES = 100 << 20
# The inode of the first PID namespace (include/linux/proc_ns.h: PROC_PID_INIT_INO).
_FIRST_PID_NAMESPACE = 0xEFFFFFFC


def low_disk(log_dir: str) -> list[str]:
    """Return a warning if the disk of the log directory is almost full, else an empty list."""
    try:
        disk = os.statvfs(log_dir if os.path.exists(log_dir) else os.path.dirname(log_dir))
    except OSError:
        return []
    free = disk.f_bavail * disk.f_frsize
    if free >= LOW_BYTES:
        return []
    return [f"only {free >> 20} MiB are free on the disk of {log_dir}; `bgrun prune` deletes old runs"]


def doomed_sandbox() -> list[str]:
    """Return a warning if every process will be killed when an ancestor of this one exits.

    The kernel kills all processes of a PID namespace when its first process exits (pid_namespaces(7)). In a sandbox
    that is often the command that an agent runs, and no run can survive it.
    """
    if not process.LINUX or not _in_pid_namespace():
        return []
    first, one = process.read(1), process.read(os.getpid())
    while one and one.ppid > 1:
        one = process.read(one.ppid)
    # A child of PID 1 in another session was started by a daemon, not by this sandbox.
    if not first or not one or one.sid not in (first.sid, 0) or _is_init():
        return []
    return ["this sandbox kills every process, including runs, when its first process exits"]


def _in_pid_namespace() -> bool:
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _is_init() -> bool:
    try:
        with open("/proc/1/comm", encoding="utf-8") as file:
            return file.read().strip() in ("systemd", "init", "launchd")
    except OSError:
        return True
