"""Following a log: what has come of a line without an end, logs that are truncated, lines without measure."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli


class Followed:
    """A `bgrun follow` whose output is read as it comes."""

    def __init__(self, cli: Cli, *words: str) -> None:
        command = [*cli.command, "follow", *words]
        self.process = subprocess.Popen(
            command,
            cwd=cli.folder,
            env=cli.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out, self.err = bytearray(), bytearray()
        streams = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream: object, into: bytearray) -> None:
        while data := stream.read1(65536):  # type: ignore[attr-defined]
            into += data

    def shows(self, text: bytes) -> None:
        wait_until(lambda: text in self.out, f"follow shows {text!r}, and showed {bytes(self.out[-300:])!r}")

    def end(self) -> int:
        code = self.process.wait(20)
        for reader in self.readers:
            reader.join(20)
        return code


@pytest.fixture
def followed() -> Iterator[list[Followed]]:
    begun: list[Followed] = []
    yield begun
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


STEPS = "step() { until [ -e $1 ]; do sleep 0.02; done; }; "


def test_a_question_and_a_bar_are_seen_before_their_line_ends(bg: Cli, followed: list[Followed]) -> None:
    run = bg.start("x", STEPS + "printf 'Overwrite? [y/N] '; step a; printf 'yes\\n'; printf '10%%\\r'; step b; "
                   "printf '20%%\\r'; step c; printf 'done\\nlast'")  # fmt: skip
    seen = Followed(bg, run["run_id"])
    followed.append(seen)
    seen.shows(b"Overwrite? [y/N] ")
    (bg.folder / "a").touch()
    seen.shows(b"\n10%")
    (bg.folder / "b").touch()
    seen.shows(b"\n20%")
    (bg.folder / "c").touch()
    assert seen.end() == 0
    assert bytes(seen.out) == b"Overwrite? [y/N] yes\n10%\n20%\ndone\nlast\n"


def test_lines_of_two_runs_do_not_mix_though_one_has_no_end(bg: Cli, followed: list[Followed]) -> None:
    bg.jobs(f"""
jobs:
  one: {{command: "{STEPS} printf 'half'; step a; echo ' whole'"}}
  two: {{command: "{STEPS} step b; echo between; touch c; step a"}}
groups: {{g: {{jobs: [one, two]}}}}
""")
    run = bg.json("group", "g")
    seen = Followed(bg, run["run_id"])
    followed.append(seen)
    seen.shows(b"one | half")
    (bg.folder / "b").touch()
    seen.shows(b"\ntwo | between\n")
    (bg.folder / "a").touch()
    assert seen.end() == 0
    assert bytes(seen.out) == b"one | half\ntwo | between\none | half whole\n"


def test_a_secret_does_not_slip_through_while_its_line_is_written(bg: Cli, followed: list[Followed]) -> None:
    bg.jobs(f"""
jobs:
  x:
    secrets: [TOKEN]
    command: |
      {STEPS}
      printf 'a long beginning, then '; printf %s "${{TOKEN:0:9}}"; step a; printf '%s, and\\n' "${{TOKEN:9}}"
""")
    run = bg.json("start", "x", TOKEN="tok-4711-secret")
    for more in ((), ("--raw",)):
        followed.append(Followed(bg, run["run_id"], *more))
        followed[-1].shows(b"a long beg")
    (bg.folder / "a").touch()
    for one in followed:
        assert one.end() == 0
        assert bytes(one.out) == b"a long beginning, then ***, and\n"


@pytest.mark.parametrize("how", ["emptied", "emptied and longer than before", "replaced"])
def test_a_log_that_is_truncated_is_reported_once_and_read_on(bg: Cli, followed: list[Followed], how: str) -> None:
    run = bg.start("x", STEPS + "echo first; echo second; step a; echo third; step b")
    log = bg.logs / f"{run['run_id']}.log"
    seen = Followed(bg, run["run_id"])
    followed.append(seen)
    seen.shows(b"second\n")
    cursor = bg("logs", "x", "--since", "start").err.split()[-1]
    if how == "replaced":
        log.unlink()
        log.write_text("new\n")
    else:
        log.write_bytes(b"" if how == "emptied" else b"longer than it was before\n")
    (bg.folder / "a").touch()
    seen.shows(b"new\n" if how == "replaced" else b"third\n")
    if how != "emptied and longer than before":
        since = bg("logs", "x", "--since", cursor)
        assert "was truncated" in since.err
        assert since.out == ("new\n" if how == "replaced" else "third\n")
        again = bg("logs", "x", "--since", since.err.split()[-1])
        assert (again.out, "truncated" in again.err) == ("", False)
    (bg.folder / "b").touch()
    assert seen.end() == 0
    assert seen.err.count(b"was truncated") == 1
    assert seen.out.startswith(b"first\nsecond\n")


def test_a_line_of_40_mib_is_followed_to_its_end(bg: Cli) -> None:
    run = bg.json("run", "x", "--wait", "--", "bash", "-c", "head -c 41943040 /dev/zero | tr '\\0' x; echo; echo end")
    done = bg("follow", run["run_id"])
    assert len(done.out) == 41943040 + 5
    assert bg("logs", run["run_id"], "-n", "1").out == "end\n"
