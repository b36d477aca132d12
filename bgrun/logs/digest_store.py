"""A digest that is kept with its run: made at the first look after the end, and the same ever after.

Beside it stands which end it tells of: that of a run whose record says something else by now is none. It holds
what may be shown, no secret in clear, and is believed only as far as the run's meta is: a file of another
owner, or one that others may write to, is none.
"""

from __future__ import annotations

import json
import os

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.logs.digest import Digest
from bgrun.parsers.problem_matchers import Problem
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.model import Run
    from bgrun.store.paths import RunPaths

VERSION = 1
"""Which form they have; one of another form is made anew."""
_KEPT = ("counts", "problems", "more", "head", "tail", "source", "note")


def read(at: RunPaths, run: Run) -> Digest | None:
    """Return the digest that is kept of a run, or None where there is none that can be believed."""
    if not is_kept(run):
        return None
    with suppress(StorageError, ValueError, TypeError, KeyError, AttributeError):
        data = files.read_own(at.digest, files.owner(at.meta))
        found = json.loads(data) if data else {}
        if found.get("version") == VERSION and found.get("of") == _end(run):
            return _digest(run, found["digest"])
    return None


def write(at: RunPaths, digest: Digest) -> None:
    """Keep the digest of a run, if another look would find the same; where that cannot be, it is done without."""
    if is_kept(digest.run) and digest.settled and files.owner(at.meta) == os.geteuid():
        kept = {key: getattr(digest, key) for key in _KEPT}
        kept["problems"] = [tuple(one) for one in digest.problems]
        text = json.dumps({"version": VERSION, "of": _end(digest.run), "digest": kept}, indent=1)
        with suppress(OSError, StorageError):
            files.replace(at.digest, files.unique(at.hidden("digest")), text.encode())


def is_kept(run: Run) -> bool:
    """Whether the digest of a run is kept: its end was seen, and it has ended; pure."""
    return not run.live and run.state != "lost" and run.exit_code is not None


def _end(run: Run) -> list[Any]:
    return [run.run_id, run.state, run.exit_code, run.started_at, run.ended_at]


def _digest(run: Run, raw: dict[str, Any]) -> Digest:
    problems = tuple(Problem(*one) for one in raw["problems"])
    head, tail = (tuple(map(str, raw[key])) for key in ("head", "tail"))
    counts = raw["counts"] and {str(what): int(count) for what, count in raw["counts"].items()}
    return Digest(run, counts, problems, int(raw["more"]), head, tail, source=str(raw["source"]), note=raw["note"])
