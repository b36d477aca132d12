"""Turn the output of terminal programs into plain text without escape sequences and control characters. Pure."""

from __future__ import annotations

_LONGEST_ESCAPE = 64


# ECMA-48: control sequences (CSI), control strings (OSC, DCS, SOS, PM, APC), other escapes; then
# the single controls, of which only tab and line feed may reach a terminal.
_STRING_END = "(?:\x07|\x1b\\\\|\x9c|$)"
# Many in a row are one match, unless one of them may begin a sequence: megabytes of NUL took 20 times as long.
_SINGLE = "\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]+|[\x80-\x9f]"
_ESCAPE = f"(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?{_STRING_END}|{_SINGLE}"
# Terminals differ in whether they know the C1 controls (one character for ESC and another), and control
# strings at all; one that has no end hides what follows it, or nothing.
_READINGS: tuple[str, ...] = (
    f"\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_].*?{_STRING_END}|{_SINGLE}",
    f"(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]|{_SINGLE}",
    f"\x1b\\[[0-?]*[ -/]*[@-~]|{_SINGLE}",
)
_READINGS += tuple(reading.replace("|$)", ")") for reading in (_ESCAPE, _READINGS[0]))


def clean(line: str) -> str:
    """Return a line of a log without escape sequences, control characters and overwritten text.

    Of a progress bar that uses carriage returns, the last state remains.
    """
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.rsplit("\r", 1)[1] or line.rsplit("\r", 2)[-2]
    return without_controls(line)


def without_controls(text: str) -> str:
    """Return text without escape sequences and control characters, but for tabs and line feeds."""
    if text.isprintable():
        return text
    import re  # seldom needed, and slow to import

    return re.sub(_ESCAPE, "", text)


def readings(text: str) -> list[str]:
    """Return a text as terminals of different kinds show it: the first is `without_controls`, each is there once."""
    first = without_controls(text)
    if first == text:
        return [text]
    import re

    differ = re.search("[\x80-\x9f]|\x1b[\\]PX^_]", text)
    return list(dict.fromkeys([first, *(re.sub(reading, "", text) for reading in _READINGS if differ)]))


def settled(data: bytes) -> tuple[bytes, bytes]:
    """Split the part of a line that was read so far: bytes with a final meaning, and the rest.

    The rest is an incomplete UTF-8 character or an escape sequence, which the next bytes may complete.
    """
    cut = len(data)
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            cut -= back if byte >= 0xC0 and back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
            break
    escape = data.rfind(b"\x1b", max(0, len(data) - _LONGEST_ESCAPE))
    if escape >= 0 and not any(0x40 <= byte <= 0x7E and byte != 0x5B for byte in data[escape + 1 :]):
        cut = min(cut, escape)
    return data[:cut], data[cut:]


def decode(data: bytes) -> str:
    """Return log bytes as text; invalid UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")
