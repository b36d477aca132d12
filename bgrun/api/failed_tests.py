"""Find the failed tests of a run, and make the job that runs these alone (`bgrun rerun JOB --failed`)."""

from __future__ import annotations

import re
import shlex

from bgrun.api import insight, jobs
from bgrun.api.runs import read
from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.store import facts, masking
from bgrun.wording import count, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.api.insight import Digest, Problem
    from bgrun.jobfile.project import Project
    from bgrun.jobfile.specs import JobSpec
    from bgrun.model import RenderedJob, Run

MOST_BYTES = 96 << 10
"""How many bytes of test IDs a command takes: Linux passes an argument of at most 128 KiB (execve(2))."""
_AFTER_DASHES = re.compile(r"(?:^|\s)--\s+\{\{-?\s*failed\b")


class FailedTests(NamedTuple):
    """The failed tests of a run: the IDs to run, and how many others there are that cannot be.

    too_many: how many do not fit into a command.
    unknown: how many the tool counted, or reported without an ID.
    """

    ids: tuple[str, ...]
    too_many: int = 0
    unknown: int = 0

    def words(self, run_id: str) -> str:
        """Return what a rerun of them runs, and why it leaves others out."""
        total = len(self.ids) + self.too_many + self.unknown
        of = "" if total == len(self.ids) else f"{len(self.ids)} of "
        why = [text for text, is_so in ((_TOO_MANY, self.too_many), (_UNKNOWN, self.unknown)) if is_so]
        return f"only {of}{count(total, 'failed test')} of {run_id}{f': {names(why)}' if why else ''}"


_TOO_MANY, _UNKNOWN = "a command takes no more", "not all were recognized"


def job_of(project: Project, run_id: str, known: Mapping[str, str]) -> RenderedJob:
    """Return the job that runs the failed tests of a run alone, by the `rerun` of its job as it is declared now.

    Args:
        project: where.
        run_id: the run.
        known: its meta.

    Raises:
        UsageError: its job declares none, it is active, nothing failed, or no failed test was recognized.
    """
    declared = _declared(project, run_id, known.get("job", ""))
    found = failed_tests(_digest(project, read(project, run_id)), masked=bool(known.get("secrets")))
    if not found.ids:
        hint = f"see 'bgrun report {run_id}'; rerun it whole with 'bgrun rerun {run_id}'"
        raise UsageError(f"no failed test of {run_id} was recognized", hint)
    ids = tuple(as_argument(one, after_dashes=is_after_dashes(declared.rerun)) for one in found.ids)
    given = [f"{key}={value}" for key, value in facts.job_of(known, "").params]
    made = jobs.render(project, declared.name, given, failed=ids)
    return made._replace(only_failed_of=run_id, only_failed=found.words(run_id))


def _declared(project: Project, run_id: str, name: str) -> JobSpec:
    if not name:
        message = f"--failed needs a group run or a job with `rerun:`, and {run_id} is neither"
        raise UsageError(message, f"rerun it whole with 'bgrun rerun {run_id}'")
    declared = jobs.find(project, name)
    if not declared.rerun:
        raise UsageError(f"job {name!r} does not declare `rerun:`", "for example: rerun: pytest {{ failed }}")
    return declared


def _digest(project: Project, run: Run) -> Digest:
    if run.live:
        raise UsageError(f"{run.run_id} is still {run.state}", f"wait for it with 'bgrun wait {run.run_id}'")
    if run.succeeded:
        hint = f"rerun it whole with 'bgrun rerun {run.run_id}'"
        raise UsageError(f"nothing failed in {run.run_id}: it succeeded", hint)
    return insight.whole_digest(project, run)


# --- the tests: pure ----------------------------------------------------------------------------


def failed_tests(digest: Digest, most: int = MOST_BYTES, *, masked: bool = False) -> FailedTests:
    """Return the failed tests in the digest of a run, each once.

    Args:
        digest: the digest.
        most: how many bytes the IDs may take in a command.
        masked: whether the run has secrets, so that `***` in an ID stands for a part of it that is not known.
    """
    tests = [one for one in digest.problems if one.test and not one.mild]
    known = [one for one in tests if one.id and not (masked and masking.MASK in one.id)]
    every = dict.fromkeys(map(_id, known))
    fitting = list(_fitting(every, most))
    unknown = len(tests) - len(known) + digest.more + digest.unrecognized
    return FailedTests(tuple(fitting), len(every) - len(fitting), unknown)


def _id(test: Problem) -> str:
    """Return the ID of a test, with `./` before a path that a program would take for an option or a file of options."""
    id = test.id or ""
    is_path = "::" in id or (test.file is not None and id.startswith(test.file))
    return f"./{id}" if is_path and id[:1] in ("-", "@") else id


def _fitting(ids: Iterable[str], most: int) -> Iterable[str]:
    room = most
    for one in ids:
        room -= len(shlex.quote(one).encode("utf-8", "surrogateescape")) + 1
        if room < 0:
            return
        yield one


def as_argument(id: str, *, after_dashes: bool) -> str:
    """Return the ID of a test as an argument.

    Raises:
        UsageError: the program would take it for an option.
    """
    if id.startswith("-") and not after_dashes:
        hint = "if the program knows `--`, write `-- {{ failed }}` in `rerun:`"
        raise UsageError(f"the program would take the test ID {id!r} for an option", hint)
    return id


def is_after_dashes(rerun: str | tuple[str, ...]) -> bool:
    """Return whether the IDs in a `rerun` come after `--`, where nothing is an option."""
    if isinstance(rerun, str):
        return bool(_AFTER_DASHES.search(rerun))
    places = [place for place, word in enumerate(rerun) if "failed" in word]
    return bool(places) and "--" in rerun[: places[0]]
