"""Fault 8, secrets: their values are in no meta, script, JSON or shown log, and reach the job all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.logs import masked
from bgrun.store import masking
from bgrun.store.store import Store
from tests.conftest import wait_until

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
    stream = masked.Stream(masking.parse(masking.marks([("T", TOKEN)])))
    data = f"a {TOKEN} b\nc {TOKEN}".encode()
    shown = b"".join(stream.feed(data[at : at + 3]) for at in range(0, len(data), 3)) + stream.end()
    assert shown == b"a *** b\nc ***"


@pytest.mark.parametrize("text", ["x", "a:b:c:d", "a:1:zz:zz", ":::", "a:-1:00:00", "a:1:" + "00" * 99 + ":00"])
def test_a_hand_edited_mark_harms_nobody(text: str) -> None:
    assert masking.mask(b"hello", masking.parse(text)) == b"hello"


SHOWING = """
jobs:
  unit:
    secrets: [TOKEN]
    reports: {junit: out.xml}
    command: |
      printf '%s' "<testsuite><testcase name='n $TOKEN' classname='$TOKEN.c' file='$TOKEN.py'>" > out.xml
      printf '%s' "<failure message='$(printf '%0150d' 0) $TOKEN'>at $TOKEN.py:3</failure></testcase></testsuite>" >> out.xml
      exit 1
  grep:
    secrets: [TOKEN]
    command: >-
      echo "see $TOKEN here" | grep --color=always 4711;
      printf "a%s\\000%sb\\n" "${TOKEN:0:5}" "${TOKEN:5}"; exit 1
  key: {secrets: [KEY], command: 'printf "%s\\n" "$KEY"; exit 1'}
  asks: {secrets: [TOKEN], command: 'printf "Password for %s: " "$TOKEN"; sleep 60'}
  lint: {secrets: [TOKEN], problems: [ruff], command: 'echo "$TOKEN.py:3:1: F401 $TOKEN unused"; exit 1'}
