"""Projects to measure in: a git repository with a job file, and one with a long history."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workbench import Workbench

LABELS = ("quick", "build", "docs", "lint", "test")
STAMP = "%Y%m%d_%H%M%S"
# Nobody else keeps the machine awake: where bgrun can, it would be asked for more than its peers.
HISTORY_JOBS = "\n".join(
    [
        "defaults: {inhibit_sleep: false}",
        "jobs:",
        "  nap: {command: sleep 0.2}",
        "  rest: {command: sleep 600}",
        *(f"  {label}: {{command: 'true'}}" for label in LABELS),
        "",
    ]
)
_ISO_KEYS = ("started_at", "ended_at")


def make(bench: Workbench, name: str, job_file: str) -> Path:
    """Make a project with this job file, in a git repository with a commit, so that git facts have their cost."""
    folder = bench.folder / name
    folder.mkdir()
    (folder / "bgjobs.yaml").write_text(job_file, encoding="utf-8")
    (folder / "README.md").write_text(f"# {name}\n", encoding="utf-8")
    if shutil.which("git"):
        author = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false"]
        for words in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "A project"]):
            bench.call(["git", *words], folder)
    return folder


def make_with_history(bench: Workbench, name: str, count: int, skipped: int = 0) -> Path:
    """Make a project with so many finished runs of several labels; the newest is a real one, of `quick`.

    skipped: one in so many runs is one that was skipped, which has no exit code; 0 is none.
    """
    folder = make(bench, name, HISTORY_JOBS)
    run_id = bench.read([bench.bgrun, "start", "quick", "--wait", "-q"], folder).splitlines()[0]
    texts = _texts(folder / ".logs", run_id)
    for number in range(1, count):
        _copy(folder / ".logs", texts, run_id, number)
        if skipped and number % skipped == 0:
            _skip(folder / ".logs", run_id, number)
    return folder


def _texts(logs: Path, run_id: str) -> dict[str, str]:
    """Return the texts of a run's files by the form of their names."""
    texts = {f"{{}}{path.suffix}": path.read_text(encoding="utf-8") for path in logs.glob(f"{run_id}.*")}
    texts["jobs/{}.sh"] = (logs / "jobs" / f"{run_id}.sh").read_text(encoding="utf-8")
    return texts


def _named(run_id: str, number: int) -> tuple[str, datetime]:
    """Return the ID of the run so many minutes before another one, and when it began."""
    label, stamp = LABELS[number % len(LABELS)], run_id.partition("_")[2][: len("YYYYmmdd_HHMMSS")]
    # Without a time zone: the hour that the end of summer time repeats would give two runs one name.
    at = datetime.strptime(stamp, STAMP) - timedelta(minutes=number)
    return f"{label}_{at.strftime(STAMP)}", at


def _skip(logs: Path, run_id: str, number: int) -> None:
    """Turn the run so many minutes earlier into one that was skipped."""
    copy, _ = _named(run_id, number)
    facts = meta_of(logs, copy) | {"state": "skipped", "started_at": "", "reason": "`if` is false: x"}
    kept = {key: value for key, value in facts.items() if key not in ("exit_code", "duration_s")}
    (logs / f"{copy}.meta").write_text("".join(f"{key}={value}\n" for key, value in kept.items()), encoding="utf-8")
    (logs / f"{copy}.exit").unlink()
    (logs / f"{copy}.pid").unlink()


def _copy(logs: Path, texts: Mapping[str, str], run_id: str, number: int) -> None:
    """Write a run's files once more as those of a run so many minutes earlier."""
    earlier = timedelta(minutes=number)
    copy, at = _named(run_id, number)
    for form, text in texts.items():
        path = logs / form.format(copy)
        changed = _earlier_meta(text, copy, earlier) if path.suffix == ".meta" else text.replace(run_id, copy)
        path.write_text(changed, encoding="utf-8")
        path.chmod(0o600)
        os.utime(path, (at.timestamp(), at.timestamp()))


def _earlier_meta(text: str, run_id: str, earlier: timedelta) -> str:
    """Return a run's meta as that of another run, so much earlier."""
    label, _, stamp = run_id.partition("_")
    facts = dict(line.split("=", 1) for line in text.splitlines())
    facts.update(ts=stamp, label=label, job=label, run_id=run_id)
    facts.update({key: _sooner(facts[key], earlier) for key in _ISO_KEYS if key in facts})
    return "".join(f"{key}={value}\n" for key, value in facts.items())


def _sooner(text: str, earlier: timedelta) -> str:
    return (datetime.fromisoformat(text) - earlier).isoformat(timespec="milliseconds")


def meta_of(logs: Path, run_id: str) -> dict[str, str]:
    """Return what a run's meta says."""
    text = (logs / f"{run_id}.meta").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


def run_ids(logs: Path) -> list[str]:
    """Return the ids of all runs, in the order of their names."""
    return sorted(path.stem for path in logs.glob("[!.]*.meta"))
