"""Recognize behave: its lists of scenarios that failed, why each did, and its total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_LIST = expression(r"^(Failing|Errored) scenarios:$")
_ITEM = expression(r"^  (\S.*\.feature):(\d+)  (\S.*?) *$")
_SCENARIO = expression(
    r"^ +(?:@\S.*)?(?:Scenario|Scenario Outline|Scenario Template|Example): .* # (\S.*\.feature):(\d+)$"
)
_SAID = expression(r"^ {4,}(?:ASSERT FAILED|Assertion Failed): (\S.*)$")
_TRACE = expression(r"^( {4,})Traceback \(most recent call last\):$")
_ERROR = expression(r"^ +((?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning)\b.*)$")
_UNDEFINED = expression(r"^ {4}(?:Given|When|Then|And|But|\*) .* # None$")
_TOTAL = expression(
    r"^(\d+) scenarios? passed, (\d+) failed(?:, (\d+) error)?, (\d+) skipped(?:, (\d+) (?:untested|undefined))?$"
)
_FEATURES = expression(r"^\d+ features? passed, \d+ failed, (?:\d+ \w+, )*\d+ \w+$")


class Behave(Parser):
    """behave 1.2.6 and 1.3, with the formatters `pretty`, `plain` and `progress`."""

    name = "behave"
    starts = (
        "Failing scenarios:",
        "Errored scenarios:",
        r"\d[0-9]* features? passed, ",
        "Scenario",
        "Example: ",
        "ASSERT FAILED: ",
        "Assertion Failed: ",
        "Traceback ",
        "Given ",
        "When ",
        "Then ",
        "And ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, list[tuple[str, str, str, int]]] = {}
        self._why: dict[tuple[str, str], str] = {}
        self._scenario: tuple[str, str] | None = None
        self._list = ""
        self._is_trace = self._is_total = False

    def feed(self, line: str) -> bool:
        if self._is_total:
            return self._end(line)
        if found := _LIST.match(line):
            # What a step printed in this form comes before.
            self._list, self._is_trace = found[1], False
            self._lists[found[1]] = []
        elif _FEATURES.match(line):
            self._is_total = True
        elif self._list:
            item = _ITEM.match(line)
            if item and len(self._lists[self._list]) < MOST_FAILED:
                self._lists[self._list].append((item[1], item[2], item[3], self.at))
            self._list = self._list if item else ""
        elif scenario := _SCENARIO.match(line):
            self._scenario, self._is_trace = (scenario[1], scenario[2]), False
        elif self._scenario:
            self._detail(self._scenario, line)
        return bool(self._list) or self._is_trace or self._is_total

    def _detail(self, scenario: tuple[str, str], line: str) -> None:
        """Read a line that may say why a scenario failed."""
        if said := _SAID.match(line):
            self._note(scenario, said[1])
        elif _TRACE.match(line):
            self._is_trace = True
        elif self._is_trace and (error := _ERROR.match(line)):
            self._note(scenario, error[1])
            self._is_trace = False
        elif self._is_trace:
            self._is_trace = bool(line.strip())
        elif _UNDEFINED.match(line):
            self._note(scenario, "undefined step: " + line.partition("#")[0].strip())

    def _note(self, scenario: tuple[str, str], why: str) -> None:
        if len(self._why) < MOST_FAILED:
            self._why.setdefault(scenario, why)

    def _end(self, line: str) -> bool:
        """Read the line after the total of features."""
        self._is_total = False
        if total := _TOTAL.match(line):
            every = [one for some in self._lists.values() for one in some]
            now = self.at
            self.at = min((at for *_, at in every), default=now)
            self.begin(owns=True)
            self.at = now
            for file, place, name, at in sorted(every, key=lambda one: one[3]):
                why = self._why.get((file, place), "")
                self.report(Problem(file, number(place), name, why, test=True), SURE, at)
            passed, failed, errors, skipped, _ = (int(many or 0) for many in total.groups())
            counts = {"failed": failed, "errors": errors, "passed": passed, "skipped": skipped}
            self.finish(counts, failed + errors)
        self._lists, self._why, self._scenario = {}, {}, None
        return False
