"""Fault 8, secrets: their values are in no meta, script, JSON or shown log, and reach the job all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.runs import masks

if TYPE_CHECKING:
    from tests.conftest import Cli

TOKEN, KEY, OUTER = "tok-4711-secret", "line-one-secret\nline-two-secret", "outer-secret"


@pytest.fixture
def deploy(bg: Cli) -> Cli:
    (bg.folder / ".env").write_text(f"TOKEN={TOKEN}\nPLAIN=plain\n")
    bg.jobs(
        f"jobs:\n  deploy:\n    env_file: .env\n    env: {{KEY: {KEY!r}}}\n".replace("'", '"')
        + "    secrets: [TOKEN, KEY, OUTER, UNSET]\n"
        '    command: echo "<$TOKEN|$KEY|$OUTER|$PLAIN>"; [ -z "${UNSET+x}" ]; printf %s "$TOKEN"\n'
    )
    return bg


def test_no_file_but_the_jobs_own_log_has_them_and_nothing_shows_them(deploy: Cli) -> None:
    done = deploy("start", "deploy", "--wait", "--json", OUTER=OUTER)
    assert done.json["state"] == "succeeded", done
    shown = [done.out, done.err]
    commands = (
        ("logs", "deploy"), ("logs", "deploy", "--json"), ("logs", "deploy", "--raw"), ("follow", "deploy"),
        ("follow", "deploy", "--raw"), ("status", "deploy", "--json"), ("render", "deploy"), ("render", "deploy", "--json"),
        ("jobs",), ("logs", "deploy", "--since-start", "-n", "1"), ("list", "--json"),
    )  # fmt: skip
    shown += [deploy(*command, code=None).out for command in commands]
    kept = [
        path.read_text(errors="replace") for path in deploy.logs.rglob("*") if path.is_file() and path.suffix != ".log"
    ]
    for secret in (TOKEN, *KEY.split("\n"), OUTER):
        assert [text for text in shown + kept if secret in text] == []
    assert deploy("logs", "deploy").out == "<***|***\n***|***|plain>\n***\n"
    log = next(deploy.logs.glob("*.log")).read_text()
    assert log == f"<{TOKEN}|{KEY}|{OUTER}|plain>\n{TOKEN}"


def test_a_rerun_gets_them_anew(deploy: Cli) -> None:
    deploy("start", "deploy", "--wait", OUTER=OUTER)
    deploy("rerun", "deploy", "--wait", OUTER=OUTER)
    done = deploy("rerun", "deploy", code=2)
    assert "OUTER" in done.err


def test_a_command_that_would_carry_a_secret_into_a_file_is_refused(bg: Cli) -> None:
    bg.jobs('jobs: {x: {command: "echo {{ env.TOKEN }}", secrets: [TOKEN]}}')
    done = bg("start", "x", code=2, TOKEN=TOKEN)
    assert "$TOKEN" in done.err
    assert TOKEN not in done.err


def test_a_secret_cut_in_two_by_the_reading_is_masked() -> None:
    stream = masks.Stream(masks.parse(masks.marks([("T", TOKEN)])))
    data = f"a {TOKEN} b\nc {TOKEN}".encode()
    shown = b"".join(stream.feed(data[at : at + 3]) for at in range(0, len(data), 3)) + stream.end()
    assert shown == b"a *** b\nc ***"


@pytest.mark.parametrize("text", ["x", "a:b:c:d", "a:1:zz:zz", ":::", "a:-1:00:00", "a:1:" + "00" * 99 + ":00"])
def test_a_hand_edited_mark_harms_nobody(text: str) -> None:
    assert masks.mask(b"hello", masks.parse(text)) == b"hello"
