"""Name what is to become ready: the check, and the run that it is made for."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.plan import ReadyCheck

LAUNCHED = ReadyCheck("delay", "0")
"""The check of a service without one: ready once its command was launched."""
ANSWER = "ready"
"""The kind of the hidden file that has the last answer while a service is not ready yet."""


class Target(NamedTuple):
    """The run of a service that is checked, as its supervisor knows it.

    log_dir: the log directory by the path that leads there from here; recorded: its path, with which processes of the
    run are marked. leader, leader_start: the job script. environment: variables that reach the job through its
    environment only. module_path: where the package `regex` is.
    """

    check: ReadyCheck
    run_id: str
    log_dir: str
    recorded: str
    leader: int
    leader_start: str
    port: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    module_path: tuple[str, ...] = ()


def describe(check: ReadyCheck, port: int = 0) -> str:
    """Return a check in words: what it tries."""
    if check.shown:
        return check.shown
    if check.kind == "http":
        return f"GET {check.value}"
    if check.kind == "port":
        return f"port {check.value or port}"
    if check.kind == "log":
        return f"a log line that matches {check.value!r}"
    return f"command {check.value!r}" if check.kind == "command" else f"{check.value}s after its launch"
