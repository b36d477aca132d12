"""Change the code in small ways, one at a time, and see whether the tests notice.

Usage: python benchmarks/mutants.py [--sample N] [--seed S] [--only MODULE]… [--from N] [--minutes M] [--check]

A sample of mutants (benchmarks/mutation.py) is drawn with a seed, as many from each area of AREAS. For each
one the tests that are likeliest to notice are run in a copy of this tree, in a temporary folder, until one
fails. It is `killed` if that test fails a second time, too, and passes without the mutant; or `killed (time)`
if the tests do not end; else it has `survived`. Survivors that were judged to behave as the code does are in mutants_equivalent.yaml,
by the line before and after, with the reason: they count for nothing. Results are kept in a file as they
come, and what is there already for the same source is not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import mutation
import psutil
import yaml

TOP = Path(__file__).resolve().parent.parent
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.yaml")
LEAST = 0.93
"""The share of the mutants that change what the code does that has to be killed."""


class Area(NamedTuple):
    """Modules (below bgrun/, without .py) and the files of tests to run for them, likeliest first (patterns below tests/)."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


# The one place to change when modules or tests move: every pattern has to find something (tests/test_mutants.py).
AREAS = {
    "stopping": Area(
        (
            "local/stopping/stopper", "local/stopping/request", "local/stopping/orphans", "local/stopping/signals",
            "local/stopping/processes", "local/stopping/policy", "system/process",
        ),
        (
            "local/stopping/test_processes.py", "local/stopping/test_policy.py", "faults/*_stop_the_whole_tree.py", "faults/*_races.py",
            "faults/*_deadlines.py", "faults/*_kill_the_supervisor.py", "faults/*_kill_the_job.py",
            "faults/*_stop_of_an_orphan.py", "faults/*_left_running.py", "faults/*_without_linux.py", "e2e/test_old_runs.py",
            "e2e/test_plans.py", "e2e/test_concurrency.py", "cli/test_commands.py",
        ),
    ),
    "queueing": Area(
        ("local/concurrency/queue", "local/concurrency/slots"),
        (
            "e2e/test_concurrency.py", "e2e/test_plans.py", "faults/*_caller_is_killed.py", "faults/*_races.py",
            "faults/*_hostile_files.py",
        ),
    ),
    "locks": Area(
        ("system/lock", "store/claim"),
        (
            "store/test_claim.py", "faults/*_hostile_files.py", "faults/*_kill_the_supervisor.py", "faults/*_many_at_once.py",
            "faults/*_races.py", "cli/test_commands.py", "e2e/test_concurrency.py", "mcp/test_server.py",
        ),
    ),
    "records": Area(
        ("store/record", "store/stop_request", "store/orphaned_group", "store/state", "store/meta", "local/evidence", "local/recording/journal", "local/recording/group_journal"),
        (
            "store/test_state.py", "store/test_meta.py", "store/test_stop_request.py", "store/listing/test_history.py", "e2e/test_plans.py",
            "faults/*_kill_the_supervisor.py", "faults/*_kill_the_job.py", "faults/*_disk_full.py", "cli/test_commands.py",
            "faults/*_hostile_files.py", "faults/*_project_renamed.py", "faults/*_left_running.py", "faults/*_long_records.py",
            "faults/*_stop_of_an_orphan.py", "e2e/test_concurrency.py", "faults/*_caller_exits.py", "faults/*_races.py",
        ),
    ),
    "retention": Area(
        ("store/retention",),
        ("store/listing/test_history.py", "e2e/test_old_runs.py", "faults/*_stop_of_an_orphan.py", "cli/test_commands.py",
         "cli/test_stats.py", "api/test_plan_cache.py", "e2e/test_plans.py"),
    ),
    "digest": Area(
        ("logs/digest", "store/masking"),
        (
            "faults/*_secrets.py", "cli/test_digest_text.py", "parsers/test_junit.py", "parsers/test_problem_matchers.py", "logs/test_reader.py",
            "logs/test_pages.py", "faults/*_hostile_output.py", "mcp/test_server.py", "cli/test_commands.py",
        ),
    ),
    "shell text": Area(
        ("templating/lexer_state", "templating/quoting", "templating/shell_expansions", "templating/shell_lexer"),
        ("templating/test_quoting.py", "templating/test_escapes.py", "render/test_script.py", "jobfile/test_hostile.py",
         "jobfile/test_files.py"),
    ),
}  # fmt: skip
# They install wheels or drive other people's programs: far slower than they are likely to notice first.
SLOW = (
    "docs/",
    "editors/",
    "e2e/test_installed.py",
    "e2e/test_runbook.py",
    "e2e/test_real_project.py",
    "mcp/test_inspector.py",
)


