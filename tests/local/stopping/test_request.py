"""How long a stop may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgrun.local.stopping import policy, request
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system import files

if TYPE_CHECKING:
    from pathlib import Path


def test_the_longest_grace_period_of_a_group_bounds_its_stop(tmp_path: Path) -> None:
    graces = {"a_20260101_000000": "1", "b_20260101_000000": "60", "c_20260101_000000": "2"}
    for run_id, grace in graces.items():
        at = RunPaths(str(tmp_path), run_id)
        files.replace(at.meta, at.hidden("meta.new"), meta.pack({"run_id": run_id, "stop_grace_s": grace}))
    own = RunPaths(str(tmp_path), "g_20260101_000000")
    facts = {"run_id": own.run_id, "members": " ".join(graces), "stop_grace_s": "10"}
    files.replace(own.meta, own.hidden("meta.new"), meta.pack(facts))
    run = record.existing(own)
    assert request._bound_s(Store(own.log_dir), run, facts) >= 60 + policy.SUSPEND_S + policy.KILL_S
