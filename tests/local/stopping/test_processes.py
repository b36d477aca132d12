"""Which processes belong to a run, on process tables made up for the purpose."""

from __future__ import annotations

from bgrun.local.stopping.processes import Ownership, members
from bgrun.system.process import Process

SUPERVISOR, LEADER, OTHER_LEADER = 10, 20, 30


def table(*rows: tuple[int, int, int]) -> dict[int, Process]:
    """Return a process table from pid, parent and session; the group is the session's."""
    return {pid: Process(pid, ppid, sid, sid, str(pid)) for pid, ppid, sid in rows}


def claimed(claim: Ownership, processes: dict[int, Process], marks: dict[int, str], writes: set[int]) -> list[int]:
    found = members(claim, processes, lambda pid: marks.get(pid, ""), lambda pid: pid in writes)
    return [one.pid for one in found]


BASE = ((1, 0, 1), (SUPERVISOR, 1, SUPERVISOR), (LEADER, SUPERVISOR, LEADER), (21, LEADER, LEADER))
SUBREAPED = Ownership("mine", "log", LEADER, ancestor=SUPERVISOR)


def test_the_leader_and_what_it_started() -> None:
    assert claimed(SUBREAPED, table(*BASE), {}, set()) == [LEADER, 21]


def test_a_process_that_left_the_session_and_lost_its_parent_is_found_by_its_mark() -> None:
    processes = table(*BASE, (40, SUPERVISOR, 40))
    assert claimed(SUBREAPED, processes, {40: "mine"}, set()) == [LEADER, 21, 40]


def test_without_a_mark_it_is_found_by_the_log_it_writes() -> None:
    processes = table(*BASE, (40, SUPERVISOR, 40))
    assert claimed(SUBREAPED, processes, {}, {40}) == [LEADER, 21, 40]


def test_in_a_plan_of_one_every_descendant_of_the_supervisor_is_the_runs() -> None:
    processes = table(*BASE, (40, SUPERVISOR, 40), (41, 40, 40))
    assert claimed(SUBREAPED._replace(whole=True), processes, {}, set()) == [LEADER, 21, 40, 41]


def test_another_run_of_the_plan_is_left_alone() -> None:
    processes = table(*BASE, (OTHER_LEADER, SUPERVISOR, OTHER_LEADER), (31, OTHER_LEADER, OTHER_LEADER))
    marks = {LEADER: "mine", 21: "mine", OTHER_LEADER: "other", 31: "other"}
    assert claimed(SUBREAPED, processes, marks, set()) == [LEADER, 21]


def test_a_run_that_the_job_started_is_another_run_with_all_below_it() -> None:
    processes = table(*BASE, (50, SUPERVISOR, 50), (51, 50, 51), (52, 51, 51))
    marks = {50: "other", 51: "other"}
    assert claimed(SUBREAPED._replace(whole=True), processes, marks, set()) == [LEADER, 21]


def test_nobody_outside_the_supervisors_descendants_is_ever_a_candidate() -> None:
    processes = table(*BASE, (60, 1, LEADER), (61, 1, 61))
    assert claimed(SUBREAPED, processes, {61: "mine"}, {61}) == [LEADER, 21]


def test_with_the_leader_gone_and_no_supervisor_only_marks_prove_anything() -> None:
    processes = table((1, 0, 1), (21, 1, LEADER), (22, 1, LEADER))
    assert claimed(Ownership("mine", "log", 0), processes, {21: "mine"}, set()) == [21]


def test_the_inhibitor_is_not_part_of_the_run() -> None:
    processes = table(*BASE, (70, SUPERVISOR, 70))
    claim = SUBREAPED._replace(whole=True, not_these=frozenset({70}))
    assert claimed(claim, processes, {}, set()) == [LEADER, 21]


def test_a_zombie_is_nobody() -> None:
    processes = table(*BASE)
    processes[21] = processes[21]._replace(zombie=True)
    assert claimed(SUBREAPED, processes, {}, set()) == [LEADER]


def test_without_its_supervisor_a_descendant_in_a_session_of_its_own_is_known_by_descent_alone() -> None:
    processes = table((1, 0, 1), (LEADER, 1, LEADER), (21, LEADER, LEADER), (22, 21, 22), (23, 22, 23))
    assert claimed(Ownership("mine", "log", LEADER), processes, {}, set()) == [LEADER, 21, 22, 23]


def test_of_several_runs_an_unmarked_process_is_known_by_its_session_once_the_script_was_reaped() -> None:
    processes = table((1, 0, 1), (SUPERVISOR, 1, SUPERVISOR), (21, SUPERVISOR, LEADER), (31, SUPERVISOR, OTHER_LEADER))
    assert claimed(SUBREAPED._replace(reaped=True, since="20"), processes, {}, set()) == [21]


def test_a_session_proves_nothing_once_its_number_is_the_pid_of_somebody_else() -> None:
    processes = table((1, 0, 1), (LEADER, 1, LEADER), (21, LEADER, LEADER))
    reaped = Ownership("mine", "log", LEADER, reaped=True, since="19")
    assert claimed(reaped, processes, {}, set()) == []
    assert claimed(reaped._replace(since="20"), processes, {}, set()) == [21], "it is still the zombie of the script"


def test_who_began_before_the_script_is_no_part_of_the_run_for_its_session_or_log() -> None:
    processes = table((1, 0, 1), (19, 1, LEADER), (18, 1, 18), (40, 1, 40))
    assert claimed(Ownership("mine", "log", LEADER, reaped=True, since="20"), processes, {}, {18, 40}) == [40]


def test_starts_are_compared_as_numbers() -> None:
    processes = table((100, 1, 100), (99, 1, 99))
    assert claimed(Ownership("mine", "log", LEADER, reaped=True, since="99.5"), processes, {}, {99, 100}) == [100]
