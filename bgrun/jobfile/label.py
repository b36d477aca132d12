"""Check labels, which are the beginnings of file names. Pure; every start imports it."""

from __future__ import annotations

from bgrun.errors import UsageError

LONGEST = 100
_MARKS = str.maketrans("", "", "._-")


def check_label(text: str, kind: str = "label") -> str:
    """Return a label, or another name (`kind`) with the same rules, if it is valid.

    Raises:
        UsageError: it is empty, too long, or contains anything but letters, digits, '.', '_' and '-'.
    """
    if _is_label(text) and len(text) <= LONGEST:
        return text
    if not text:
        raise UsageError(f"empty {kind}", "give it a name, such as 'tests'")
    if len(text) > LONGEST:
        raise UsageError(f"{kind} '{text[:20]}…' has {len(text)} characters", f"use at most {LONGEST}")
    import re

    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("_").lstrip(".-")
    allowed = "use letters, digits, '.', '_' and '-', not starting with '.' or '-'"
    raise UsageError(f"invalid {kind} {text!r}: {allowed}", f"try {cleaned or 'tests'!r}")


def _is_label(text: str) -> bool:
    rest = text.translate(_MARKS)
    return bool(text) and text.isascii() and text[0] not in ".-" and (not rest or rest.isalnum())
