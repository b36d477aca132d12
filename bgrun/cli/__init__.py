"""The command line: parse, call the runner, print. The one place where errors are shown."""

from __future__ import annotations

import os
import sys

from bgrun.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, BgrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run bgrun with these words, or those of the process, and exit with the right code."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(words: list[str]) -> int:
    """Run bgrun and return its exit code; every error of the tree is shown here."""
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except BgrunError as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nbgrun: interrupted; what was started goes on", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; nothing is to be said to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERNAL
    return code


def _dispatch(words: list[str]) -> int:
    from bgrun.cli import click_face

    # Behind the first `--` nothing is bgrun's to read: the words reach the job exactly.
    cut = words.index("--") if "--" in words else len(words)
    tail = words[cut + 1 :] if cut < len(words) else None
    return click_face.call(words[:cut], tail)


def _show(error: BgrunError) -> None:
    lines = [f"error: {error.message}"]
    lines += [f"  {line}" for line in error.hint.splitlines()]
    text = "\n".join(lines)
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)  # noqa: T201
