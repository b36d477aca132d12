"""The command line: parse, call the runner, print. The one place where errors are shown."""

from __future__ import annotations

import gc
import io
import os
import sys

from bgrun.errors import EXIT_INTERRUPTED, BgrunError, OutputError, ReaderLeftError, output_error
from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer


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
    _tell_output_errors_apart()
    try:
        code = _dispatch(words)
        _warn_of_skipped()
        sys.stdout.flush()
    except OutputError as error:
        from bgrun.cli import output

        output.give_up_output()
        if not isinstance(error, ReaderLeftError):
            _show(error)
        return error.exit_code
    except BgrunError as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        _tell("\nbgrun: interrupted; what was started goes on")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last stop: a fault of bgrun's own
        return _own_fault(error)
    return code


def _warn_of_skipped() -> None:
    """Say once that runs are missing from a list since their files cannot be read."""
    record = sys.modules.get("bgrun.store.record")
    if record and record.skipped:
        skipped = list(record.skipped.values())
        from bgrun.wording import count

        _tell(f"warning: skipped {count(len(skipped), 'run')}: {skipped[0]}")


def _whole_streams() -> None:
    """Give a stream that the caller has closed (`>&-`) somewhere to go, and its number to nothing else."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


class _Output(io.FileIO):
    """Standard output, whose errors no library takes for its own: click and rich would exit with 1, a job's failure."""

    def write(self, data: Buffer) -> int:
        """Write the bytes; where the caller has made the pipe non-blocking, once there is room.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            while (written := super().write(data)) is None:
                _wait_for_room(self.fileno())
        except OSError as error:
            raise output_error(error) from error
        return written


def _wait_for_room(fd: int) -> None:
    import select

    select.select([], [fd], [])


def _tell_output_errors_apart() -> None:
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper) and old is sys.__stdout__:
        file = io.BufferedWriter(_Output(old.fileno(), "wb", closefd=False))
        at_once = old.line_buffering or old.write_through  # as PYTHONUNBUFFERED wants it
        sys.stdout = io.TextIOWrapper(file, old.encoding, old.errors, line_buffering=at_once)


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
    from bgrun.cli import parser

    # Behind the first `--` nothing is bgrun's to read: the words reach the job exactly.
    cut = words.index("--") if "--" in words else len(words)
    tail = words[cut + 1 :] if cut < len(words) else None
    if plain := parser.read(words[:cut], tail):
        from bgrun.cli.dispatch import handle

        return handle(*plain, tail or ())
    from bgrun.cli import click_parser

    return click_parser.call(words[:cut], tail)


def _show(error: BgrunError) -> None:
    _tell("\n".join([f"error: {error.message}", *(f"  {line}" for line in error.hint.splitlines())]))


def _tell(text: str) -> None:
    from bgrun.cli import output

    output.note(text)
