"""Distinguish what tools print after their last finding from the output of another command.

The cause of a failure is often the last line of a log, after the findings of a tool whose result was ignored. Only the
last line is judged, so that only the last one that each tool prints needs to be known here.
"""

from __future__ import annotations

from bgrun.parsers.expression import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WRAPPER = expression(
    r"^(?:"
    r"\S*make(?:\[\d+\])?: |\[ *\d+(?:%|/\d+)\] |ninja: |/\S+/ruby\S* "
    r"|nox > |rake aborted!|Command failed with status|Tasks: TOP|\(See full trace by"
    r"|npm (?:ERR!|error)(?: *$| (?:code (?:\d|ELIFECYCLE)|path |errno |workspace |location |command |Exit status"
    r"|Lifecycle |Test failed|A complete log|This is probably not a problem|Failed at the | ))"
    r"|\s*(?:ERR_PNPM_|ELIFECYCLE)|Exit status \d|\s*ERROR\s+\S+@\S+ \S+: |\s*WARN\s+Local package\.json|/\S+:$"
    r"|Summary: \d+ fails|\S+ \S+: Failed$"
    r"|info Visit https://yarnpkg|error Command failed|error: [Rr]ecipe |Error: Sequence aborted"
    r"|  [\w.,-]+: (?:FAIL|OK|SKIP)|[\w.,-]+: exit \d+ |  evaluation failed :\(|ERROR:\s+\S+: commands failed"
    r"|(?:##\[error\]|Error: )?Process completed with exit code|error: process didn't exit"
    r"|.* exited with code \d+$|Exited with code \d|(?:Done|Failed)$|Aborting on container exit|Gracefully stopping"
    r"| Container \S+ +\w+$|\S+ stopped \(rc=|sending SIG\w+ to "
    r"|The command failed in workspace |Failed with errors in | ERROR  run failed: "
    r"|[^\s#]+#[^\s:]+: +(?:ERROR|WARNING)  "
    r"|- [^\s:]+:\S+$|Failed tasks:$| (?:NX|Lerna \([\w ]+\)) +Running target "
    r"|\s*(?:Tasks|Cached): +\d+ \w+, \d+ total| +Time: |Failed: +\S+#"
    r")"
)
"""What programs print that run other ones: it says of no cause."""
_CLOSING = expression(
    r"^(?:"
    # Test runners.
    r"Ran all test suites|Time:  |FAIL$|ok  \t|\?   \t|error: (?:\d+ targets? failed|(?:doc)?test (?:run )?failed)"
    r"|    `-|You have skipped tests|NUnit Adapter |Test Run |Total time: |PLAY RECAP|\S+ +: ok=\d"
    r"|coverage: |TOTAL  |Coverage \w+ written|Required test coverage|FAIL Required test coverage|=+ .* =+$"
    r"|Randomized with seed |error: Test failed|error: Type checking failed|Stack backtrace:|   0: <unknown>"
    r"|TOTAL: \d+ |(?:Output|Log|Report|XUnit):  |Took \d+min |    raise (?:Step)?NotImplementedError"
    r"|error: the following (?:test|build) command failed|\S*/(?:\.zig-cache|zig)/o/|Running main\(\) from "
    r"|Test (?:Case|Suite) '|# (?:time=|\{ total: |No coverage)"
    # Linters and compilers.
    r"|Your code has been rated|\d+ (?:errors?|warnings?)(?: and \d+ errors?)? generated|compilation terminated"
    r"|ESLint found too many|\d+ problems?|https?://|  https?://|\[\*\] \d+ fixable|(?:No|\d+) .*fix(?:es)? available"
    r"|\d+(?: +[A-Z]+\d+ .*)?$|For more information|Some errors have detailed|use --help|Specify --help|See also "
    r"|-- |Time Elapsed|\[ERROR\]|\[INFO\]|BUILD |\d+ actionable tasks?|> |\* |As a reminder, "
    r"|\{\"file\": |\{\"reason\":\"build-finished\"|\{\"\$message_type\":"
    r"|Errors  Files|     +\d+  \S|To run |Run `|note: |\S+:\d+:(?:\d+:)? note: |\u2575"
    # Tracebacks.
    r"|Node\.js v\d|Extension modules: |\s+at |\s+\.\.\. \d+ more|Caused by: |called `Result|\}$"
    r")"
)
"""The last lines of tools, after their findings."""


def is_of_wrapper(line: str) -> bool:
    """Return whether a line is what a program says that runs other ones."""
    return _WRAPPER.match(line) is not None


_ADVERTISEMENT = expression(r"npm notice(?: |$)")
"""What npm prints about itself, whatever the script that it ran has done."""


def without_advertisements(lines: Sequence[str]) -> list[str]:
    """Return lines without those that are about a newer version of a tool."""
    return [line for line in lines if not _ADVERTISEMENT.match(line)]


def unclaimed(lines: Sequence[str]) -> int:
    """Return how many lines at the end of a log are another command's than the tools'. Pure.

    Args:
        lines: what follows the last line that a tool claims.
    """
    left = [line for line in without_advertisements(lines) if line.strip()]
    while left and left[0][0].isspace():  # the code below a finding
        del left[0]
    last = next((line for line in reversed(left) if not _WRAPPER.match(line)), "")
    return len(left) if last and not _CLOSING.match(last) else 0
