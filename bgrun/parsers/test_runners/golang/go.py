"""Recognize `go test` (plain, `-v`, `-json`), and what `go build` and `go vet` find."""

from __future__ import annotations

import json
import re
from typing import Any

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners.golang.go_tests import Package
from bgrun.parsers.test_runners.golang.gotestsum import HEADING, Summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_RUN = expression(r"^=== (?:RUN|CONT|NAME) +(\S.*)$")
_RESULT = expression(r"^ *--- (FAIL|PASS|SKIP): (\S.*) \(\d[\d.]*s\)$")
_PACKAGE = expression(r"^(ok  |FAIL|\?   )\t(\S+)(?:\t| )(.*)$")
_COMPILER = expression(r"^(?:vet: )?([^\s:#][^:#]*\.go):(\d+):(\d+): (\S.*)$")
_NAME = rb"[^\s/]+"
_PASSED = expression(
    rb"(?:=== RUN   (" + _NAME + rb")\n(?:=== RUN   \1/\S+\n|    (?! *--- )[^\n]*\n)*"
    rb"--- PASS: \1 \(\d[\d.]*s\)\n(?: +--- PASS: \1/\S+ \(\d[\d.]*s\)\n)*(?=\S))+"
)
"""Tests with `-v` that passed, and what they logged."""
_TEST = expression(rb"\n=== RUN   " + _NAME + rb"\n")
_STEP = 500
"""How many bytes at least are read line by line before the next such tests are looked for."""
_NAMES = expression(r"^=== RUN   (\S+)$", re.MULTILINE)
_RESULTS = expression(r"^ *--- PASS: ", re.MULTILINE)
_EVENT = '"Action":"'
_TRACE = expression(r"^(?:panic: |fatal error: |goroutine \d+ |\t\S.*\.go:\d+(?: \+0x[0-9a-f]+)?$|exit status \d+$)")
"""Lines of a panic; the last one ends with a frame or with what `go run` prints."""


