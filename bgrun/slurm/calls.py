"""Call Slurm's command line, each time with a limit, in an environment that cannot change what it prints."""

from __future__ import annotations

import os
import subprocess

from bgrun.light import NamedTuple

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
        """Return what it said went wrong, as one line."""
        return " ".join((self.err or self.out).split())


def environment(given: Mapping[str, str], config: str = "") -> dict[str, str]:
    """Return the environment of a call: without the user's own settings of Slurm's commands, in English. Pure."""
    kept = {name: value for name, value in given.items() if name in _KEPT or not name.startswith(_OF_SLURM)}
    chosen = {"SLURM_CONF": config} if config else {}
    return {**kept, **chosen, "LC_ALL": "C"}


def call(argv: Sequence[str], bound_s: float = BOUND_S, config: str = "", without: Sequence[str] = ()) -> Answer:
    """Run a command of Slurm and return its answer.

    Args:
        argv: the command.
        bound_s: after so many seconds it is killed, and there is no answer.
        config: the `slurm.conf` to use, or '' for that of the environment.
        without: variables that it must not get.
    """
    given = {name: value for name, value in os.environ.items() if name not in without}
    try:
        done = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=bound_s,
            env=environment(given, config),
            cwd="/",
            umask=0o077,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Answer(None, err=f"no answer within {bound_s:g} s")
    except FileNotFoundError:
        return Answer(None, err=f"{argv[0]}: command not found")
    except OSError as error:
        return Answer(None, err=f"{argv[0]}: {error.strerror}")
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
