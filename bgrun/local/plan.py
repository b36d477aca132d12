"""A plan: runs with their order, as it is handed to the supervisor; pure pack and unpack."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bgrun.model import Limits, Retention


class RunPlan(NamedTuple):
    """One run to launch. `facts` are the lines of its meta that are known before it starts."""

    run_id: str
    label: str
    facts: dict[str, str]
    limits: Limits = Limits()
    inhibit_sleep: bool = False
    retention: Retention = Retention()


class GroupPlan(NamedTuple):
    """The group's own run, whose log is the schedule's events and whose exit is the verdict."""

    run_id: str
    label: str
    facts: dict[str, str]
    max_parallel: int | None = None
    fail_fast: bool = False
    retention: Retention = Retention()


class Plan(NamedTuple):
    """What one supervisor is to do. `module_path` is where it may import psutil from, off Linux."""

    log_dir: str
    runs: tuple[RunPlan, ...]
    group: GroupPlan | None = None
    module_path: tuple[str, ...] = ()


def pack(plan: Plan) -> bytes:
    """Return a plan as bytes for the supervisor's standard input."""
    return json.dumps(plan).encode("utf-8", "surrogateescape")


def unpack(data: bytes) -> Plan:
    """Return the plan that `pack` was given."""
    log_dir, runs, group, module_path = json.loads(data)
    return Plan(
        log_dir, tuple(_run(*run) for run in runs), _group(*group) if group else None, tuple(module_path)
    )


def _run(run_id: str, label: str, facts: dict[str, str], limits: Any, awake: bool, retention: Any) -> RunPlan:
    timeout_s, stop_signal, grace_s, codes = limits
    bounds = Limits(timeout_s, stop_signal, grace_s, tuple(codes))
    return RunPlan(run_id, label, facts, bounds, awake, Retention(*retention))


def _group(*fields: Any) -> GroupPlan:
    return GroupPlan(*fields[:-1], retention=Retention(*fields[-1]))
