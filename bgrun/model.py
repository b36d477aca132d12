"""The words of bgrun as frozen values. Everything else passes these along; nothing changes them.

Times are seconds since the epoch (float), durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost"]
LIVE_STATES: tuple[State, ...] = ("queued", "running")
DEFAULT_STOP_SIGNAL = "SIGTERM"
DEFAULT_GRACE_S = 10.0


class Retention(NamedTuple):
    """Which finished runs of a label are kept; `None` sets no bound."""

    max_runs: int | None = None
    max_age_s: float | None = None


class Limits(NamedTuple):
    """How a run is bounded and ended, and what counts as its success."""

    timeout_s: float | None = None
    stop_signal: str = DEFAULT_STOP_SIGNAL
    stop_grace_s: float = DEFAULT_GRACE_S
    success_exit_codes: tuple[int, ...] = (0,)


class RenderedJob(NamedTuple):
    """A job with every template filled in: all that is needed to launch it, and nothing looked up later.

    `script` is the whole text of the job script. It knows neither its run id nor its folder, so the
    same text can be launched again. `cmd` is what a person would have typed. `job` is empty for an
    ad-hoc command.
    """

    label: str
    script: str
    cmd: str
    shell: str
    working_dir: str
    venv: str = ""
    job: str = ""
    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    limits: Limits = Limits()
    inhibit_sleep: bool = True
    retention: Retention = Retention()
