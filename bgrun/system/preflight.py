"""What around bgrun may get in the way of its promises: a disk almost full, a sandbox that ends everything."""

from __future__ import annotations

import os

from bgrun.system import process

LOW_BYTES = 100 << 20
# The inode of the first PID namespace (include/linux/proc_ns.h: PROC_PID_INIT_INO).
_FIRST_PID_NAMESPACE = 0xEFFFFFFC


def low_disk(log_dir: str) -> list[str]:
    """Return a warning where so little of the disk is free that a log may soon not fit."""
    try:
        disk = os.statvfs(log_dir if os.path.exists(log_dir) else os.path.dirname(log_dir))
    except OSError:
        return []
    free = disk.f_bavail * disk.f_frsize
    if free >= LOW_BYTES:
        return []
    return [f"only {free >> 20} MiB are free on the disk of {log_dir}; `bgrun prune` removes old runs"]


def doomed_sandbox() -> list[str]:
    """Return a warning where all processes end with one that this command was started from.

    In a PID namespace the kernel kills everything as its first process ends (pid_namespaces(7)); in a
    sandbox that is often the very command that an agent ran, and nothing bgrun does can outlive it.
    """
    if not process.LINUX or not _in_pid_namespace():
        return []
    first, one = process.look(1), process.look(os.getpid())
    while one and one.ppid > 1:
        one = process.look(one.ppid)
    # A child of pid 1 in another session was started by a daemon and not by this sandbox.
    if not first or not one or one.sid not in (first.sid, 0) or _is_init():
        return []
    return ["this is a sandbox that ends all its processes, runs too, as soon as its first process ends"]


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