"""


@pytest.fixture
def showing(bg: Cli) -> Cli:
    bg.jobs(SHOWING)
    bg.env["TOKEN"] = TOKEN
    return bg


def parts_of(secret: str) -> list[str]:
    """Return what of a secret is enough to know that it was cut and not masked."""
    return [secret[:8], secret[-8:], secret[4:12]]


@pytest.mark.parametrize("job", ["unit", "grep", "lint"])
def test_nothing_that_shows_a_run_shows_its_secret(showing: Cli, job: str) -> None:
    shown = [showing("start", job, "--wait", code=1), showing("start", job, "--wait", "--json", code=1)]
    commands = (
        ("report", job), ("report", job, "--json"), ("report", job, "--format", "github"), ("wait", job),
        ("status", job, "--json"), ("logs", job), ("logs", job, "--json"), ("logs", job, "--raw"), ("follow", job),
        ("follow", job, "--raw"), ("logs", job, "--since", "start", "--grep", "."), ("list", "--json"),
        ("logs", job, "--raw", "--grep", "."),
    )  # fmt: skip
    shown += [showing(*words, code=None) for words in commands]
    from bgrun.parsers import terminal

    for done in shown:
        text = terminal.without_controls(done.out + done.err)
        assert [part for part in parts_of(TOKEN) if part in text] == [], done
    assert "***" in shown[2].out
    kept = next(path for path in showing.logs.glob("jobs/*.digest.json"))
    assert not any(part in kept.read_text() for part in parts_of(TOKEN))


def test_a_cursor_into_a_secret_gives_no_rest_of_it(showing: Cli) -> None:
    run = showing.json("start", "grep", "--wait", code=1)
    size = (showing.logs / f"{run['run_id']}.log").stat().st_size
    for offset in range(0, size, 3):
        done = showing("logs", "grep", "--since", f"{run['run_id']}@{offset}")
        assert not any(part in done.out for part in ("tok-4", "4711", "secret", "ecret", "711-s")), done


def test_mcp_masks_with_a_cursor_as_well(showing: Cli) -> None:
    from bgrun.jobfile import project as projects
    from bgrun.mcp import calls

    run = showing.json("start", "grep", "--wait", code=1)
    project = projects.locate(str(showing.folder))
    for offset in (0, 6, 12, 18, 24):
        reported = calls.log(project, run["run_id"], since=f"{run['run_id']}@{offset}")
        assert not any(part in repr(reported) for part in ("4711", "ecret"))


def test_each_line_of_a_key_is_masked(showing: Cli) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n==\n-----END PRIVATE KEY-----\n"
    showing("start", "key", "--wait", code=1, KEY=key)
    assert showing("logs", "key").out == "***\n***\n***\n==\n***\n\n"


@pytest.mark.parametrize("value", ["a", "abc", "x\ny\nz", "  a  "])
def test_a_secret_that_is_too_short_to_be_masked_is_refused(bg: Cli, value: str) -> None:
    bg.jobs('jobs: {x: {command: "true", secrets: [TOKEN]}}\ndefaults: {secrets: [TOKEN]}')
    for words in (("start", "x"), ("run", "y", "--", "true")):
        done = bg(*words, code=2, TOKEN=value)
        assert "the value of secret TOKEN is too short to mask" in done.err
    assert not bg.logs.exists() or not list(bg.logs.glob("*.*"))
    assert bg("start", "x", "--wait", TOKEN="").code == 0


@pytest.mark.parametrize(
    "value", ["it's a $ecret", 'say "hi" now', "back\\slash\\es", "two\nlines-of-a-secret", "`a`b`c`"]
)
@pytest.mark.parametrize("command", ["echo {{ v }}", 'echo "<{{ v }}>"', "[echo, '{{ v }}']"])
def test_a_secret_is_found_however_it_is_quoted(bg: Cli, value: str, command: str) -> None:
    command = command if command.startswith("[") else f"'{command}'"
    bg.jobs(
        f"jobs: {{x: {{command: {command}, secrets: [TOKEN], params: {{v: {{}}}}}}}}\ndefaults: {{secrets: [TOKEN]}}"
    )
    ways = (("start", "x", f"v={value}"), ("run", "y", "--", "echo", value), ("run", "y", "--", f"--x={value}"))
    texts = (("run", "y", "--", f"echo '{value}' ("), ("run", "y", "--", f"echo {value} | cat"))
    for words in (*ways, *texts):
        done = bg(*words, code=2, TOKEN=value)
        assert "would contain the value of secret TOKEN" in done.err, done
        assert value not in done.err


def test_a_parameter_that_no_command_uses_is_no_way_into_the_meta(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'true', secrets: [TOKEN], params: {v: {}}}}")
    assert "would contain" in bg("start", "x", f"v=a {TOKEN} b", code=2, TOKEN=TOKEN).err


def test_a_question_with_a_secret_is_reported_without_it(showing: Cli) -> None:
    run = showing.json("start", "asks")
    try:
        stall = wait_until(lambda: showing.json("report", "asks")["digest"]["stall"], "it is noticed")
        assert "Password for ***:" in stall
        assert "4711" not in showing("status", "asks").out
    finally:
        showing("stop", run["run_id"])


def test_a_hook_is_given_nothing_that_the_files_were_made_to_hold(showing: Cli) -> None:
    """How a secret got into the record is not the point: what is told of a run is masked."""
    from bgrun.local.supervision import hooks

    run = showing.json("start", "lint", "--wait", code=1)
    meta = showing.logs / f"{run['run_id']}.meta"
    meta.write_text(
        meta.read_text().replace("cmd=", f"cmd={TOKEN} ").replace("state=failed", f"state=failed\nreason=x {TOKEN}")
    )
    read = Store(str(showing.logs)).read(run["run_id"])
    assert read
    assert TOKEN not in repr(hooks.variables(read))
    assert TOKEN not in showing("status", "lint", "--json").out


def test_what_a_shell_says_of_a_command_is_masked_too(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'f( {{ env.TOKEN | raw }}', secrets: [TOKEN]}}")
    done = bg("start", "x", code=2, TOKEN=TOKEN)
    assert "syntax error near unexpected token `***'" in done.err
    assert TOKEN not in done.err
