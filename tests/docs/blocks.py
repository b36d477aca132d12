"""Runs the command blocks of a documentation page, in order, as a reader would type them.

Each fence of `console`, `bash` or `sh` is run by default, in one scratch project per page. In a
`console` block `$ ` begins a command and what follows is its output, in which `…` stands for
anything on a line and a line of `…` alone for any lines. A `bash` or `sh` block only has to end with 0.
All of a page is typed into one shell: folders and variables carry over from block to block. A comment
right before a fence changes that:

    <!-- exits: 1 -->                   the last command of the block ends with this code
    <!-- until: TEXT -->                the last command of the block is run again until it prints this
    <!-- run in a clone of this repo --> left to .ci/run, which runs it in a clone of this repository
    <!-- install: TOOL -->              left to tests/e2e/test_installers.py: needs that tool, changes the home directory
    <!-- not run: REASON -->             left out, with the reason

`<!-- fixture: NAME -->` anywhere on a page takes tests/docs/fixtures/NAME for its project; NAME is `none` for an empty
directory, where the page creates every file that it uses. Run IDs, PIDs and durations in shown output may be those of a
real run: they stand for any other.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt

from tests.conftest import without_sandbox

if TYPE_CHECKING:
    from markdown_it.token import Token

KINDS = ("console", "bash", "sh")
PAGE_S = 300.0
CLONE = "run in a clone of this repo"
INSTALL = "install:"
FIXTURE = "project"
EMPTY = "none"
_VARIES = (
    (r"\d{8}_\d{6}(z+\d+)?", "…"),
    (r"pid=\d+", "pid=…"),
    (r"\b(in|for) \d[\d.hms]*s\b", r"\1 …"),
    (r"\d+\.\ds +(\d+-\d+-\d+ )?\d\d:\d\d:\d\d", "…"),
)
"""What differs from run to run: run IDs, PIDs, durations, and both durations and times in a table."""


class Block(NamedTuple):
    """A command block: where it stands, what it says, and the comment before it."""

    page: Path
    line: int
    kind: str
    text: str
    note: str = ""

    @property
    def skipped(self) -> str:
        """Why it is not run here, or ''."""
        return self.note.removeprefix("not run: ") if self.note.startswith("not run:") else ""


class Command(NamedTuple):
    """One command of a block with the output and the exit code that the page shows; None: any output.

    until: what it has to print before the next one is run.
    """

    line: int
    text: str
    output: str | None
    code: int
    until: str = ""


class Failure(NamedTuple):
    """A command that did not do what the page says."""

    where: str
    command: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.command}\n--- expected\n{self.expected}\n--- found\n{self.found}"


def blocks(page: Path) -> list[Block]:
    """Return the command blocks of a page."""
    found: list[Block] = []
    note = ""
    for token in _parsed(page):
        if token.type == "html_block":
            note = (_comments(token) or [""])[-1]
        elif token.type == "fence":
            kind = (token.info.split() or [""])[0]
            if kind in KINDS and token.map:
                found.append(Block(page, token.map[0] + 1, kind, token.content, note))
            note = ""
        elif token.type.endswith("_open"):
            note = ""
    return found


def clone_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that are for a clone of this repository."""
    return [block for block in blocks(page) if block.note == CLONE]


def install_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that install bgrun, each with a tool of its own."""
    return [block for block in blocks(page) if block.note.startswith(INSTALL)]


def runnable(page: Path) -> list[Block]:
    """Return the blocks of a page that are for its scratch project."""
    elsewhere = [*clone_blocks(page), *install_blocks(page)]
    return [block for block in blocks(page) if block not in elsewhere and not block.skipped]


def fixture(page: Path) -> str:
    """Return the name of the folder that a page's scratch project is made from."""
    notes = [note for token in _parsed(page) if token.type == "html_block" for note in _comments(token)]
    named = [note.removeprefix("fixture:").strip() for note in notes if note.startswith("fixture:")]
    return named[0] if named else FIXTURE


def _parsed(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))


def _comments(token: Token) -> list[str]:
    return re.findall(r"<!--\s*(.*?)\s*-->", token.content)


def commands(block: Block) -> list[Command]:
    """Return the commands of a block in their order."""
    code = int(block.note.removeprefix("exits:")) if block.note.startswith("exits:") else 0
    until = block.note.removeprefix("until:").strip() if block.note.startswith("until:") else ""
    if block.kind != "console":
        return [Command(block.line + 1, block.text, None, code, until)]
    found: list[Command] = []
    for place, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            found.append(Command(place, line[2:], "", 0))
        elif found:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return [*found[:-1], found[-1]._replace(code=code, until=until)] if found else []


def matches(shown: str, found: str) -> bool:
    """Return whether output is what the page shows, with `…` for what differs from run to run."""
    pattern = ""
    for real, any_value in _VARIES:
        shown = re.sub(real, any_value, shown)
    for line in shown.splitlines():
        pattern += r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
    return re.fullmatch(pattern, found if not found or found.endswith("\n") else f"{found}\n") is not None


def run_page(
    page: Path,
    *,
    project: Path,
    env: dict[str, str],
    timeout_s: float = PAGE_S,
    typed_into: tuple[str, ...] = ("bash",),
) -> list[Failure]:
    """Run the blocks of a page in a project folder, by bash or another shell, and return what did not go as it says.

    What comes after a command that ended the page's shell, or kept it beyond the deadline, is not told.
    """
    todo = [(block, command) for block in runnable(page) for command in commands(block)]
    out = project.parent / "out"
    out.mkdir()
    script = "".join(_step(out, number, command) for number, (_, command) in enumerate(todo))
    ended = _run((*typed_into, "-c", script), project, {**env, "OUT": str(out)}, timeout_s)
    failures: list[Failure] = []
    for number, (block, command) in enumerate(todo):
        failures += _verdict(out / str(number), f"{block.page.name}:{command.line}", command, ended)
        if not (out / f"{number}.code").exists():
            break
    return failures


def _step(out: Path, number: int, command: Command) -> str:
    # A file of its own: a quote left open is then a fault of its block, not of all that comes after.
    strict, slack = ("set -euo pipefail", "set +euo pipefail") if command.output is None else (":", ":")
    (out / f"{number}.sh").write_text(f"{command.text}\n", encoding="utf-8")
    # A block that is to fail under `set -e` would take the page's shell along: it gets one of its own.
    begin, end = ("(", ")") if command.output is None and command.code else ("{", "; }")
    text = f'{begin} {strict}; . "$OUT/{number}.sh"{end}'
    done = f'{text} > "$OUT/{number}.out" 2>&1; echo $? > "$OUT/{number}.code"; {slack}\n'
    if not command.until:
        return done
    return f'until {done}grep -qF {shlex.quote(command.until)} "$OUT/{number}.out"; do sleep 0.05; done\n'


def _run(words: tuple[str, ...], project: Path, env: dict[str, str], timeout_s: float) -> str:
    """Return how the shell of a page ended."""
    shell = subprocess.Popen(
        words, cwd=project, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return f"exit code {shell.wait(timeout_s)}, and the end of the page's shell"
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        return f"no end within {timeout_s:g} s"


def _verdict(stem: Path, where: str, command: Command, ended: str) -> list[Failure]:
    code = _read(stem.with_suffix(".code")).strip()
    found = without_sandbox(_read(stem.with_suffix(".out")))
    if code != str(command.code):
        reported = f"exit code {code}" if code else ended
        return [Failure(where, command.text, f"exit code {command.code}", f"{reported}\n{found}")]
    if command.output is not None and not matches(command.output, found):
        return [Failure(where, command.text, command.output, found)]
    return []


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
