"""Recognize tools that run others: what they say of a command that failed counts only if nothing else was found."""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import WRAPPER, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


_NPM_CODE = expression(r"^npm (?:ERR!|error) code (E[A-Z]+)$")
_NPM_REASON = expression(r"^npm (?:ERR!|error) (?!path |errno |syscall |command )(\S.*)$")


class Form(NamedTuple):
    """A form of line: its groups `file`, `line`, `id` and `message` are those of the problem."""

    pattern: re.Pattern[str]
    message: str = ""


def form(pattern: str, message: str = "") -> Form:
    """Return a form; `message` is a template for the groups of a pattern without the group `message`."""
    return Form(expression(pattern), message)


class Wrapper(Parser):
    """The base of all wrappers: each line that has one of the forms is a problem."""

    forms: ClassVar[tuple[Form, ...]] = ()

    def feed(self, line: str) -> bool:
        """Read a line that may have one of the forms."""
        for one in self.forms:
            if match := one.pattern.match(line):
                groups = match.groupdict()
                message = groups.get("message") or one.message.format_map(
                    {name: text or "" for name, text in groups.items()}
                )
                self.report(finding(groups.get("file"), groups.get("line"), groups.get("id"), message), WRAPPER)
                self.close()
                break
        return False


class Make(Wrapper):
    """GNU make and BSD make. A recursive call fails because of another, which printed its own line before."""

    name = "make"
    stems = ("*** ",)
    forms = (
        form(
            r"^\S*make(?:\[\d+\])?: \*\*\* \[(?:(?P<file>[^:\]]+):(?P<line>\d+): |<builtin>: )?(?P<id>[^\]]+)\] "
            r"(?P<message>(?:Error|Killed|Terminated|Segmentation|Interrupt|Aborted|Hangup|Broken|Bus|Illegal)\b.*)$"
        ),
        form(r"^\S*make(?:\[\d+\])?: \*\*\* (?P<message>No (?:rule|targets).*?)(?:  Stop\.)?$"),
        form(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+): \*\*\* (?P<message>.*?)(?:  Stop\.)?$"),
        form(r"^\*\*\* (?P<message>Error code \d+).*$"),
    )  # fmt: skip


class Ninja(Wrapper):
    """ninja and what calls it (Meson)."""

    name = "ninja"
    starts = ("FAILED: ", "ninja: ")
    forms = (
        form(r"^FAILED: (?:\[code=(?P<code>\d+)\] )?(?P<id>\S.*?) *$", "failed"),
        form(r"^ninja: (?:error|fatal): (?P<message>.*)$"),
    )


class Npm(Wrapper):
    """npm, pnpm and yarn 1. npm 7 and later says nothing of a script that failed, but for that of a workspace."""

    name = "npm"
    stems = ("ELIFECYCLE", "ERR_PNPM")
    starts = ("npm ", "error Command")
    forms = (
        form(
            r"^npm (?:ERR!|error) "
            r"(?P<message>(?:Missing script: |Lifecycle script |Exit status |No workspaces|could not determine).*)$"
        ),
        form(r"^\s*(?P<id>ERR_PNPM_\w+)\s+(?P<message>.*)$"),
        form(r"^\s*ELIFECYCLE\s+(?P<message>(?:Command|Test) failed.*)$"),
        form(r"^error (?P<message>(?:Command failed with exit code \d+|Command \"[^\"]+\" not found)\.)$"),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._code = ""

    def feed(self, line: str) -> bool:
        """Read a line; the reason follows the code of an error of npm itself."""
        if match := _NPM_CODE.match(line):
            self._code = match[1]
        elif self._code and (match := _NPM_REASON.match(line)):
            self.report(finding(None, None, self._code, match[1]), WRAPPER)
            self.close()
            self._code = ""
        elif not self._code:
            super().feed(line)
        return False


class Tox(Wrapper):
    """tox 3 and 4, in its summary."""

    name = "tox"
    stems = (": FAIL code", ": commands failed")
    forms = (
        form(r"^  (?P<id>[\w.,-]+): FAIL code (?P<code>\d+)", "exit code {code}"),
        form(r"^ERROR:\s+(?P<id>[\w.,-]+): (?P<message>commands failed)$"),
    )


class Nox(Wrapper):
    """nox."""

    name = "nox"
    starts = ("nox > ",)
    forms = (form(r"^nox > Command (?P<id>.*) (?P<message>failed with exit code \d+):?$"),)


class Poe(Wrapper):
    """Poe the Poet and just, which name the task that failed."""

    name = "poe"
    stems = ("Error: Sequence", "Error: Unrecognized", "rror: Recipe")
    forms = (
        form(r"^Error: (?P<message>Sequence aborted after failed subtask '(?P<id>[^']+)'|Unrecognized task .*)$"),
        form(r"^error: [Rr]ecipe `(?P<id>[^`]+)` (?P<message>failed .*)$"),
    )


class Shell(Wrapper):
    """sh, bash and Python: a command or a script that does not exist, `cargo run`, and an exit code that CI prints."""

    name = "shell"
    stems = ("not found", "can't open file", "No module named")
    starts = ("Process completed", "Error: Process", r"##\[error\]Process", "error: process")
    forms = (
        form(
            r"^(?:/\S*/)?(?:sh|dash|ash|bash|zsh|ksh): (?:line )?(?:\d+: )?"
            r"(?P<id>[^\s:]+): (?P<message>(?:command )?not found)$"
        ),
        form(r"^(?P<file>/?\S+?): (?:line )?(?P<line>\d+): (?P<id>[^\s:]+): (?P<message>(?:command )?not found)$"),
        form(r"^\S*python[\d.]*: (?P<message>can't open file .*|No module named .*)$"),
        form(r"^(?:##\[error\]|Error: )?(?P<message>Process completed with exit code \d+)\.?$"),
        form(r"^error: (?P<message>process didn't exit successfully: .*)$"),
    )  # fmt: skip
