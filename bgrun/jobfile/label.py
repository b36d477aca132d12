"""What a label may be; pure."""

from __future__ import annotations

from bgrun.errors import UsageError

LONGEST = 100
_MARKS = str.maketrans("", "", "._-")


def check_label(text: str, kind: str = "label") -> str:
    """Return the label, which is the beginning of file names, or another name (`kind`) with the same rules.

    Raises:
        UsageError: it is empty, too long, or holds anything but letters, digits, `.`, `_` and `-`.
    """
    if _is_label(text) and len(text) <= LONGEST:
        return text
    if not text:
        raise UsageError(f"the {kind} is empty", "give it a name, such as: tests")
    if len(text) > LONGEST:
        raise UsageError(f"the {kind} {text[:20]}… has {len(text)} characters", f"at most {LONGEST} are allowed")
    import re

    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("_").lstrip(".-")
    hint = f"for example: {cleaned}" if cleaned else "for example: tests"
    allowed = "letters, digits, `.`, `_` and `-`, and begins with none of `.` and `-`"
    raise UsageError(f"{text!r} is no {kind}: it holds only {allowed}", hint)


def _is_label(text: str) -> bool:
    rest = text.translate(_MARKS)
    return bool(text) and text.isascii() and text[0] not in ".-" and (not rest or rest.isalnum())
