"""Find the earlier runs that the digest of a run can be compared with, and add what the comparison shows.

Comparable are complete runs (`succeeded`, `failed`) of the label with the same script, parameters and matchers that
had finished when the run started. That the comparison stays cheap: few runs are looked at, and their digests are read
as they are kept; one without a digest is summarized only if its log is small.
"""

from __future__ import annotations

import itertools
import os

from bgrun import __version__, codec, parsers
from bgrun.errors import BgrunError
from bgrun.light import NamedTuple, suppress
from bgrun.logs import digest as digests
from bgrun.logs import digest_store
from bgrun.logs.history import comparison
from bgrun.store import facts, record
from bgrun.system import clock, reading, work_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.logs.digest import Digest
    from bgrun.model import Run
    from bgrun.store.store import Store
    from bgrun.system.work_tree import Tree

MOST_LOOKED_AT = 50
"""How many runs of the label are looked at for comparable ones."""
MOST_COMPARED = 20
"""How many comparable runs are looked at for tests that passed at the same commit."""
MOST_LOG = 1 << 20
"""The largest log, in bytes, that is summarized for a comparison."""
COMPLETE = ("succeeded", "failed")
_SAME = ("params", "working_dir", "shell", "venv", "problems", "junit")
_MOST_SCRIPT = 64 << 20
_TICK_S = 0.012
"""How far the time of a file may be behind the clock, and a time in a meta is rounded, in seconds."""


class Earlier(NamedTuple):
    """An earlier run, and its meta."""

    run: Run
    known: Mapping[str, str]


def compared(store: Store, made: Digest, known: Mapping[str, str]) -> Digest:
    """Return the digest of a run with what a comparison with earlier runs shows.

    Args:
        store: where.
        made: the digest.
        known: the meta of the run.
    """
    run = made.run
    if run.state not in COMPLETE or known.get("only_failed_of") or record.is_group(known):
        return made
    made = made._replace(made_by=code_mark())
    with suppress(BgrunError):  # an earlier run that cannot be read is not worth this digest
        tree = work_tree.clean_tree(known.get("working_dir", "")) if _has_tests(made) and run.git_sha else None
        made = made._replace(clean=_was_clean(run, tree))
        every = list(itertools.islice(comparable(store, run, known, MOST_LOOKED_AT), MOST_COMPARED))
        made = made._replace(comparison=_comparison(store, made, every))
        if made.clean and not run.succeeded:
            made = made._replace(flaky=tuple(sorted(_flaky(store, made, every, tree).items())))
    return made


def code_mark() -> str:
    """Return a mark of the code that recognizes problems: another version may recognize others in the same log."""
    stamps = []
    for folder, _, names in os.walk(os.path.dirname(parsers.__file__)):
        found = (os.stat(f"{folder}/{name}") for name in sorted(names) if name.endswith((".py", ".json")))
        stamps += [f"{one.st_size} {one.st_mtime_ns}" for one in found]
    return codec.digest("\n".join([__version__, *stamps]).encode()).hex()


def comparable(store: Store, run: Run, known: Mapping[str, str], most: int) -> Iterator[Earlier]:
    """Yield the runs that a run can be compared with, newest first, among so many of its label."""
    began = clock.epoch(run.started_at or "")
    script = _script(store, run.run_id)
    for run_id in itertools.islice(store.index().newest_first(run.label), most):
        own = store.facts(run_id) or {}
        if run_id == run.run_id or began is None or own.get("only_failed_of"):
            continue
        if any(own.get(key) != known.get(key) for key in _SAME):
            continue
        other = store.read(run_id)
        ended = clock.epoch(other.ended_at or "") if other and other.state in COMPLETE else None
        if other and ended is not None and ended <= began and script and _script(store, run_id) == script:
            yield Earlier(other, own)


def _script(store: Store, run_id: str) -> bytes:
    return reading.read(store.run(run_id).script, _MOST_SCRIPT) or b""


def _has_tests(made: Digest) -> bool:
    return any(tool.tests for tool in made.tools)


def _was_clean(run: Run, tree: Tree | None) -> bool:
    """Return whether the work tree was clean during a run, given it as it is now.

    It is the same commit, none of its files has changed since the run started, and nothing was added to its
    directories or removed from them after the run ended.
    """
    began, ended = clock.epoch(run.started_at or ""), clock.epoch(run.ended_at or "")
    if tree is None or began is None or ended is None or tree.sha != run.git_sha:
        return False
    return tree.changed < began - _TICK_S and tree.moved < ended - _TICK_S


def _comparison(store: Store, made: Digest, every: list[Earlier]) -> comparison.Comparison | None:
    """Return the comparison with the newest run that has the tools of this one."""
    may_be_made = True
    for one in every:
        before = _kept(store, one)
        if not before or before.made_by != made.made_by:
            before = _made(store, one, made.made_by) if may_be_made else None
            may_be_made = False
        if before and (found := comparison.compare(made, before)):
            return found
    return None


def _kept(store: Store, one: Earlier) -> Digest | None:
    return digest_store.read(store.run(one.run.run_id), one.run)


def _made(store: Store, one: Earlier, made_by: str) -> Digest | None:
    """Return the digest of an earlier run that was not looked at, if that takes a moment only."""
    at = store.run(one.run.run_id)
    if reading.size(at.log) > MOST_LOG:
        return None
    return digests.of_run(at, one.run, facts.job_of(one.known, ""), one.known)._replace(made_by=made_by)


def _flaky(store: Store, made: Digest, every: list[Earlier], tree: Tree | None) -> dict[int, str]:
    """Return the places of failed tests that passed at the same commit, each with the newest run that shows it."""
    found: dict[int, str] = {}
    may_be_made = True
    for one in every:
        if one.run.git_sha != made.run.git_sha:
            continue
        other = _kept(store, one)
        if other is None and may_be_made:
            other, may_be_made = _made(store, one, made.made_by), False
        if other and (other.clean or _was_clean(one.run, tree)):
            for place in comparison.passed_in(made, other):
                found.setdefault(place, one.run.run_id)
    return found
