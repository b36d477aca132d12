"""What is shown of a run: its own counts and nobody else's, never a secret; and readers that go away."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soaking.ground import LAST_S
from soaking.singles import started_id, verdict

if TYPE_CHECKING:
    from soaking.ground import Done, Trial

REPORT = """\
# Writes a JUnit report, or not, as it is told: bash FILE WAY PASSED FAILED
way=$1 passed=$2 failed=$3
cases=
for ((i = 0; i < passed; i++)); do cases+="<testcase classname='c' name='p$i'/>"; done
for ((i = 0; i < failed; i++)); do cases+="<testcase classname='c' name='f$i'><failure message='boo'/></testcase>"; done
write() { echo "<testsuite tests='$((passed + failed))' failures='$failed'>$cases</testsuite>" > "$1"; }
case $way in
  written) write r.xml ;;
  renamed) write r.new && mv r.new r.xml ;;
  crashed) exit 9 ;;
  killed) write r.xml; kill -9 $$ ;;
esac
[ "$failed" = 0 ]
"""
ENDS = {"written": 0, "renamed": 0, "crashed": 9, "killed": 137}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[K|[\x00-\x08\x0b-\x1f\x7f]")


# --- digests --------------------------------------------------------------------------------------


def digests(trial: Trial) -> None:
    """Runs one after the other with one report file: each has its own counts, or none."""
    rng = trial.rng
    script = trial.ground.notes / f"{trial.place}.report"
    script.write_text(REPORT)
    wanted = [
        (rng.choice(["written", "written", "renamed", "crashed", "killed"]), rng.randrange(9), rng.randrange(4))
        for _ in range(rng.randrange(3, 6))
    ]
    of = {
        f"t{at}": ["bash", str(script), way, str(passed), str(failed)]
        for at, (way, passed, failed) in enumerate(wanted)
    }
    shared = {"reports": {"junit": "r.xml"}, "inhibit_sleep": False}
    jobs: dict[str, Any] = {name: {"command": words, "label": "t", **shared} for name, words in of.items()}
    line = {"concurrency": {"group": "g"}}
    jobs |= {
        "holder": {"command": trial.job("holder", 40, 0), **line},
        "t_queued": {"command": of["t0"], **shared, **line},
    }
    trial.own_project(json.dumps({"jobs": jobs}))
    found = []
    for name, one in zip(of, wanted, strict=True):
        run_id = started_id(trial.bgrun("start", name))
        if run_id:
            found.append((run_id, one))
            trial.ended(run_id)
            if rng.random() < 0.3:
                _has_its_own(trial, run_id, *one)
    if rng.random() < 0.3:
        _queued_has_none(trial)
    rng.shuffle(found)
    for run_id, one in found:
        _has_its_own(trial, run_id, *one)


def _has_its_own(trial: Trial, run_id: str, way: str, passed: int, failed: int) -> None:
    code = ENDS[way] or int(failed > 0)
    trial.judge(run_id, {verdict(code)})
    counts = {name: count for name, count in (("passed", passed), ("failed", failed)) if count}
    told = _counts(trial, run_id)
    due = {} if way == "crashed" else counts
    trial.expect("wrong digests", told == due, f"{run_id} ({way}): report says {told}, and it was {due}")


def _queued_has_none(trial: Trial) -> None:
    holder = started_id(trial.bgrun("start", "holder"))
    queued = started_id(trial.bgrun("start", "t_queued"))
    if holder and queued:
        trial.bgrun("stop", queued)
        told = _counts(trial, queued)
        trial.expect("wrong digests", not told, f"{queued} never ran, and its report says {told}")
        trial.bgrun("stop", holder)


def _counts(trial: Trial, run_id: str) -> dict[str, int]:
    done = trial.bgrun("report", run_id, "--json")
    try:
        counts = (json.loads(done.out)["digest"] or {}).get("counts") or {}
    except (ValueError, KeyError, TypeError):
        return {"unreadable": 1}
    return {name: count for name, count in counts.items() if count}


# --- secrets --------------------------------------------------------------------------------------


def secrets(trial: Trial) -> None:
    """A secret printed in many ways, and reported by a test: it is in nothing that is shown, and in no other file."""
    rng = trial.rng
    secret = _secret(rng)
    at = rng.randrange(1, len(secret))
    coloured = f"{secret[:at]}\x1b[01;31m\x1b[K{secret[at:]}"
    nulled = f"{secret[:at]}\x00{secret[at:]}"
    padding = "x" * rng.choice([0, 3, 65530, 65536 - at])
    texts = [
        f"{padding}{secret}",
        f"a {coloured} b",
        f"c {nulled} d",
        f"FAILED t.py::t - {secret}",
        f"{secret}{secret}",
    ]
    rng.shuffle(texts)
    message = secret.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    report = (
        f'<testsuite tests="1" failures="1"><testcase classname="c" name="t[{message}]">'
        f'<failure message="no {message} no">{message}</failure></testcase></testsuite>'
    )
    data = trial.ground.notes / f"{trial.place}.data"
    data.write_text("".join(f"{text}\n" for text in texts))
    Path(f"{data}.xml").write_text(report)
    command = f"cat {data}; cp {data}.xml r.xml; sleep {rng.random() / 5:.2f}; exit 3"
    job = {"command": command, "secrets": ["TOKEN"], "reports": {"junit": "r.xml"}, "on_finish": ["env"]}
    trial.own_project(json.dumps({"jobs": {"t": job | {"inhibit_sleep": False}}}))
    trial.env["TOKEN"] = secret
    run_id = started_id(trial.bgrun("start", "t"))
    if not run_id:
        trial.lie("commands that broke or hung", "t was not started")
        return
    del trial.env["TOKEN"]
    shown = {"follow": trial.bgrun("follow", run_id)}
    trial.judge(run_id, {verdict(3)})
    cursor = rng.randrange(1, data.stat().st_size)
    for words in (
        ("report", run_id),
        ("report", run_id, "--json"),
        ("status", run_id),
        ("status", run_id, "--json"),
        ("logs", run_id),
        ("logs", run_id, "--since", f"{run_id}@{cursor}"),
        ("list", "--json"),
        ("wait", run_id, "--json"),
    ):
        shown[shlex.join(words)] = trial.bgrun(*words)
    for what, done in shown.items():
        _is_clean(trial, secret, what, done)
    for path in Path(trial.log_dir).rglob("*"):
        if path.is_file() and path.suffix not in (".log", ".hooks") and ".reports" not in str(path):
            clear = secret.encode() in path.read_bytes()
            trial.expect("secrets shown", not clear, f"{path.name} holds {secret!r}")


def _secret(rng: random.Random) -> str:
    """Return a secret as people have them: a token, one with quotes and blanks, one in other letters."""
    alphabet = rng.choice(["abcdefghij0123456789", "abcXYZ019+/=._-", "ab c'd\"e$f`g\\h", "äöüß日本語abc"])
    return "q" + "".join(rng.choice(alphabet) for _ in range(rng.choice([6, 12, 40, 200]))) + "z"


def _is_clean(trial: Trial, secret: str, what: str, done: Done) -> None:
    for text in (done.out, done.err):
        forms = [text, ESCAPES.sub("", text), text.replace("\\n", "\n")]
        with contextlib.suppress(ValueError):
            forms.append("\n".join(_strings(json.loads(text))))
        at = max(form.find(secret) for form in forms)
        trial.expect("secrets shown", at < 0, f"{what} shows {secret!r}")
        # A cursor in the midst of it must not give its rest either.
        rest = secret[len(secret) // 2 :]
        if len(rest) >= 6:
            trial.expect("secrets shown", at >= 0 or all(rest not in form for form in forms), f"{what} shows {rest!r}")


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []


# --- readers that go away ---------------------------------------------------------------------------


def closed_pipes(trial: Trial) -> None:
    """A reader that is gone before, during or after a command: that ends quietly, and what was started runs."""
    rng = trial.rng
    trial.own_project()
    code = rng.choice([0, 3])
    runs = [_piped(trial, "run", f"r{at}", "--", *trial.job(f"n{at}", 0.1, code)) for at in range(2)]
    trial.nobody_launches()
    for at in range(len(runs)):
        found = trial.run_ids(f"r{at}")
        trial.expect(
            "wrong verdicts", len(found) == 1, f"r{at} was started for a reader who is gone, and there is {found}"
        )
        for run_id in found:
            trial.judge(run_id, {verdict(code)})
            trial.expect("wrong verdicts", len(trial.notes("begin", f"n{at}")) == 1, f"{run_id} began more than once")
    for words in (
        ("list",),
        ("status", "r0"),
        ("logs", "r0"),
        ("wait", "r0"),
        ("report", "r1", "--json"),
        ("follow", "r1"),
    ):
        if rng.random() < 0.5:
            _piped(trial, *words)


def _piped(trial: Trial, *words: str) -> int:
    """Give a command's output to nobody, to a reader who leaves, or to a disk that is full; judge its exit."""
    command = [trial.python, "-m", "bgrun", *words]
    kind = trial.rng.choice(["closed", "leaves", "full"]) if os.path.exists("/dev/full") else "closed"  # noqa: PTH110
    reader, writer = (-1, os.open("/dev/full", os.O_WRONLY)) if kind == "full" else os.pipe()
    if kind == "closed":
        os.close(reader)
    child = subprocess.Popen(
        command, cwd=trial.folder, env=trial.env, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    if kind == "leaves":
        time.sleep(trial.rng.random() * 0.1)
        os.close(reader)
    try:
        err = child.communicate(timeout=LAST_S)[1].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        trial.lie("commands that broke or hung", f"{kind} pipe: {shlex.join(words)} hung")
        return -1
    trial.count(f"{kind}: exit {child.returncode}")
    told = kind == "full" and "No space left" in err and "internal error" not in err
    broke = not (told or child.returncode in (0, 1, 2, 141)) or "Traceback" in err or "Exception ignored" in err
    trial.expect(
        "commands that broke or hung",
        not broke,
        f"{kind} pipe: {shlex.join(words)}: exit {child.returncode} {err[-400:]}",
    )
    return child.returncode
