"""The plan on its way to the supervisor."""

from __future__ import annotations

from bgrun.local.launch.manifest import Plan, pack, unpack
from bgrun.plan import GroupPlan, Hook, Limits, RenderedJob, Retention, RunPlan


def test_a_plan_arrives_as_it_was_sent() -> None:
    odd = b"caf\xe9 \n".decode("utf-8", "surrogateescape")
    limits = Limits(1.5, "SIGINT", 0.5, (0, 3))
    job = RenderedJob("a", "", odd, "bash", "/", limits=limits, retention=Retention(3, None), hooks=(Hook("finish"),))
    run = RunPlan("a_20260101_000000", job, {"cmd": odd, "ts": ""}, ("b_20260101_000000",), "why")
    group = GroupPlan("g_20260101_000000", "g", {"x": "y"}, 2, True, Retention(None, 60.0))
    for plan in (Plan("/logs", (run, run), group, ("p",)), Plan("/logs", (run,))):
        assert unpack(pack(plan)) == plan