_over = threading.Event()
_running: set[int] = set()


def _end_early(*_: object) -> None:
    """End what runs now, begin nothing more, and report: what was found out is kept."""
    _over.set()
    for pid in tuple(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


class Task(NamedTuple):
    """A mutant of the sample, by its number from 1, and the files of tests to run for it."""

    number: int
    area: str
    mutant: mutation.Mutant
    tests: tuple[str, ...]


class Outcome(NamedTuple):
    """What became of a mutant: `killed`, `killed (time)` or `survived`; by which test, and in how many seconds."""

    verdict: str
    by: str
    seconds: float


def path_of(module: str) -> Path:
    """Return the file of a module of AREAS."""
    return TOP / "bgrun" / f"{module}.py"


@functools.cache
def source_of(module: str) -> str:
    """Return the source of a module as it was at the first look: the checkout may change under a long run."""
    return path_of(module).read_text(encoding="utf-8")


def tests_of(area: Area, module: str) -> tuple[str, ...]:
    """Return the files of tests for a module: those of its area, led by the ones that import it or bear its name."""
    files = [path for pattern in area.tests for path in sorted((TOP / "tests").glob(pattern))]
    everything = [path for path in sorted((TOP / "tests").rglob("test_*.py")) if not _is_slow(path)]
    package, _, name = module.replace("/", ".").rpartition(".")
    imports = re.compile(
        rf"^from bgrun\.{package} import .*\b{name}\b|^from bgrun\.{package}\.{name} import", re.MULTILINE
    )
    near = [
        path for path in everything if path.stem == f"test_{name}" or imports.search(path.read_text(encoding="utf-8"))
    ]
    # Tests of functions come before those that start processes: they are done in no time.
    near.sort(key=lambda path: "faults" in path.parts or "e2e" in path.parts)
    return tuple(dict.fromkeys(str(path.relative_to(TOP)) for path in (*near, *files)))


def _is_slow(path: Path) -> bool:
    return str(path.relative_to(TOP / "tests")).startswith(SLOW)


def sample(size: int, seed: int, only: list[str]) -> list[Task]:
    """Return the mutants to try: drawn with this seed, from each area in turn until there are enough."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    drawn: list[list[tuple[str, mutation.Mutant]]] = []
    for name, area in AREAS.items():
        modules = [module for module in area.modules if not only or module in only]
        found = [(name, one) for m in modules for one in mutation.mutants(m, source_of(m))]
        rng.shuffle(found)
        drawn.append(found)
    in_turn = [
        found[place] for place in range(max(map(len, drawn), default=0)) for found in drawn if place < len(found)
    ]
    cache = {module: tests_of(area, module) for area in AREAS.values() for module in area.modules}
    return [Task(number, *one, cache[one[1].module]) for number, one in enumerate(in_turn[:size], start=1)]


class Bench:
    """A copy of the tree, with a virtual environment that has it instead of the checkout, to try mutants in."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.temp = folder / "tree", folder / "t"
        self.temp.mkdir(parents=True)
        self.stamp = int(time.time())
        self.sound: dict[str, bool] = {}
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (TOP / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TOP / name, self.tree / name)
        for module in (module for area in AREAS.values() for module in area.modules):
            self.write(module, source_of(module))
        venv = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        self.python = venv / "bin" / "python"
        (site,) = venv.glob("lib/python*/site-packages")
        packages = [one for one in sys.path if one.endswith("site-packages")]
        site.joinpath("tree.pth").write_text("\n".join([str(self.tree), *packages, ""]), encoding="utf-8")

    def write(self, module: str, text: str) -> None:
        """Put the text of a module into the copy, newer than whatever was compiled of it."""
        path = self.tree / "bgrun" / f"{module}.py"
        path.write_text(text, encoding="utf-8")
        self.stamp += 2
        os.utime(path, (self.stamp, self.stamp))

    def run(self, tests: tuple[str, ...], limit_s: float, but: tuple[str, ...] = ()) -> tuple[str, str]:
        """Run tests until one fails: ('passed' | 'failed' | 'no end' | 'broken', the first that failed)."""
        words = ["-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no"]
        words += [word for one in but for word in ("--deselect", one)]
        base = self.temp / "b"
        running = subprocess.Popen(
            [self.python, *words, f"--basetemp={base}", *tests], cwd=self.tree, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "TMPDIR": str(self.temp), "HYPOTHESIS_STORAGE_DIRECTORY": str(self.temp / "hypothesis")},
        )  # fmt: skip
        _running.add(running.pid)
        try:
            out, _ = running.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            return "no end", ""
        finally:
            _running.discard(running.pid)
            self._sweep(base)
        # Without its parameters: they may hold blanks, and anything else.
        failed = re.search(r"^(?:FAILED|ERROR) ([^\s\[]+)", out, re.MULTILINE)
        if running.returncode == 0:
            return "passed", ""
        return ("failed", failed[1]) if failed else ("broken", out[-300:])

    def _sweep(self, base: Path) -> None:
        """End what the tests of a mutant left: those with the mark of their folder; then remove the folder."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("BGRUN_LOG_DIR", "").startswith(f"{base}/"):
                    process.kill()
        shutil.rmtree(base, ignore_errors=True)

    def judge(self, task: Task, limit_s: float) -> Outcome:
        """Try one mutant."""
        source = source_of(task.mutant.module)
        began = time.monotonic()
        changed = task.mutant.applied(source)
        doubtful: tuple[str, ...] = ()
        try:
            while True:
                self.write(task.mutant.module, changed)
                verdict, by = self._verdict(task.tests, limit_s, doubtful)
                self.write(task.mutant.module, source)
                # Killed by a test that fails without the mutant, too, it is not killed yet.
                if verdict != "killed" or self._is_sound(by, limit_s):
                    return Outcome(verdict, by, round(time.monotonic() - began, 1))
                doubtful = (*doubtful, by)
        finally:
            self.write(task.mutant.module, source)

    def _verdict(self, tests: tuple[str, ...], limit_s: float, but: tuple[str, ...]) -> tuple[str, str]:
        while True:
            ended, by = self.run(tests, limit_s, but)
            if ended == "passed":
                return "survived", ""
            if ended == "no end":
                return "killed (time)", ""
            if ended == "broken" or self.run((by,), limit_s)[0] != "passed":
                return "killed", by
            # It failed once only: no verdict. On from its file, without it.
            place = next((n for n, file in enumerate(tests) if by.startswith(file)), 0)
            tests, but = tests[place:], (*but, by)

    def _is_sound(self, test: str, limit_s: float) -> bool:
        """Whether a test passes without a mutant; all of a module may be 'broken' by one that cannot be loaded."""
        if "::" not in test:
            return True
        if test not in self.sound:
            self.sound[test] = self.run((test,), limit_s)[0] == "passed"
        return self.sound[test]


class Results:
    """What is known of mutants, kept in a file, a JSON document a line; known for one state of the source only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.known: dict[str, dict[str, Any]] = {one["key"]: one for one in map(json.loads, lines)}

    def get(self, task: Task) -> Outcome | None:
        """Return what became of a mutant, if it was tried."""
        one = self.known.get(_key(task.mutant))
        return Outcome(one["verdict"], one["by"], one["seconds"]) if one else None

    def put(self, task: Task, outcome: Outcome) -> None:
        """Keep what became of a mutant."""
        key = _key(task.mutant)
        one = {"key": key, "name": task.mutant.name, **outcome._asdict()}
        self.known[key] = one
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def _key(mutant: mutation.Mutant) -> str:
    return f"{mutant.name}@{sha256(source_of(mutant.module).encode()).hexdigest()[:12]}"


