"""Detect a stalled run: no output for long, or a prompt that nobody can answer."""

from __future__ import annotations

from bgrun.logs import stream
from bgrun.system import reading
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.store.masking import Mark

SILENT_S = 60.0
"""The seconds without output after which a run is reported as stalled."""
_ASKED_S = 2.0
_LAST_BYTES = 512
_PROMPT = (
    r"(?i)(?:pass(?:word|phrase|code)[^:]*:|\[y(?:es)?/n(?:o)?[^\]]*\]\??:?|\(y(?:es)?/n(?:o)?[^)]*\)\??:?"
    r"|press (?:any key|enter|return)[^\n]*|username[^:\n]*:|continue\?|\?)\s*$"
)


def reason(path: str, now: float, known: Sequence[Mark] = ()) -> str | None:
    """Return why an active run seems stalled, or None.

    Args:
        path: its log.
        now: the time, in seconds since the epoch.
        known: the marks of its secrets.
    """
    silent_s = now - reading.modified(path)
    if silent_s == float("-inf"):
        return None
    if silent_s >= _ASKED_S and (line := stream.last_line(path, known, _LAST_BYTES, unended=True)) and _is_prompt(line):
        return f"waiting for input (standard input is /dev/null): {line.strip()[-80:]}"
    if silent_s >= SILENT_S:
        return f"no output for {span(silent_s)}"
    return None


def _is_prompt(line: str) -> bool:
    import re  # seldom needed, and slow to import

    return re.search(_PROMPT, line) is not None
