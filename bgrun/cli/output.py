"""Streams and JSON documents. Only this module prints."""

from __future__ import annotations

import os
import sys

from bgrun import api
from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CONTROLS = "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\\[[0-9;]*m)"


def out(text: str) -> None:
    """Print a line to standard output; what the terminal cannot encode is escaped."""
    sys.stdout.write(_printable(text) + "\n")


def note(text: str) -> None:
    """Print a line to standard error: for the person, not for the pipe. No result depends on it: errors are let go."""
    sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(_printable(text) + "\n")


def flush() -> None:
    """Write what was printed so far.

    Raises:
        OutputError: it cannot be written.
    """
    sys.stdout.flush()


def give_up_output() -> None:
    """Let what is still to be written to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def raw(data: bytes) -> None:
    """Write bytes as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _printable(text: str) -> str:
    """Return text that any terminal takes and that cannot drive one: colours are all that gets through."""
    encoding = sys.stdout.encoding or "utf-8"
    return _harmless(text).encode(encoding, "backslashreplace").decode(encoding)


def _harmless(text: str) -> str:
    if text.isprintable():
        return text
    import re  # which takes as long to import as all else that a look needs

    return re.sub(_CONTROLS, lambda found: repr(found[0])[1:-1], text)


def document(content: Mapping[str, Any]) -> None:
    """Print one JSON document, with its schema version first."""
    import json

    text = json.dumps({"schema_version": api.documents.SCHEMA_VERSION, **content}, indent=2, ensure_ascii=False)
    # A byte of a command that was not UTF-8 comes as a lone surrogate, which JSON readers refuse.
    sys.stdout.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")


def wants_live(*, quiet: bool = False, json: bool = False) -> bool:
    """Return whether somebody looks at a terminal that can show a live view."""
    return sys.stdout.isatty() and not (quiet or json) and os.environ.get("TERM", "dumb") != "dumb"
