"""Text as a terminal program wrote it, made plain: decoded, without escape sequences and control characters. Pure."""

from __future__ import annotations

_LONGEST_ESCAPE = 64


# ECMA-48: control sequences (CSI), control strings (OSC, DCS, SOS, PM, APC), other escapes; then
# the single controls, of which only tab and line feed may reach a terminal.
_STRING_END = "(?:\x07|\x1b\\\\|\x9c|$)"
_SINGLE = "\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
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
    """Return a line of a log as a terminal may be shown it: no escape sequence, no control character.

    Of a progress bar that went back with carriage returns, what was left standing remains.
    """
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.rsplit("\r", 1)[1] or line.rsplit("\r", 2)[-2]
    return without_controls(line)


def without_controls(text: str) -> str:
    """Return text without escape sequences and control characters, but for tabs and line feeds."""
    if text.isprintable():
        return text
    import re  # seldom needed, and half as long to import as `bgrun status` takes

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
    """Return the beginning of a line that was read so far, and what the next bytes may still change the meaning of.

    That is a character of which not all bytes are there, or an escape sequence.
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
    """Return log bytes as text; what is not UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")
