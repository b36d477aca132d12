"""Which hooks a run's end calls for, and what they become."""

from __future__ import annotations

import pytest

from bgrun.local import hooks
from bgrun.model import Hook, Run

ALL = (Hook("finish", "a"), Hook("success", "b"), Hook("failure", "c"))


def run(state: str) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x_1", "label": "x", "state": state, "exit_code": 3}
    return Run(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "called"),
    [("succeeded", "ab"), ("failed", "ac"), ("timed_out", "ac"), ("stopped", "a")],
)
def test_the_end_calls_for(state: str, called: str) -> None:
    assert "".join(hook.command for hook in hooks.due(ALL, state)) == called


def test_a_notification_takes_the_program_there_is_and_none_is_no_error() -> None:
    notify = Hook("finish", notify=True)
    words = hooks.command(notify, run("failed"), lambda name: f"/bin/{name}" if name == "notify-send" else None)
    assert words[:3] == ["/bin/notify-send", "--app-name=bgrun", "--urgency=critical"]
    assert words[-2:] == ["x failed", "x_1: exit 3, 0 s"]
    assert hooks.command(notify, run("failed"), lambda name: name if name == "osascript" else None)[0] == "osascript"
    assert hooks.command(notify, run("failed"), lambda _: None) == []


def test_absent_values_are_empty_variables() -> None:
    told = hooks.variables(run("failed"))
    assert (told["BGRUN_STATE"], told["BGRUN_EXIT_CODE"], told["BGRUN_SIGNAL"]) == ("failed", "3", "")
