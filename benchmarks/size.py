"""What grows with size: looks among 100,000 runs, starts of 1,000 jobs, looks right after a change, long lines followed."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from typing import TYPE_CHECKING

import memory
import procfs
import project
import wakeups
from workbench import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench import Options, Spent, Workbench

RUNS, SKIPPED, RECENT, JOBS = 100_000, 5, 20_000, 1_000
LINE_BYTES, LINES_S = 300_000_000, 5
LOOKS = (["stats"], ["prune", "--dry-run"], ["status"])
AFTER = (["start", "docs"], ["status", "lint"], ["status", "quick"], ["list"], ["status"])
FIRST, AGAIN = f"group of {JOBS:,} jobs: first start", f"group of {JOBS:,} jobs: again"
LINE, LINE_MEMORY = "follow a line of 300 MB", "follow a line of 300 MB: its memory"
STREAM = "follow 1,000 lines a second"
PLAN, PLAN_ASLEEP = "a plan of 2,000 runs, 2 at once", "a plan of 2,000 runs while nothing changes"
_FOLLOWED = f"""\
import os, sys, time
if sys.argv[1] == "line":
    for _ in range({LINE_BYTES // 1_000_000}):
        os.write(1, b"x" * 1_000_000)
else:
    end = time.monotonic() + {LINES_S}
    while time.monotonic() < end:
        os.write(1, b"a line of a log with some text in it\\n")
        time.sleep(0.001)
"""


def look(words: list[str], *, cold: bool = False) -> str:
    """Return what the row of a look among many runs is called."""
    return f"{' '.join(words)}, {RUNS:,} runs" + (", without caches" if cold else "")


def after(words: list[str]) -> str:
    """Return what the row of a command right after a change is called."""
    return f"{' '.join(words)} right after a change, {RECENT:,} runs"


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure the processor time of each: others on the machine do not lengthen it much."""
    if shutil.disk_usage(bench.folder).free < 5 * LINE_BYTES:
        bench.notes.append(f"sizes are not measured: the disk of {bench.folder} has too little free")
        return []
    parts = (_starts, _plan, _follow, _after, _looks)
    return [one for part in parts for one in part(bench, options)]


def _looks(bench: Workbench, options: Options) -> list[Figure]:
    bench.tell(f"making a project with {RUNS:,} runs, which takes minutes")
    folder = project.make_with_history(bench, "many", RUNS, SKIPPED)
    found = []
    for words in LOOKS:
        _without_caches(folder)
        found.append(_seconds(look(words, cold=True), [bench.spend([bench.bgrun, *words], folder)]))
    for words in LOOKS:
        bench.spend([bench.bgrun, *words], folder)
        found.append(
            _seconds(look(words), _times(options, lambda words=words: bench.spend([bench.bgrun, *words], folder)))
        )  # type: ignore[misc]
    return found


def _starts(bench: Workbench, options: Options) -> list[Figure]:
    names = [f"j{number}" for number in range(JOBS)]
    jobs = "\n".join(f"  {name}: {{command: 'true {name}'}}" for name in names)
    job_file = f"defaults: {{inhibit_sleep: false}}\njobs:\n{jobs}\n"
    folder = project.make(bench, "jobs", f"{job_file}groups:\n  all: {{jobs: [{', '.join(names)}], max_parallel: 8}}\n")
    first, again = [], []
    for _ in range(options.seldom):
        for spent in (first, again):
            if spent is first:
                _without_caches(folder)
            spent.append(bench.spend([bench.bgrun, "group", "all"], folder))
            bench.call([bench.bgrun, "wait", "all", "-q"], folder)
    return [_seconds(FIRST, first), _seconds(AGAIN, again)]


def _plan(bench: Workbench, options: Options) -> list[Figure]:
    if not procfs.HERE:
        return []
    job = f"{{command: sleep 600, matrix: {{n: {list(range(1000))}}}}}"
    jobs = f"defaults: {{inhibit_sleep: false}}\njobs:\n  one: {job}\n  two: {job}\n"
    folder = project.make(bench, "plan", f"{jobs}groups:\n  all: {{jobs: [one, two], max_parallel: 2}}\n")
    bench.call([bench.bgrun, "group", "all"], folder)
    time.sleep(2 * memory.SETTLE_S)
    (pid,) = memory.supervisors(folder)
    kept = procfs.memory(pid)
    asleep = wakeups.watch({PLAN_ASLEEP: pid}, options.asleep_s / 2)
    bench.call([bench.bgrun, "stop", "all", "--now", "-q"], folder)
    return [Figure(PLAN, kept.pss, "MiB", note=f"RSS {kept.rss:.1f}"), *asleep]


def _after(bench: Workbench, options: Options) -> list[Figure]:
    """Measure commands just after another label was started, as ratios to a bare interpreter just after the same."""
    folder = project.make_with_history(bench, "recent", RECENT)
    spent: dict[str, list[Spent]] = {after(words): [] for words in AFTER}
    bare: list[Spent] = []
    change = [bench.bgrun, "start", "build", "--wait", "-q"]
    for _ in range(options.rounds):
        bench.call(change, folder)  # it leaves caches cold, whatever is run next
        bare.append(bench.spend([sys.executable, "-c", "pass"], folder))
        for words in AFTER:
            bench.call(change, folder)
            spent[after(words)].append(bench.spend([bench.bgrun, *words], folder))
    floor = statistics.median(one.used_s for one in bare)
    return [_seconds(what, found)._replace(ratio=_used(found) / floor) for what, found in spent.items()]


def _follow(bench: Workbench, options: Options) -> list[Figure]:
    jobs = "\n".join(f"  {kind}: {{command: [{sys.executable}, followed.py, {kind}]}}" for kind in ("line", "stream"))
    folder = project.make(bench, "followed", f"defaults: {{inhibit_sleep: false}}\njobs:\n{jobs}\n")
    (folder / "followed.py").write_text(_FOLLOWED, encoding="utf-8")
    bench.call([bench.bgrun, "start", "line", "--wait", "-q"], folder)
    line = _times(options, lambda: bench.spend([bench.bgrun, "follow", "line"], folder))
    bench.call([bench.bgrun, "start", "stream", "-q"], folder)
    stream = bench.spend([bench.bgrun, "follow", "stream"], folder)
    share = Figure(STREAM, 100 * stream.used_s / stream.took_s, "% of a core", note="with its own start")
    return [_seconds(LINE, line), Figure(LINE_MEMORY, max(one.mib for one in line), "MiB RSS"), share]


def _without_caches(folder: Path) -> None:
    shutil.rmtree(folder / ".logs" / ".cache", ignore_errors=True)


def _times(options: Options, act: Callable[[], Spent]) -> list[Spent]:
    return [act() for _ in range(options.half)]


def _used(found: list[Spent]) -> float:
    return statistics.median(one.used_s for one in found)


def _seconds(what: str, found: list[Spent]) -> Figure:
    took = statistics.median(one.took_s for one in found)
    return Figure(what, _used(found), "s of CPU", note=f"{took:.3f} s passed")
