"""Runs the command blocks of a documentation page, in order, as a reader would type them.

Each fence of `console`, `bash` or `sh` is run by default, in one scratch project per page. In a
`console` block `$ ` begins a command and what follows is its output, in which `…` stands for
anything on a line and a line of `…` alone for any lines. A comment right before a fence changes that:

    <!-- exits: 1 -->                   the last command of the block ends with this code
    <!-- run in a clone of this repo --> left to the test that clones the repository
    <!-- not run: REASON -->             shown as skipped, with the reason
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

KINDS = ("console", "bash", "sh")
PAGE_S = 60.0
CLONE = "run in a clone of this repo"


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
    """One command of a block with the output and the exit code that the page shows; None: any output."""

    line: int
    text: str
    output: str | None
    code: int


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
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            note = (re.findall(r"<!--\s*(.*?)\s*-->", token.content) or [""])[-1]
        elif token.type == "fence":
            if token.info.strip() in KINDS and token.map:
                found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, note))
            note = ""
        elif token.type.endswith("_open"):
            note = ""
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a block in their order."""
    code = int(block.note.removeprefix("exits:")) if block.note.startswith("exits:") else 0
    if block.kind != "console":
        return [Command(block.line + 1, block.text, None, code)]
    found: list[Command] = []
    for place, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            found.append(Command(place, line[2:], "", 0))
        elif found:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return [*found[:-1], found[-1]._replace(code=code)] if found else []


def matches(shown: str, found: str) -> bool:
    """Return whether output is what the page shows, with `…` for what differs from run to run."""
    pattern = ""
    for line in shown.splitlines():
        pattern += r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
    return re.fullmatch(pattern, found if not found or found.endswith("\n") else f"{found}\n") is not None


def run_page(page: Path, *, project: Path, env: dict[str, str], timeout_s: float = PAGE_S) -> list[Failure]:
    """Run the blocks of a page in a project folder and return what did not go as it says."""
    todo = [
        (block, command)
        for block in blocks(page)
        if block.note != CLONE and not block.skipped
        for command in commands(block)
    ]
    script = "".join(_step(number, command) for number, (_, command) in enumerate(todo))
    out = project.parent / "out"
    out.mkdir()
    shell = subprocess.Popen(
        ["bash", "-c", script], cwd=project, env={**env, "OUT": str(out)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        shell.wait(timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    verdicts = (_verdict(out, number, block, command) for number, (block, command) in enumerate(todo))
    return [failure for failure in verdicts if failure]


def _step(number: int, command: Command) -> str:
    strict = "set -eo pipefail; " if command.output is None else ""
    ends = f'echo $? > "$OUT/{number}.code"\n'
    if command.output is None:
        return f'( {strict}\n{command.text}\n) > "$OUT/{number}.out" 2>&1; {ends}'
    return f'{{ {command.text}\n}} > "$OUT/{number}.out" 2>&1; {ends}'


def _verdict(out: Path, number: int, block: Block, command: Command) -> Failure | None:
    where = f"{block.page.name}:{command.line}"
    if not (out / f"{number}.code").exists():
        return Failure(where, command.text, "an end", "none within the deadline")
    code = int((out / f"{number}.code").read_text())
    found = (out / f"{number}.out").read_text(encoding="utf-8", errors="replace")
    if code != command.code:
        return Failure(where, command.text, f"exit code {command.code}", f"exit code {code}\n{found}")
    if command.output is not None and not matches(command.output, found):
        return Failure(where, command.text, command.output, found)
    return None
