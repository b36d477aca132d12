"""Recognize ansible-playbook: the tasks that failed, with their host, and its recap."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_TASK = expression(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$")
_FAILED = expression(r"^(?:fatal|failed): \[([^\]]+)\](?: \(item=.*\))?: (?:FAILED!|UNREACHABLE!)(?: => (.*))?$")
_ERROR = expression(r"^\[ERROR\]: (.*)$|^ERROR! (.*)$")
_ORIGIN = expression(r"^Origin: (\S.*?):(\d+)(?::\d+)?$")
_TEXT = expression(r'"(stderr|msg)": "((?:[^"\\]|\\.)*)"')
_RECAP = expression(r"^(\S+)\s+: ok=(\d+) .*unreachable=(\d+)\s+failed=(\d+)")
_IGNORED = "...ignoring"


class Ansible(Parser):
    """ansible-playbook. Failures that a play ignores do not count."""

    name = "ansible"
    stems = ("unreachable=",)
    starts = (
        "TASK ",
        "RUNNING HANDLER ",
        r"fatal: \[",
        r"failed: \[",
        r"\[ERROR\]",
        "ERROR! ",
        "Origin: ",
        r"\.\.\.ignoring",
    )

    def __init__(self) -> None:
        super().__init__()
        self._task = ""
        self._origin: tuple[str, str] | None = None
        self._error: tuple[str, int] | None = None
        self._failed: list[tuple[str | None, str | None, str, int]] = []

    def feed(self, line: str) -> bool:
        """Read a task, why it failed and where, or a line of the recap."""
        if match := _TASK.match(line):
            self._keep()
            self._task, self._origin, self._error = match[1], None, None
        elif match := _ORIGIN.match(line):
            self._origin = (match[1], match[2])
        elif match := _FAILED.match(line):
            self._failure(match[1], match[2] or "")
        elif line == _IGNORED and self._failed:
            self._failed.pop()
        elif match := _ERROR.match(line):
            self._error = (match[1] or match[2], self.at)
        elif match := _RECAP.match(line):
            self._keep()
        return False

    def _failure(self, host: str, result: str) -> None:
        texts = dict(_TEXT.findall(result))
        message = ": ".join(filter(None, (texts.get("msg"), texts.get("stderr"))))
        file, number = self._origin or (None, None)
        self._failed.append((file, number, f"{host}: {message}" if message else host, self.at))
        self._error = None

    def _keep(self) -> None:
        for file, number, message, at in self._failed:
            self.report(finding(file, number, self._task, message), SURE, at)
        self._failed.clear()

    def findings(self) -> tuple[Findings, ...]:
        """Return the failed tasks, or why the playbook could not be read."""
        self._keep()
        if self._error:
            message, at = self._error
            file, number = self._origin or (None, None)
            self.report(finding(file, number, None, message), SURE, at)
            self._error = None
        return super().findings()
