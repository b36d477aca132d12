"""Cache the digest of a finished run in its files: reading a large log again would take seconds.

A cached digest names the result that it belongs to, and is valid only while the run still has that result. It holds
masked text only. A file that has another owner than the run's meta, or that others may write to, is ignored.
"""

from __future__ import annotations

import json
import os

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.logs.digest import Digest
from bgrun.logs.history.comparison import Comparison, ToolRun
from bgrun.logs.outputs import OutputValue
from bgrun.parsers.shape import Problem
from bgrun.system import files, reading
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.model import Run
    from bgrun.store.paths import RunPaths

VERSION = 2
"""The version of the format; a digest of another version is ignored."""
_KEPT = (
    "counts", "problems", "more", "head", "tail", "source", "note", "unrecognized", "wrapped", "outputs",
    "tools", "silent", "complete", "clean", "made_by", "comparison", "flaky", "unclaimed",
)  # fmt: skip


def read(at: RunPaths, run: Run) -> Digest | None:
    """Return the cached digest of a run, or None if there is no valid one."""
    if not is_kept(run):
        return None
    with suppress(StorageError, ValueError, TypeError, KeyError, AttributeError):
        data = reading.read_own(at.digest, reading.owner(at.meta))
        found = json.loads(data) if data else {}
        if found.get("version") == VERSION and found.get("of") == _end(run):
            return _digest(run, found["digest"])
    return None


def write(at: RunPaths, digest: Digest) -> None:
    """Cache the digest of a run unless its run may still change; a failure to write is ignored."""
    if is_kept(digest.run) and reading.owner(at.meta) == os.geteuid():
        kept = {key: getattr(digest, key) for key in _KEPT}
        for key in ("problems", "silent", "tools"):
            kept[key] = [tuple(one) for one in kept[key]]
        text = json.dumps({"version": VERSION, "of": _end(digest.run), "digest": kept}, indent=1)
        with suppress(OSError, StorageError), Change(at.log_dir, at.run_id):
            files.replace(at.digest, files.unique(at.hidden("digest")), text.encode())


def is_kept(run: Run) -> bool:
    """Return whether the digest of a run is cached: it has finished, and its exit code is known."""
    return not run.live and run.state != "lost" and run.exit_code is not None


def _end(run: Run) -> list[Any]:
    return [run.run_id, run.state, run.exit_code, run.started_at, run.ended_at]


def _digest(run: Run, raw: dict[str, Any]) -> Digest:
    problems = tuple(Problem(*one) for one in raw["problems"])
    head, tail = (tuple(map(str, raw[key])) for key in ("head", "tail"))
    counts = raw["counts"] and {str(what): int(count) for what, count in raw["counts"].items()}
    more, unrecognized = int(raw["more"]), int(raw["unrecognized"])
    found = Digest(run, counts, problems, more, head, tail, source=str(raw["source"]), note=raw["note"])
    outputs = tuple(_output(*one) for one in raw.get("outputs", ()))
    found = found._replace(unrecognized=unrecognized, wrapped=bool(raw["wrapped"]), outputs=outputs)
    found = found._replace(unclaimed=int(raw.get("unclaimed", 0)))
    return _with_comparison(found, raw) if "tools" in raw else found


def _with_comparison(found: Digest, raw: dict[str, Any]) -> Digest:
    compared = raw["comparison"]
    return found._replace(
        tools=tuple(ToolRun(*one) for one in raw["tools"]),
        silent=tuple(Problem(*one) for one in raw["silent"]),
        complete=bool(raw["complete"]),
        clean=bool(raw["clean"]),
        made_by=str(raw["made_by"]),
        comparison=compared and Comparison(str(compared[0]), tuple(map(int, compared[1])), compared[2]),
        flaky=tuple((int(place), str(run_id)) for place, run_id in raw["flaky"]),
    )


def _output(name: str, value: Any, more: int, note: str) -> OutputValue:
    return OutputValue(name, tuple(value) if isinstance(value, list) else value, more, note)
