"""Recognize the test harness of Rust, as `cargo test` runs it: one call for each binary."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.rust_failures import PANIC, Failure

_RUNNING = expression(r"^running (\d+) tests?$")
_BINARY = expression(r"^ +(?:Running (?:unittests )?(\S+\.rs) \(\S*?([^/\s]+)-[0-9a-f]+\)|Doc-tests (\S+))$")
_RESULT = expression(r"^(\S.*?)(?: - should panic)? --- FAILED$")
_STARTED = expression(r"^test (\S.*?)(?: - should panic)? \.\.\. (.*)$")
_SECTION = expression(r"^---- (\S.*) stdout ----$")
_LISTED = expression(r"^    (\S.*)$")
_TOTAL = expression(r"^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; ")
_SIGNAL = expression(r"^  process didn't exit successfully: `(\S+).*` \((.*)\)$")


class CargoTest(Parser):
    """cargo test, with its options --quiet, --nocapture and --show-output."""

    name = "cargo-test"
    stems = ("process didn't exit successfully",)
    starts = (
        "running ",
        "Running ",
        "Doc-tests ",
        "test result: ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._binary = ""
        self._crate = ""
        self._name = ""
        self._seen: set[tuple[str | None, str | None]] = set()
        self._sections: dict[str, Failure] = {}
        self._printed: dict[str, Failure] = {}
        self._section: Failure | None = None
        self._listed: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._part = ""
        self._is_running = False
        self._running = 0

    def feed(self, line: str) -> bool:
        if binary := _BINARY.match(line):
            self._binary, self._crate = binary[1] or "", binary[2] or binary[3]
        elif (running := _RUNNING.match(line)) and not self._is_shown:
            self._end()
            self.begin(owns=True)
            self._is_running, self._running = True, int(running[1][:9])
        elif self._is_running:
            self._inner(line)
        elif (signal := _SIGNAL.match(line)) and "exit status: 101" not in signal[2]:
            self.report(Problem(self._binary or None, None, None, signal[2], phase="exit", test=True), SURE)
        return self._is_running

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _inner(self, line: str) -> None:
        """Read a line between the heading and the total of a binary."""
        if total := _TOTAL.match(line):
            counts = [int(number[:9]) for number in total.groups()]
            if sum(counts) == self._running and not self._is_shown:  # otherwise a test printed it
                self._end(counts)
        elif signal := _SIGNAL.match(line):
            self._end()
            self.report(Problem(self._binary or None, None, None, signal[2], phase="exit", test=True), SURE)
        elif line in ("failures:", "successes:"):
            # The last one has the names; a section before may print such a line.
            self._part, self._section, self._listed = line, None, {}
        elif len(self._sections) < MOST_FAILED and (section := _SECTION.match(line)):
            self._section = self._sections.setdefault(section[1], Failure())
            self._section.is_passed = self._part == "successes:"
        elif self._part == "failures:" and not self._section and (listed := _LISTED.match(line)):
            self._listed[listed[1]] = self.at
        elif result := _RESULT.match(line):
            self._failed[result[1]] = self.at
        elif not self._part and (started := _STARTED.match(line)):
            self._started(started[1], started[2])
        else:
            self._section = self._of_thread(line) or self._section
            if self._section:
                self._section.feed(line)
            if not self._part and line == "FAILED":
                self._failed[self._name] = self.at

    @property
    def _is_shown(self) -> bool:
        """Whether a line is what a test printed: its output is shown once all have run, and the total follows."""
        return bool(self._part and self._section)

    def _of_thread(self, line: str) -> Failure | None:
        """Return the failed test that a panic names: a line that its test printed may look like the end of it."""
        if not (panic := PANIC.match(line)):
            return None
        if panic[1] in self._failed and panic[1] in self._sections:
            return self._sections[panic[1]]
        is_known = panic[1] in self._printed or not (self._part or len(self._printed) == MOST_FAILED)
        return self._printed.setdefault(panic[1], Failure()) if is_known else None

    def _started(self, name: str, rest: str) -> None:
        """Read the line of a test; with --nocapture, what it prints follows its name."""
        self._name = name
        if rest == "FAILED":
            self._failed[name], self._section = self.at, None
        else:
            self._section = self._printed.setdefault(name, Failure())
            self._section.feed(rest)

    def _end(self, total: list[int] | None = None) -> None:
        """Report the failures of a binary that is open."""
        if not self._is_running:
            return
        for name, at in (self._listed or self._failed).items():
            failure = self._sections.get(name) or self._printed.get(name) or Failure()
            problem = failure.problem(name, self._binary)
            if (problem.file, name) in self._seen and self._crate:
                # Two crates may have a test of the same name in files of the same name.
                problem = problem._replace(id=f"{self._crate} {name}")
            self._seen.add((problem.file, name))
            self.report(problem, SURE, at)
        passed, failed, ignored, _ = total or (0, 0, 0, 0)
        self.finish(
            {"failed": failed, "passed": passed, "ignored": ignored} if total else {}, failed if total else None
        )
        self._sections, self._printed, self._listed, self._failed = {}, {}, {}, {}
        self._section, self._part, self._is_running = None, "", False