class Go(Parser):
    """go test, go build and go vet from version 1.19 on; one call for each package.

    gotestsum repeats what failed: its summary stands for all before it.
    """

    name = "go"
    leaps = True
    stems = (".go:",)
    starts = (
        "--- FAIL: ",
        "--- PASS: ",
        "--- SKIP: ",
        "=== RUN",
        "=== CONT",
        "=== NAME",
        "=== Skipped",
        "=== Failed",
        r"FAIL\t",
        r"ok  \t",
        r"\?   \t",
        "panic: ",
        "fatal error: ",
        "exit status ",
        r'\{"(?:Time|ImportPath|Action)":',
    )

    def __init__(self) -> None:
        super().__init__()
        self._package: Package | None = None
        self._packages: dict[str, Package] = {}
        self._compiled: list[tuple[Problem, int]] = []
        self._has_compiler_errors = False
        self._has_types = False
        self._summary: Summary | None = None
        self._summed = 0
        self._traced = 0

    def feed(self, line: str) -> bool:
        if self._summary:
            return self._sum_up(self._summary, line)
        if HEADING.match(line):
            self._summary = Summary()
            return True
        if line.startswith("{") and _EVENT in line:
            self._event(line)
            return False
        first = line[:1]
        if first == "=" and (run := _RUN.match(line)):
            self._opened().run(run[1])
        elif (
            first in ("-", " ")
            and "--- " in line
            and (result := _RESULT.match(line))
            and (self._package or first == "-")
        ):
            self._opened().result(result[2], result[1].lower(), self.at)
        elif first in ("o", "F", "?") and (package := _PACKAGE.match(line)):
            self._end(package[2], package[1].strip(), package[3])
        elif self._package or line.startswith(("panic: ", "fatal error: ", "exit status ")):
            self._opened().text(line)
            if _TRACE.match(line):
                self._traced = self.at
        elif error := _COMPILER.match(line):
            self._compile(error)
        return self._package is not None

    def _sum_up(self, summary: Summary, line: str) -> bool:
        """Read a line of gotestsum's summary; at its end the calls since the last one no longer count."""
        if summary.feed(line, self.at):
            return True
        self._package, self._packages, self._summary = None, {}, None
        del self._calls[self._summed :]
        self._report_compiled()
        problems = list(summary.problems())
        start = min((at for _, at in problems), default=self.at)
        now, self.at = self.at, start
        self.begin(owns=True)
        self.at = now
        for problem, at in problems:
            self.report(problem, SURE, at)
        self.finish(summary.counts, summary.counts.get("failed", 0))
        self._summed = len(self._calls)
        return False

    def leap(self, data: bytes, at: int) -> tuple[int, int]:
        """Read tests that passed; a log of `go test -v` may have a million."""
        may_skip = self._package is not None and self._package.may_skip and self._summary is None
        if self._package and may_skip and (found := _PASSED.match(data, at)):
            text = found[0].decode("utf-8", "replace")
            names = _NAMES.findall(text)
            # Of a test that is still running when its parent ends there is no result.
            if len(names) == len(_RESULTS.findall(text)):
                self._package.skip(names)
                at = found.end()
        again = _TEST.search(data, at + _STEP)
        return at, again.start() + 1 if again else len(data)

    def findings(self) -> tuple[Findings, ...]:
        if package := self._package:
            now = self.at
            if not (package.is_verbose or package.counts):
                self.at = max(package.start, self._traced)  # no test panicked: what follows may be another tool's
            self._end("", "", "")
            self.at = now
        for name in list(self._packages):
            self._end_of(self._packages.pop(name), name)
        self._report_compiled()
        return super().findings()

    def _opened(self) -> Package:
        if self._package is None:
            self._package = Package(self.at)
        return self._package

    def _event(self, line: str) -> None:
        """Read a line of `go test -json`; one that was cut, or is another program's, is left out."""
        try:
            event: Any = json.loads(line)
        except ValueError:
            return
        text = str(event.get("Output", "")).rstrip("\n")
        name, action, test = str(event.get("Package", "")), event["Action"], str(event.get("Test", ""))
        if action == "build-output":
            if error := _COMPILER.match(text):
                self._compile(error)
        elif name and action in ("run", "output", "pass", "fail", "skip", "start"):
            package = self._packages.setdefault(name, Package(self.at))
            package.is_verbose = True
            if action == "run":
                package.run(test)
            elif action == "output":
                package.text(text, test, is_error=self._is_error(event))
            elif test:
                package.result(test, action, self.at)
            elif action != "start":
                self._end_of(self._packages.pop(name), name, action, "[build failed]" if "FailedBuild" in event else "")

    def _is_error(self, event: Mapping[str, Any]) -> bool | None:
        """Return whether an output is an error and not a log; None if this version of Go does not say."""
        self._has_types = self._has_types or "OutputType" in event
        return event.get("OutputType") == "error" if self._has_types else None

    def _end(self, name: str, word: str, rest: str) -> None:
        """End a package at the line that names it."""
        package, self._package = self._package or Package(self.at), None
        self._end_of(package, name, "fail" if word == "FAIL" else "", rest)

    def _end_of(self, package: Package, name: str, state: str = "", rest: str = "") -> None:
        problems = list(package.problems(self.at))
        is_built = "[build failed]" not in rest and "[setup failed]" not in rest
        if state == "fail" and not problems and is_built:
            id = package.unfinished or name
            problems = [(Problem(None, None, id, package.exit or "FAIL", phase="exit", test=True), self.at)]
        elif not is_built and not self._has_compiler_errors:
            problems = [(Problem(None, None, name, rest.strip("[] "), phase="build", test=True), self.at)]
        if not problems and not package.counts:
            return
        self._report_compiled()
        now, self.at = self.at, package.start
        self.begin(owns=True, base=name)
        self.at = now
        for problem, at in problems:
            self.report(problem, SURE, at)
        errors = sum(1 for problem, _ in problems if problem.phase or not problem.test)
        self.finish({**package.counts, "failed": len(problems) - errors, "errors": errors}, len(problems))

    def _compile(self, error: re.Match[str]) -> None:
        self._has_compiler_errors = True
        self._compiled.append((Problem(error[1], number(error[2]), None, error[4], column=number(error[3])), self.at))

    def _report_compiled(self) -> None:
        """Report what the compiler found: a call of its own, whose files are relative to another directory."""
        for problem, at in self._compiled:
            self.report(problem, LIKELY, at)
        if self._compiled:
            self.finish(certainty=LIKELY)
        self._compiled = []
