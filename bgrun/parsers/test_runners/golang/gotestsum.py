"""Read the summary that gotestsum prints after the output of `go test`, in whatever format that was."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.golang.go_tests import Package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADING = expression(r"^=== (Skipped|Failed|Errors)$")
_TEST = expression(r"^=== (FAIL|SKIP): (\S+) (\S+)(?: \(re-run \d+\))? \((?:\d[\d.]*s|unknown)\)$")
_DONE = expression(
    r"^DONE (?:\d+ runs, )?(\d+) tests?(?:, (\d+) skipped)?(?:, (\d+) failures?)?(?:, (\d+) errors?)? in \d[\d.]*s$"
)


class Summary:
    """The summary: each test that failed, with what it logged."""

    def __init__(self) -> None:
        self._failed: list[tuple[str, str, Package, int]] = []
        self._is_failed = False
        self._parents: set[tuple[str, str]] = set()
        self.counts: dict[str, int] = {}

    def feed(self, line: str, at: int) -> bool:
        """Read a line; return whether the summary continues."""
        if test := _TEST.match(line):
            self._is_failed = test[1] == "FAIL" and len(self._failed) < MOST_FAILED
            if self._is_failed:
                self._failed.append((test[2], test[3], Package(at), at))
                self._failed[-1][2].run(test[3])
                self._parents |= {(test[2], above) for above in _above(test[3])}
        elif done := _DONE.match(line):
            tests, skipped, failures, _ = (int(many or 0) for many in done.groups())
            parents = len(self._parents & {(package, name) for package, name, _, _ in self._failed})
            counts = {"failed": failures - parents, "passed": tests - skipped - failures, "skipped": skipped}
            self.counts = {what: many for what, many in counts.items() if many > 0}
            return False
        elif HEADING.match(line):
            self._is_failed = False
        elif self._is_failed:
            self._failed[-1][2].text(line)
        return True

    def problems(self) -> Iterator[tuple[Problem, int]]:
        """Yield the tests that failed: of one with subtests that did these alone. Files are relative to the module."""
        for directory, name, package, at in self._failed:
            if (directory, name) in self._parents:
                continue
            package.result(name, "fail", at)
            problem = next((one for one, _ in package.problems(at)), Problem(None, None, name, "", test=True))
            file = problem.file
            if file and "/" not in file and directory != ".":
                file = f"{directory}/{file}"
            yield problem._replace(file=file, id=name), at


def _above(name: str) -> Iterator[str]:
    """Yield the tests of which a test is a subtest."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
