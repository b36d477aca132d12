"""Run one command line: open the streams, parse, call a handler. All errors are shown here."""

from __future__ import annotations

import io
import os
import sys

from bgrun import api
from bgrun.errors import EXIT_INTERRUPTED, BgrunError, OutputError, ReaderLeftError, output_error
from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer


def run(words: list[str]) -> int:
    """Run bgrun and return its exit code. Errors are shown, never raised."""
    _open_closed_streams()
    if "_BGRUN_COMPLETE" in os.environ:
        from bgrun.cli.completion import protocol

        return protocol.run(words)
    _wrap_stdout()
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
    except KeyboardInterrupt as interrupt:
        # One that came during a launch says what became of that.
        _note(f"\ninterrupted; {str(interrupt) or 'active runs continue in the background'}")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - an error in bgrun itself
        return _internal_error(error)
    return code


def _warn_of_skipped() -> None:
    """Warn once that runs are missing from a list because their files cannot be read."""
    if skipped := api.unreadable_runs():
        from bgrun.wording import count

        _note(f"warning: skipped {count(len(skipped), 'run')}: {skipped[0]}")


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed (`>&-`); no other file gets its number."""
    with suppress(OSError):  # no descriptor is free, so none of the first is
        while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


class _Output(io.FileIO):
    """Standard output that raises OutputError: on an OSError click and rich would exit with 1, a failed run."""

    def write(self, data: Buffer) -> int:
        """Write the bytes; wait for space in a pipe that the caller has made non-blocking.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            while (written := super().write(data)) is None:
                _wait_for_space(self.fileno())
        except OSError as error:
            raise output_error(error) from error
        return written


def _wait_for_space(fd: int) -> None:
    import select

    select.select([], [fd], [])


def _wrap_stdout() -> None:
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper) and old is sys.__stdout__:
        file = io.BufferedWriter(_Output(old.fileno(), "wb", closefd=False))
        unbuffered = old.line_buffering or old.write_through  # PYTHONUNBUFFERED
        sys.stdout = io.TextIOWrapper(file, old.encoding, old.errors, line_buffering=unbuffered)


def _internal_error(error: Exception) -> int:
    if os.environ.get("BGRUN_DEBUG"):
        raise error
    hint = "runs are not affected; rerun with BGRUN_DEBUG=1 and report the traceback"
    shown = BgrunError(f"internal error: {type(error).__name__}: {error}", hint)
    _show(shown)
    return shown.exit_code


def _dispatch(words: list[str]) -> int:
    from bgrun.cli import parser

    # Nothing after the first `--` is parsed: it reaches the job exactly.
    cut = words.index("--") if "--" in words else len(words)
    extra_args = words[cut + 1 :] if cut < len(words) else None
    if plain := parser.read(words[:cut], extra_args):
        from bgrun.cli.dispatch import handle

        return handle(*plain, extra_args or ())
    from bgrun.cli import click_parser

    return click_parser.call(words[:cut], extra_args)


def _show(error: BgrunError) -> None:
    _note("\n".join([f"error: {error.message}", *(f"  hint: {line}" for line in error.hint.splitlines())]))


def _note(text: str) -> None:
    from bgrun.cli import output

    output.note(text)
