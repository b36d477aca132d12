"""Call Slurm's command line, each time with a limit, in an environment that cannot change what it prints."""

from __future__ import annotations

import os
import subprocess

from bgrun.light import NamedTuple
from bgrun.system import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOUND_S = 5.0
"""The most seconds that a call takes: without a controller Slurm's own commands take 9 to 60."""
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")
_OF_SLURM = ("SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SLURM_")


class Answer(NamedTuple):
    """What a command of Slurm answered.

    code: its exit code; None if it gave no answer: it does not exist, or it was killed at the limit.
    """

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def given(self) -> bool:
        """Whether there was an answer at all."""
        return self.code is not None

    @property
    def words(self) -> str:
        """Return what it said went wrong, as one line without the name of the command."""
        lines = (line.partition("error: ")[2] or line for line in (self.err or self.out).splitlines())
        return "; ".join(line.strip() for line in lines if line.strip())


def environment(given: Mapping[str, str], config: str = "") -> dict[str, str]:
    """Return variables without the user's own settings of Slurm's commands, which change what these do. Pure.

    config: the `slurm.conf` to use, or '' for that of the environment.
    """
    kept = {name: value for name, value in given.items() if name in _KEPT or not name.startswith(_OF_SLURM)}
    return {**kept, "SLURM_CONF": config} if config else kept


def call(argv: Sequence[str], bound_s: float = BOUND_S, config: str = "") -> Answer:
    """Run a command of Slurm and return its answer; after `bound_s` seconds it is killed, and there is none."""
    return _call(argv, bound_s, {**environment(os.environ, config), "LC_ALL": "C"})


def submit(argv: Sequence[str], config: str = "", without: Sequence[str] = ()) -> Answer:
    """Run sbatch like `call`, with the environment of the job: Slurm keeps it, so not with the variables `without`."""
    own = programs.job_environment(environment(os.environ, config))
    return _call(argv, BOUND_S, {name: value for name, value in own.items() if name not in without})


def _call(argv: Sequence[str], bound_s: float, env: Mapping[str, str]) -> Answer:
    try:
        done = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=bound_s,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Answer(None, err=f"no answer within {bound_s:g} s")
    except OSError as error:
        return Answer(None, err=f"{argv[0]}: {error.strerror}")
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
