"""All commands, in the order of `bgrun --help`, and what it says besides."""

from __future__ import annotations

from bgrun.cli.spec.others import OTHERS
from bgrun.cli.spec.runs import RUNS

COMMANDS = (*RUNS, *OTHERS)

TAGLINE = "Run long commands in the background and find out later how they ended."
EXAMPLES = (
    ("bgrun run build -- make -j4", "run any command"),
    ("bgrun start tests --wait -t 50s", "run a declared job, wait up to 50s"),
    ("bgrun report tests", "see what failed"),
)
EXIT_CODES = (
    "Exit codes: 0 success, 1 a run did not succeed, 2 usage or job file error, 124 wait timed out, 125 internal "
    "error, 130 interrupted. A wait that times out or is interrupted does not stop the run."
)
