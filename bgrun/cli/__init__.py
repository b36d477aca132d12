"""The command line: parse, call the runner, print. The one place where errors are shown."""

from __future__ import annotations

import gc
import os
import sys

from bgrun.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, BgrunError
from bgrun.lean import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run bgrun with these words, or those of the process, and exit with the right code."""
    # What is imported makes thousands of objects and no garbage: looking for it takes a tenth of a start.
    gc.set_threshold(50_000)
    code = run(list(sys.argv[1:] if argv is None else argv))
    # Everything is written by now. Taking the interpreter apart would add a tenth to a look at a run.
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def run(words: list[str]) -> int:
    """Run bgrun and return its exit code; every error is shown here, and only here."""
    _whole_streams()
    try:
        code = _dispatch(words)
        _warn_of_skipped()
        sys.stdout.flush()
    except BgrunError as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        _tell("\nbgrun: interrupted; what was started goes on")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; nothing is to be said to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERNAL
    except Exception as error:  # noqa: BLE001 - the last stop: a fault of bgrun's own
        return _own_fault(error)
    return code


def _warn_of_skipped() -> None:
    """Say once that runs are missing from a list since their files cannot be read."""
    record = sys.modules.get("bgrun.runs.record")
    if record and record.skipped:
        skipped = list(record.skipped.values())
        _tell(f"warning: skipped {len(skipped)} run{'' if len(skipped) == 1 else 's'}: {skipped[0]}")


def _whole_streams() -> None:
    """Give a stream that the caller has closed (`>&-`) somewhere to go, and its number to nothing else."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _own_fault(error: Exception) -> int:
    if os.environ.get("BGRUN_DEBUG"):
        raise error
    told = BgrunError(
        f"bgrun itself failed: {type(error).__name__}: {error}",
        "runs are not harmed by this; BGRUN_DEBUG=1 shows where it happened, for a report",
    )
    _show(told)
    return told.exit_code


def _dispatch(words: list[str]) -> int:
    from bgrun.cli import reader

    # Behind the first `--` nothing is bgrun's to read: the words reach the job exactly.
    cut = words.index("--") if "--" in words else len(words)
    tail = words[cut + 1 :] if cut < len(words) else None
    if plain := reader.read(words[:cut], tail):
        from bgrun.cli.call import handle

        return handle(*plain, tail or ())
    from bgrun.cli import click_face

    return click_face.call(words[:cut], tail)


def _show(error: BgrunError) -> None:
    _tell("\n".join([f"error: {error.message}", *(f"  {line}" for line in error.hint.splitlines())]))


def _tell(text: str) -> None:
    from bgrun.cli import show

    show.note(text)
