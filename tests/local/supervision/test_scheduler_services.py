"""Services in the scheduler: random plans, whose runs end in random ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bgrun.local.supervision.scheduler import Order, Step, decide, stop_in_order
from bgrun.store.state import NOT_NEEDED

if TYPE_CHECKING:
    from bgrun.model import State
    from bgrun.plan import Condition, Kept

HOLDS: tuple[Condition, ...] = ("started", "ready")


class Behavior(NamedTuple):
    """What a run does once it is launched.

    ends: the final state of a job. becomes_ready: of a service, else it fails then. dies: a ready service fails at
    the next chance.
    """

    ends: State = "succeeded"
    becomes_ready: bool = True
    dies: bool = False


class Case(NamedTuple):
    """A plan and what its runs do."""

    order: Order
    behavior: dict[str, Behavior]
    waived: frozenset[str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 7))
    names = [f"r{place}" for place in range(count)]
    only_services = draw(st.booleans()) and draw(st.booleans())
    services: dict[str, Kept] = {}
    needs, conditions, behavior = {}, {}, {}
    for place, name in enumerate(names):
        if only_services or draw(st.booleans()):
            services[name] = draw(st.sampled_from(["", "jobs"]))
        before = draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=3)) if place else []
        kinds: list[Condition] = [
            draw(st.sampled_from(HOLDS if one in services else ("started", "completed", "succeeded"))) for one in before
        ]
        if before:
            needs[name], conditions[name] = tuple(before), tuple(kinds)
        ends = draw(st.sampled_from(["succeeded", "succeeded", "failed", "timed_out", "stopped"]))
        behavior[name] = Behavior(ends, draw(st.booleans()) or draw(st.booleans()), draw(st.integers(0, 3)) == 0)
    waived = frozenset(draw(st.lists(st.sampled_from(names), max_size=1)))
    order = Order(needs, draw(st.none() | st.integers(1, 3)), draw(st.booleans()), conditions, services)
    return Case(order, behavior, waived)


class Simulation:
    """Carries a plan out as a supervisor does, and checks each step."""

    def __init__(self, case: Case, draw: st.DataObject) -> None:
        self.case, self.order, self.draw = case, case.order, draw
        self.states: dict[str, State] = dict.fromkeys(case.behavior, "queued")
        self.waived: set[str] = set()
        self.ready: set[str] = set()
        self.stopping: dict[str, bool] = {}
        self.log: list[str] = []
        for one in case.waived:
            self.end(one, "skipped", waived=True)

    def end(self, run_id: str, state: State, *, waived: bool = False) -> None:
        self.states[run_id] = state
        self.ready.discard(run_id)
        self.stopping.pop(run_id, None)
        if waived:
            self.waived.add(run_id)
        self.log.append(f"{state} {run_id}")

    def apply(self, step: Step) -> None:
        for run_id in step.launch:
            self.check_launch(run_id)
            self.states[run_id] = "running"
            self.log.append(f"launch {run_id}")
            if "ready" not in self.conditions_on(run_id) and run_id in self.order.services:
                self.ready.add(run_id)
        for run_id in step.skip:
            self.end(run_id, "skipped")
        for run_id in step.waive:
            self.end(run_id, "skipped", waived=True)
        for run_id in step.stop:
            self.stopping.setdefault(run_id, False)
        for run_id in step.release:
            self.check_release(run_id)
            self.stopping.setdefault(run_id, True)

    def conditions_on(self, run_id: str) -> set[str]:
        return {how for one in self.order.needs for before, how in self.order.pairs(one) if before == run_id}

    def check_launch(self, run_id: str) -> None:
        assert self.states[run_id] == "queued"
        for one, how in self.order.pairs(run_id):
            now = self.states[one]
            held = {
                "succeeded": now == "succeeded",
                "completed": now not in ("queued", "running"),
                "started": now not in ("queued", "skipped"),
                "ready": one in self.ready and now == "running",
            }
            assert held[how], f"{run_id} was launched although {one} is {now}, not {how}"
        if run_id not in self.order.services and self.order.max_parallel:
            jobs = [one for one, now in self.states.items() if now == "running" and one not in self.order.services]
            assert len(jobs) < self.order.max_parallel

    def users_of(self, service: str) -> list[str]:
        return [
            one
            for one in self.order.needs
            if (service, "ready") in self.order.pairs(one) or (service, "started") in self.order.pairs(one)
        ]

    def check_release(self, service: str) -> None:
        assert service in self.order.services
        assert not [one for one in self.users_of(service) if self.states[one] == "running"], self.log

    def event(self) -> bool:
        """Let one thing happen that a run does by itself; return whether there was one."""
        running = [one for one, now in self.states.items() if now == "running"]
        able = [one for one in running if one not in self.order.services or one in self.stopping or self.has_news(one)]
        if not able:
            return False
        run_id = self.draw.draw(st.sampled_from(able))
        does = self.case.behavior[run_id]
        if run_id in self.stopping:
            self.end(run_id, "stopped", waived=self.stopping[run_id])
        elif run_id not in self.order.services:
            self.end(run_id, does.ends)
        elif run_id not in self.ready and does.becomes_ready:
            self.ready.add(run_id)
        else:
            self.end(run_id, "failed")
        return True

    def has_news(self, service: str) -> bool:
        return service not in self.ready or self.case.behavior[service].dies

    def run(self) -> None:
        for _ in range(200):
            step = decide(self.states, self.order, self.waived, (), self.ready)
            self.apply(step)
            changed = step.launch or step.skip or step.waive
            if step.done:
                return
            assert self.event() or changed, f"stands still: {self.states} {self.log}"
        raise AssertionError(f"does not end: {self.log}")


@given(cases(), st.data())
def test_every_plan_with_services_ends_and_no_run_comes_before_its_condition(case: Case, data: st.DataObject) -> None:
    simulation = Simulation(case, data)
    simulation.run()
    assert not {"queued", "running"} & set(simulation.states.values())


@given(cases(), st.data())
def test_no_service_outlives_its_last_need(case: Case, data: st.DataObject) -> None:
    simulation = Simulation(case, data)
    simulation.run()
    step = decide(simulation.states, simulation.order, simulation.waived, (), simulation.ready)
    assert step == Step(done=True) or (case.order.fail_fast and step.done)


@given(cases(), st.data())
def test_without_faults_services_spoil_nothing(case: Case, data: st.DataObject) -> None:
    fine = {run_id: Behavior() for run_id in case.behavior}
    simulation = Simulation(case._replace(behavior=fine, waived=frozenset()), data)
    simulation.run()
    ended = {state for run_id, state in simulation.states.items() if run_id not in simulation.waived}
    assert ended <= {"succeeded"}


@given(cases())
def test_a_stop_of_everything_begins_with_jobs_and_leaves_nothing(case: Case) -> None:
    states: dict[str, State] = dict.fromkeys(case.behavior, "running")
    while "running" in states.values():
        ending = stop_in_order(states, case.order)
        assert ending
        for run_id in ending:
            users = [
                one
                for one in case.order.needs
                for before, how in case.order.pairs(one)
                if before == run_id and how in HOLDS
            ]
            assert run_id not in case.order.services or not [one for one in users if states[one] == "running"]
        states |= dict.fromkeys(ending, "stopped")


CHAIN = Order(
    {"web": ("db",), "e2e": ("web",)},
    max_parallel=1,
    conditions={"web": ("ready",), "e2e": ("ready",)},
    services={"db": "", "web": ""},
)


def test_services_do_not_count_against_max_parallel_and_stop_in_order() -> None:
    states: dict[str, State] = {"db": "running", "web": "running", "e2e": "queued"}
    assert decide(states, CHAIN, ready=("db", "web")).launch == ("e2e",)
    states["e2e"] = "succeeded"
    assert decide(states, CHAIN, ready=("db", "web")).release == ("web",)
    states["web"] = "stopped"
    assert decide(states, CHAIN, ("web",), ready=("db",)).release == ("db",)
    states["db"] = "stopped"
    assert decide(states, CHAIN, ("web", "db")) == Step(done=True)


def test_what_needs_a_service_that_failed_is_skipped_at_once_and_what_that_needs_is_released() -> None:
    states: dict[str, State] = {"db": "running", "web": "failed", "e2e": "queued"}
    step = decide(states, CHAIN, ready=("db",))
    assert step.skip == {"e2e": "dependency web failed"}
    assert step.release == ("db",)


def test_a_service_that_nothing_needs_any_more_is_not_started() -> None:
    order = CHAIN._replace(
        needs={"e2e": ("build", "web")}, conditions={"e2e": ("succeeded", "ready")}, services={"web": ""}
    )
    states: dict[str, State] = {"build": "failed", "web": "queued", "e2e": "queued"}
    step = decide(states, order)
    assert step.skip == {"e2e": "dependency build failed"}
    assert step.waive == {"web": NOT_NEEDED}
    assert step.launch == ()


def test_a_requested_service_runs_until_the_last_job_or_until_it_is_stopped() -> None:
    order = Order(services={"web": "jobs"})
    assert decide({"web": "running", "lint": "running"}, order).release == ()
    assert decide({"web": "running", "lint": "succeeded"}, order).release == ("web",)
    assert decide({"web": "running"}, Order(services={"web": "stop"})) == Step()
