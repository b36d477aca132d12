"""Whether a live run seems to hang: nothing comes any more, or it asks a question that nobody can answer."""

from __future__ import annotations

from bgrun.logs import stream
from bgrun.system import files
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.store.masking import Mark

SILENT_S = 60.0
"""After how many seconds without output a run is told to be silent."""
_ASKED_S = 2.0
_LAST_BYTES = 512
_PROMPT = (
    r"(?i)(?:pass(?:word|phrase|code)[^:]*:|\[y(?:es)?/n(?:o)?[^\]]*\]\??:?|\(y(?:es)?/n(?:o)?[^)]*\)\??:?"
    r"|press (?:any key|enter|return)[^\n]*|username[^:\n]*:|continue\?|\?)\s*$"
)


def told(path: str, now: float, known: Sequence[Mark] = ()) -> str | None:
    """Return what makes a live run look as if it hung, or None.

    Args:
        path: its log.
        now: the time, in seconds since the epoch.
        known: the marks of its secrets.
    """
    silent_s = now - files.modified(path)
    if silent_s == float("-inf"):
        return None
    if silent_s >= _ASKED_S and (line := stream.last_line(path, known, _LAST_BYTES, unended=True)) and _is_prompt(line):
        return f"it seems to ask for input, which it cannot get: {line.strip()[-80:]}"
    if silent_s >= SILENT_S:
        return f"no output for {span(silent_s)}"
    return None


def _is_prompt(line: str) -> bool:
    import re  # seldom needed, and half as long to import as a look takes

    return re.search(_PROMPT, line) is not None
