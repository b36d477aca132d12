"""The standard streams of the server: answer the opening of a session, and pass the rest on to the SDK.

The wire is moved to descriptors of its own first: what a library prints, or a child reads, is not part of the protocol.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.mcp.opening import Opening

HEAD_START_S = 0.2
"""How long the opening is waited for before the import of the SDK begins, which slows the answers down; in seconds."""
_BLOCK = 1 << 16


class Wire:
    """The input and the output of the server. What was read and not answered is kept, byte for byte."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.at_end = False
        self._rest = b""
        self._in, self._out = _moved(0), _moved(1)
        self._woken, self._wake = os.pipe()
        _replace(0, os.open(os.devnull, os.O_RDONLY))
        _replace(1, _of_errors())

    def greet(self) -> None:
        """Answer until the tools are listed, a message is left to the SDK, or the head start is over."""
        until = time.monotonic() + HEAD_START_S
        while not self._is_over() and not self.opening.listed and (left := until - time.monotonic()) > 0:
            self._step(left)

    def answer(self) -> None:
        """Answer until `take_over`, or until a message is left to the SDK: what a thread does during the import."""
        while not self._is_over() and self._step(None):
            pass

    def wake(self) -> None:
        """End `answer`."""
        os.write(self._wake, b"\0")

    @property
    def is_done(self) -> bool:
        """Whether the input has ended and nothing is left to answer."""
        return self.at_end and self.opening.open and not self._rest

    def _is_over(self) -> bool:
        return self.at_end or not self.opening.open

    def _step(self, timeout_s: float | None) -> bool:
        """Wait for input and answer it; return whether nothing else ended the wait."""
        ready, _, _ = select.select([self._in, self._woken], [], [], timeout_s)
        if self._woken in ready or not ready:
            return False
        data = os.read(self._in, _BLOCK)
        self.at_end = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.send(self.opening.feed(line + b"\n"))
        if len(self._rest) > _BLOCK:
            self.opening.open = False  # too long a line to be answered here
        return True

    def send(self, data: bytes) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._out, view) :]

    def input(self) -> io.TextIOWrapper:
        """Return the stream of messages for the SDK: those that were kept, then what comes."""
        kept = b"".join([*self.opening.kept, self._rest])
        return _Lines(io.BufferedReader(_Input(kept, self._in)), encoding="utf-8", errors="replace")

    def output(self) -> Output:
        """Return the stream for the messages of the SDK."""
        return Output(self, self.opening.handshake)


def _moved(fd: int) -> int:
    """Return another descriptor of the same file, which is none of the three standard ones."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def _of_errors() -> int:
    try:
        return os.dup(2)
    except OSError:  # it is closed
        return os.open(os.devnull, os.O_WRONLY)


def _replace(fd: int, by: int) -> None:
    os.dup2(by, fd)
    os.close(by)


class _Lines(io.TextIOWrapper):
    """Lines of text of which the SDK can parse what clients send: it leaves a message with half a character unanswered.

    JavaScript has such halves in a text that was cut within a character outside the basic plane.
    """

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as typeshed has it for the class itself
        """Read a line; half a character in it becomes U+FFFD."""
        line = super().readline(size)
        return _ESCAPE.sub(_whole, line) if "\\ud" in line or "\\uD" in line else line


_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _whole(found: re.Match[str]) -> str:
    return "\\ufffd" if found["half"] else found[0]


class _Input(io.RawIOBase):
    """Bytes that were read already, and then a descriptor."""

    def __init__(self, kept: bytes, fd: int) -> None:
        self._kept, self._fd = kept, fd

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, into: object) -> int:
        """Read what fits."""
        view = memoryview(into)  # type: ignore[arg-type]
        data = self._kept[: len(view)] or os.read(self._fd, len(view))
        self._kept = self._kept[len(data) :]
        view[: len(data)] = data
        return len(data)


class Output:
    """A stream of lines of which the answer to the handshake is left out, since it was sent already."""

    def __init__(self, wire: Wire, handshake: int | str | None) -> None:
        self._wire = wire
        self._sent = handshake

    def write(self, text: str) -> int:
        """Send a line."""
        if self._sent is not None and self._is_sent(text):
            self._sent = None
        else:
            self._wire.send(text.encode())
        return len(text)

    def flush(self) -> None:
        """Do nothing: every line is sent at once."""

    def _is_sent(self, text: str) -> bool:
        message = json.loads(text)
        return (
            message.get("id") == self._sent and type(message.get("id")) is type(self._sent) and "method" not in message
        )
