"""The soak's own judgement: it sees a lie where there is one, and does the same again from the same seed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS = str(Path(__file__).resolve().parent.parent / "benchmarks")

pytestmark = pytest.mark.skipif(not Path(BENCHMARKS, "soak.py").exists(), reason="benchmarks/ is not in an sdist")


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A trial in a folder of its own, whose notes a test writes by hand."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from soaking.ground import Ground, Trial

    return Trial(Ground(tmp_path, seed=1), "an act", 7)


def lies(trial: Any) -> dict[str, int]:
    return {kind: len(found) for kind, found in trial.ground.lies.items() if found}


def noted(trial: Any, *lines: str) -> None:
    trial.notes_file.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("spans", "most", "seen"),
    [
        ([(0.0, 2.0), (1.0, 3.0)], 1, True),
        ([(0.0, 1.0), (1.0, 2.0)], 1, False),
        ([(0.0, 9.0), (1.0, 2.0), (3.0, 4.0)], 2, False),
        ([(0.0, 9.0), (1.0, 4.0), (3.0, 5.0)], 2, True),
    ],
)
def test_too_many_at_once_are_seen(trial: Any, spans: list[tuple[float, float]], most: int, seen: bool) -> None:
    from soaking.groups import at_once

    at_once(trial, spans, most)
    assert lies(trial) == ({"too many at once": 1} if seen else {})


@pytest.mark.parametrize(
    ("state", "code", "notes", "kind"),
    [
        ("succeeded", 0, ["begin a 0 1.0 5", "end a 0 2.0 5"], ""),
        ("succeeded", 0, ["begin a 3 1.0 5", "end a 3 2.0 5"], "wrong verdicts"),
        ("succeeded", 0, ["begin a 0 1.0 5"], "wrong verdicts"),
        ("failed", 3, ["begin a 3 1.0 5", "end a 3 2.0 5"], ""),
        ("failed", 1, ["begin a 0 1.0 5", "end a 0 2.0 5"], "wrong verdicts"),
        ("skipped", None, ["begin a 0 1.0 5"], "wrong verdicts"),
        ("skipped", None, [], ""),
        ("lost", None, ["begin a 0 1.0 5", "end a 0 2.0 5"], "lost with a witness"),
    ],
)
def test_a_result_that_the_job_contradicts_is_seen(
    trial: Any, runs_of: Callable[..., Any], state: str, code: int | None, notes: list[str], kind: str
) -> None:
    noted(trial, *notes)
    trial.stands_by_its_notes(runs_of(state, code), "a")
    assert lies(trial) == ({kind: 1} if kind else {})


@pytest.fixture
def runs_of() -> Callable[..., Any]:
    from bgrun.model import Run

    def make(state: Any, code: int | None) -> Run:
        values: dict[str, Any] = dict.fromkeys(Run._fields[:19])
        return Run(**{**values, "run_id": "a_1", "state": state, "exit_code": code})

    return make


def test_what_began_before_what_it_needs_is_seen(trial: Any) -> None:
    from soaking.groups import in_order

    noted(trial, "begin a 0 1.0 5", "begin b 0 1.5 6", "end a 0 2.0 5", "end b 0 2.5 6")
    in_order(trial, ["a", "b"], {"b": ["a"]}, 0)
    assert lies(trial) == {"wrong verdicts": 1}


def test_a_lie_comes_with_what_does_its_act_again(trial: Any) -> None:
    trial.lie("leftovers", "something lives")
    assert "--only 'an act' --seed 1 --at 7" in trial.ground.lies["leftovers"][0]


def test_the_same_seed_is_the_same_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import soak

    assert soak.drawn(5, 300, "", None) == soak.drawn(5, 300, "", None) != soak.drawn(6, 300, "", None)
    assert soak.drawn(5, 300, "group", 12) == [(12, "group")]
    assert {name for _, name in soak.drawn(5, 5000, "", None)} == set(soak.ACTS)


def test_a_wrong_result_ends_the_soak_with_1(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import soak

    monkeypatch.setattr(sys, "argv", ["soak.py", "--only", "nothing", "--seed", "1", "--at", "0"])
    monkeypatch.setitem(soak.ACTS, "nothing", soak.Act(1, 1, lambda trial: trial.lie("wrong verdicts", "so it says")))
    assert soak.main() == 1
    assert "wrong verdicts: 1" in capsys.readouterr().out


@pytest.mark.parametrize("dice", [0.0, 0.9])
def test_a_job_is_started_here_and_by_the_command_line(
    trial: Any, monkeypatch: pytest.MonkeyPatch, dice: float
) -> None:
    from soaking import singles

    monkeypatch.setattr(trial.rng, "random", lambda: dice)
    found = singles.start(trial, trial.job("one", 0.0, 3))
    run = trial.judge(found.run_id, [("failed", 3)])
    assert (run.state, run.exit_code) == ("failed", 3)
    assert lies(trial) == {}
