"""The command line: parse, call `api`, print.

Only what has to come first is here: the rest is imported from the bundle of bytecode.
"""

import gc
import os
import sys

from bgrun import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> None:
    """Run bgrun with these arguments, or those of the process, and exit with its exit code."""
    # Imports make thousands of objects and no garbage: collecting it would take a tenth of a start.
    gc.set_threshold(50_000)
    api.use_bundle()
    code = run(list(sys.argv[1:] if argv is None else argv))
    # Everything is written by now. Finalizing the interpreter would add a tenth to `bgrun status`.
    try:
        sys.stderr.flush()
    finally:
        os._exit(code)


def run(words: list[str]) -> int:
    """Run bgrun and return its exit code. Errors are shown, never raised."""
    from bgrun.cli import app

    return app.run(words)
