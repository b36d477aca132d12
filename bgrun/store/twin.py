"""The same work twice: when a second start may join a live run instead of doing it again."""

from __future__ import annotations

import hashlib
import json

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.store import index, record
from bgrun.store.paths import RunFiles
from bgrun.system import git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import RenderedJob, Run


def key_of(job: RenderedJob, folder: str) -> str:
    """Return what two starts have in common that mean the same: script, parameters and the state of the work tree."""
    parts = [job.label, job.script, json.dumps(job.params)]
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text + b"\0" + git.state_of(folder)).hexdigest()


def find_twin(log_dir: str, job: RenderedJob) -> Run | None:
    """Return the newest live run that does the same work as a job with a `join_key`."""
    for run_id in index.of(log_dir).newest_first(job.label):
        with suppress(StorageError):
            known = record.read_meta(RunFiles(log_dir, run_id)) or {}
            if known.get("join_key") == job.join_key:
                run = record.read_run(log_dir, run_id)
                if run and run.live:
                    return run
    return None
