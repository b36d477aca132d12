"""A stalled run is one that prints nothing for long, or that asks a question."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import stall
from bgrun.store import masking

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0


def reason(folder: Path, text: str, silent_s: float, secret: str = "") -> str | None:
    log = folder / "x.log"
    log.write_text(text)
    os.utime(log, (NOW - silent_s, NOW - silent_s))
    known = masking.parse(masking.marks([("TOKEN", secret)])) if secret else ()
    return stall.reason(str(log), NOW, known)


@pytest.mark.parametrize(
    "prompt",
    [
        "Password:",
        "Enter passphrase for key 'x': ",
        "Overwrite? [y/N]",
        "Continue?",
        "(yes/no)?",
        "Press any key to go on",
    ],
)
def test_a_prompt_without_an_answer_is_a_stall(tmp_path: Path, prompt: str) -> None:
    found = reason(tmp_path, f"building\n{prompt}", 3.0)
    assert found == f"waiting for input (standard input is /dev/null): {prompt.strip()}"


@pytest.mark.parametrize("text", ["", "Is it done?\n", "Password:\n", "building", "Password: given"])
def test_what_is_no_prompt_is_a_stall_only_after_a_minute(tmp_path: Path, text: str) -> None:
    assert reason(tmp_path, text, 3.0) is None
    assert reason(tmp_path, text, stall.SILENT_S - 0.1) is None
    assert reason(tmp_path, text, 90.0) == "no output for 1m30s"


def test_a_question_that_was_just_printed_may_be_answered(tmp_path: Path) -> None:
    assert reason(tmp_path, "Password:", 1.0) is None


def test_a_prompt_shows_no_secret(tmp_path: Path) -> None:
    found = reason(tmp_path, "user correct-horse, Password:", 3.0, "correct-horse")
    assert found == "waiting for input (standard input is /dev/null): user ***, Password:"


def test_a_run_without_a_log_is_no_stall(tmp_path: Path) -> None:
    assert stall.reason(str(tmp_path / "none.log"), NOW) is None