def judged(path: Path = EQUIVALENT) -> dict[tuple[str, str, str, str], str]:
    """Return the mutants that change nothing (module, function, line before, line after) with the reason."""
    listed = yaml.safe_load(path.read_text(encoding="utf-8")) or [] if path.exists() else []
    return {(one["module"], one["within"], one["before"], one["after"]): one["reason"] for one in listed}


def identity(mutant: mutation.Mutant) -> tuple[str, str, str, str]:
    """Return what a judgement goes by: it outlives a move of the line."""
    return mutant.module, mutant.within, mutant.before, mutant.after


def try_all(tasks: list[Task], results: Results, minutes: float, at_once: int, limit_s: float) -> None:
    """Try what is not known yet, some at once, until the time is up."""
    todo = [task for task in tasks if results.get(task) is None]
    if not todo:
        return
    end = time.monotonic() + minutes * 60
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        benches: SimpleQueue[Bench] = SimpleQueue()
        for number in range(min(at_once, len(todo))):
            benches.put(Bench(Path(folder) / str(number)))

        def one(task: Task) -> None:
            if _over.is_set() or time.monotonic() > end:
                return
            bench = benches.get()
            try:
                outcome = bench.judge(task, limit_s)
            finally:
                benches.put(bench)
            if _over.is_set():
                return
            results.put(task, outcome)
            at = f"bgrun/{task.mutant.module}.py:{task.mutant.line}"
            print(f"{task.number:4} {outcome.verdict:14} {outcome.seconds:6} s  {at}  {outcome.by}", flush=True)

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, todo))


