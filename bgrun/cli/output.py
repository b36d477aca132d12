"""Print to the standard streams; only this module does."""

from __future__ import annotations

import os
import sys

from bgrun import api
from bgrun.light import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

_CONTROLS = "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\\[[0-9;]*m)"


def out(text: str) -> None:
    """Print a line to standard output; characters that its encoding lacks are escaped."""
    sys.stdout.write(_printable(text) + "\n")


def note(text: str) -> None:
    """Print a line to standard error, for people. Errors are ignored: no result depends on it."""
    sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(_printable(text) + "\n")


def hint(text: str) -> None:
    """Print each line of a hint to standard error, as below an error."""
    for line in text.splitlines():
        note(f"  hint: {line}")


def flush() -> None:
    """Flush standard output.

    Raises:
        OutputError: it cannot be written.
    """
    sys.stdout.flush()


def give_up_output() -> None:
    """Redirect standard output to the null device, so that buffered text is discarded."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def raw(data: bytes) -> None:
    """Write raw bytes to standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _printable(text: str) -> str:
    """Return text that a terminal can encode, without control sequences other than colors."""
    encoding = sys.stdout.encoding or "utf-8"
    return _harmless(text).encode(encoding, "backslashreplace").decode(encoding)


def _harmless(text: str) -> str:
    if text.isprintable():
        return text
    import re  # as slow to import as the rest of `bgrun status`

    return re.sub(_CONTROLS, lambda found: repr(found[0])[1:-1], text)


def document(content: Mapping[str, Any]) -> None:
    """Print one JSON document, with its schema version first."""
    import json

    text = json.dumps({"schema_version": api.documents.SCHEMA_VERSION, **content}, indent=2, ensure_ascii=False)
    # Bytes that were not UTF-8 are lone surrogates, which JSON readers reject.
    sys.stdout.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")


def columns() -> int:
    """Return the width of the terminal, or 0 where standard output is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except OSError:
        return 0


@contextmanager
def note_later(text: Callable[[], str], after_s: float = 0.5) -> Iterator[None]:
    """Print a line to standard error if the block takes so many seconds and standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from threading import Timer

    timer = Timer(after_s, lambda: note(text()))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def wants_live(*, quiet: bool = False, json: bool = False) -> bool:
    """Return whether standard output is a terminal that can show a live view."""
    return sys.stdout.isatty() and not (quiet or json) and os.environ.get("TERM", "dumb") != "dumb"
