"""The process of the command `bgrun`, or of `python -m bgrun`: import from the bundle, run the command line, exit.

Only what has to come before the bundle of bytecode is imported without it: each module takes a hundredth of a start.
"""

import gc
import os
import sys

from bgrun.bytecode import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> None:
    """Run bgrun with these arguments, or those of the process, and exit with its exit code."""
    # Imports make thousands of objects and no garbage: collecting it would take a tenth of a start.
    gc.set_threshold(50_000)
    bundle.use_cache()
    from bgrun.cli import app

    code = app.run(list(sys.argv[1:] if argv is None else argv))
    # Everything is written by now. Finalizing the interpreter would add a tenth to `bgrun status`.
    try:
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