def report(tasks: list[Task], results: Results) -> float:
    """Print what became of the sample, with the diff of each survivor; return the share that was killed."""
    equivalent = judged()
    known = [(task, outcome) for task in tasks if (outcome := results.get(task))]
    same = [task for task, outcome in known if outcome.verdict == "survived" and identity(task.mutant) in equivalent]
    left = [task for task, outcome in known if outcome.verdict == "survived" and task not in same]
    for task in left:
        source = source_of(task.mutant.module)
        print(f"\nsurvived: {task.number} bgrun/{task.mutant.module}.py:{task.mutant.line} ({task.mutant.kind})")
        print(task.mutant.diff(source))
    print()
    for area in AREAS:
        ours = [outcome.verdict for task, outcome in known if task.area == area]
        print(f"{area:12} {sum(one != 'survived' for one in ours):4} of {len(ours)} killed")
    late = sum(outcome.verdict == "killed (time)" for _, outcome in known)
    changing = len(known) - len(same)
    killed = (changing - len(left)) / changing if changing else 0.0
    print(
        f"{len(known)} of {len(tasks)} tried, {late} of them ended by the time limit, {len(same)} judged as equivalent"
    )
    print(f"killed: {changing - len(left)} of {changing} that change what the code does, {killed:.1%}")
    return killed


def main() -> int:
    """Try a sample and report it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sample", type=int, default=200, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], metavar="MODULE", help="such as local/stopping/request")
    parser.add_argument("--from", type=int, default=1, dest="first", help="begin with this number of the sample")
    parser.add_argument("--minutes", type=float, default=600, help="begin no further mutant after that")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1200, help="seconds that the tests of one mutant may take")
    parser.add_argument("--tests", action="append", default=[], metavar="FILE", help="run these files instead")
    parser.add_argument("--results", type=Path, default=TOP / ".ci" / "logs" / "mutants.jsonl")
    parser.add_argument("--list", action="store_true", help="show the sample and the tests, and try nothing")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if less than {LEAST:.0%} were killed")
    asked = parser.parse_args()
    known = [module for area in AREAS.values() for module in area.modules]
    if unknown := [module for module in asked.only if module not in known]:
        parser.error(f"no module {unknown[0]}; there are: {' '.join(known)}")
    tasks = sample(asked.sample, asked.seed, asked.only)[asked.first - 1 :]
    if asked.tests:
        tasks = [task._replace(tests=tuple(asked.tests)) for task in tasks]
    if asked.list:
        for task in tasks:
            print(f"{task.number:4} {task.mutant.module}:{task.mutant.line} {task.mutant.kind}: {task.mutant.after}")
        return 0
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    results = Results(asked.results)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_early)
    try_all(tasks, results, asked.minutes, asked.at_once, asked.limit)
    killed = report(tasks, results)
    complete = all(results.get(task) for task in tasks)
    return 1 if asked.check and (killed < LEAST or not complete) else 0


if __name__ == "__main__":
    sys.exit(main())
