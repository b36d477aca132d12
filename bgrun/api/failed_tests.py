"""Find the failed tests of a run, and make the job that runs these alone (`bgrun rerun JOB --failed`)."""

from __future__ import annotations

import os
import re
import shlex

from bgrun.api import insight, jobs
from bgrun.api.references import whole_again
from bgrun.api.runs import read
from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.logs.places import Places
from bgrun.render.job_command import FAILED
from bgrun.store import facts, masking
from bgrun.templating import template
from bgrun.wording import count, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bgrun.api.insight import Digest, Problem
    from bgrun.jobfile.project import Project
    from bgrun.jobfile.specs import JobSpec
    from bgrun.model import Run
    from bgrun.plan import RenderedJob

MOST_BYTES = 96 << 10
"""How many bytes of test IDs a command takes: Linux passes an argument of at most 128 KiB (execve(2))."""
_AFTER_DASHES = re.compile(r"(?:^|\s)--\s+\{\{-?\s*failed\b")


class FailedTests(NamedTuple):
    """The failed tests of a run: the IDs to run, and how many others there are that cannot be.

    too_many: how many do not fit into a command.
    unknown: how many the tool counted, or reported with an ID that is not known.
    unloaded: how many files could not be loaded, so that it is not known which of their tests failed.
    unnamed: how many the tool reported without an ID.
    """

    ids: tuple[str, ...]
    too_many: int = 0
    unknown: int = 0
    unloaded: int = 0
    unnamed: int = 0

    def words(self, run_id: str) -> str:
        """Return what a rerun of them runs, and why it leaves others out."""
        total = len(self.ids) + self.too_many + self.unknown + self.unnamed
        of = "" if total == len(self.ids) else f"{len(self.ids)} of "
        reasons = ((_TOO_MANY, self.too_many), (_UNKNOWN, self.unknown), (_UNNAMED, self.unnamed))
        why = [text for text, is_so in reasons if is_so]
        if self.unloaded:
            left = "file that could not be loaded is" if self.unloaded == 1 else "files that could not be loaded are"
            why.append(f"{self.unloaded} {left} left out")
        return f"only {of}{count(total, 'failed test')} of {run_id}{': ' if why else ''}{'; '.join(why)}"


class FailedFiles(NamedTuple):
    """The files of the failed tests of a run: those to run, and how many others there are.

    too_many: how many files do not fit into a command.
    unknown: how many tests the tool counted, or reported without a file that exists.
    """

    files: tuple[str, ...]
    too_many: int = 0
    unknown: int = 0

    def words(self, run_id: str) -> str:
        """Return what a rerun of them runs, and why it leaves others out."""
        total = len(self.files) + self.too_many
        of = f"{len(self.files)} of " if self.too_many else ""
        why = [text for text, is_so in ((_TOO_MANY, self.too_many), (_NO_FILE, self.unknown)) if is_so]
        return f"only {of}{count(total, 'file')} with failed tests of {run_id}{': ' if why else ''}{'; '.join(why)}"


_TOO_MANY, _UNKNOWN, _UNNAMED = "a command takes no more", "not all were recognized", "some have no ID"
_NO_FILE = "not every failed test has a known file"
_COLLECTION = "collection"
"""The phase in which a tool loads the file of tests."""


def job_of(project: Project, run_id: str, known: Mapping[str, str]) -> RenderedJob:
    """Return the job that runs the failed tests of a run, or their files, alone: the `rerun` that is declared now.

    Args:
        project: where.
        run_id: the run.
        known: its meta.

    Raises:
        UsageError: its job declares none, it is active, nothing failed, no failed test was recognized, or it is not
            certain which file a test is in.
    """
    declared = _declared(project, run_id, known.get("job", ""))
    job, root = facts.job_of(known, ""), known.get("repo_dir", "")
    digest = _digest(project, read(project, run_id))
    places = Places(root, job.working_dir, job.cmd)
    here = job.working_dir or root
    digest = digest._replace(problems=tuple(_from_directory(one, here, root, places) for one in digest.problems))
    files = failed_files(digest, lambda test: _file_of(test, here, root))
    found: FailedTests | FailedFiles = files
    ids: tuple[str, ...] = ()
    if uses_ids(declared.rerun):
        found = failed_tests(digest, masked=bool(known.get("secrets")))
        ids = tuple(as_argument(one, after_dashes=is_after_dashes(declared.rerun)) for one in found.ids)
    if not (ids or (found is files and files.files)):
        hint = f"see 'bgrun report {run_id}'; rerun it whole with '{whole_again(project, digest.run)}'"
        what = "no file of a failed test" if found is files else "no failed test"
        raise UsageError(f"{what} of {run_id} was recognized", hint)
    given = [f"{key}={value}" for key, value in job.params]
    made = jobs.render(project, declared.name, given, failed=(ids, files.files))
    return made._replace(only_failed_of=run_id, only_failed=found.words(run_id))


def _declared(project: Project, run_id: str, name: str) -> JobSpec:
    if not name:
        message = f"--failed needs a group run or a job with `rerun:`, and {run_id} is neither"
        raise UsageError(message, f"rerun it whole with 'bgrun rerun {run_id}'")
    declared = jobs.find(project, name)
    if not declared.rerun:
        hint = "for example: rerun: pytest {{ failed }}, or: rerun: mocha {{ failed_files }}"
        raise UsageError(f"job {name!r} does not declare `rerun:`", hint)
    return declared


def _digest(project: Project, run: Run) -> Digest:
    if run.live:
        raise UsageError(f"{run.run_id} is still {run.state}", f"wait for it with 'bgrun wait {run.run_id}'")
    if run.succeeded:
        part = f", as only failed tests of {run.only_failed_of}" if run.only_failed_of else ""
        hint = f"rerun it whole with '{whole_again(project, run)}'"
        raise UsageError(f"nothing failed in {run.run_id}: it succeeded{part}", hint)
    return insight.whole_digest(project, run)


def _from_directory(test: Problem, directory: str, root: str, places: Places) -> Problem:
    """Return a test with its ID as it is from a directory, if it begins with a file and is from another one.

    pytest names a test from its root directory, which is another one after `cd api && pytest`, or where a file above
    configures it.

    Raises:
        UsageError: several files may be meant.
    """
    path, colons, name = (test.id or "").partition("::")
    if not (test.test and colons and path) or os.path.isabs(path):
        return test
    here, known = os.path.join(directory, path), os.path.join(root, test.file or "")
    if test.tool == "pytest" and os.path.isdir(known):
        return test._replace(id=None)  # it leaves out the file of a test outside its root directory
    every = places.of_name(path)
    if f"/{test.file}".endswith(f"/{path}") and os.path.isfile(known):
        every = [os.path.realpath(known)]  # the log named the directory
    if len(every) > 1 and not os.path.isfile(here):
        shown = names(os.path.relpath(one, os.path.realpath(directory)) for one in every)
        hint = "run each directory of tests as a job of its own, with `working_dir:`"
        raise UsageError(f"{path} of a failed test may be any of {shown}", hint)
    if not every or os.path.realpath(here) in every:
        return test
    return test._replace(id=f"{os.path.relpath(every[0], os.path.realpath(directory))}::{name}")


def _file_of(test: Problem, directory: str, root: str) -> str | None:
    """Return the file of a test as it is from a directory, or None if it is not known or does not exist."""
    path, colons, _ = (test.id or "").partition("::")
    named = os.path.join(directory, path) if colons and path else os.path.join(root, test.file or "")
    for file in (named, os.path.join(root, test.file or "")):
        if os.path.isfile(file):
            return os.path.relpath(os.path.realpath(file), os.path.realpath(directory))
    return None


# --- the tests: pure ----------------------------------------------------------------------------


def failed_tests(digest: Digest, most: int = MOST_BYTES, *, masked: bool = False) -> FailedTests:
    """Return the failed tests in the digest of a run, each once.

    A file that could not be loaded is left out if there are others: given one, pytest would run none of them.

    Args:
        digest: the digest.
        most: how many bytes the IDs may take in a command.
        masked: whether the run has secrets, so that `***` in an ID stands for a part of it that is not known.
    """
    failed = [one for one in digest.problems if one.test and not one.mild]
    tests = [one for one in failed if one.phase != _COLLECTION]
    unloaded = len({one.file or one.id for one in failed if one.phase == _COLLECTION})
    if not any(one.id for one in tests):
        tests, unloaded = [one for one in failed if one.id], 0  # there is nothing to leave them out for
    named = [one for one in tests if one.id]
    known = [one for one in named if not (masked and masking.MASK in (one.id or ""))]
    every = dict.fromkeys(map(_id, known))
    fitting = list(_fitting(every, most))
    unknown = len(named) - len(known) + digest.more + digest.unrecognized
    return FailedTests(tuple(fitting), len(every) - len(fitting), unknown, unloaded, len(tests) - len(named))


def failed_files(digest: Digest, file_of: Callable[[Problem], str | None], most: int = MOST_BYTES) -> FailedFiles:
    """Return the files of the failed tests in the digest of a run, each once; also those that could not be loaded.

    Args:
        digest: the digest.
        file_of: returns the file of a test as an argument, or None.
        most: how many bytes the files may take in a command.
    """
    failed = [one for one in digest.problems if one.test and not one.mild]
    named = [file for file in map(file_of, failed) if file]
    every = dict.fromkeys(f"./{file}" if file[:1] in ("-", "@") else file for file in named)
    fitting = tuple(_fitting(every, most))
    unknown = len(failed) - len(named) + digest.more + digest.unrecognized
    return FailedFiles(fitting, len(every) - len(fitting), unknown)


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


def uses_ids(rerun: str | tuple[str, ...]) -> bool:
    """Return whether a `rerun` takes the IDs of the tests, and not their files alone."""
    return any(template.uses(text, FAILED) for text in ((rerun,) if isinstance(rerun, str) else rerun))


def is_after_dashes(rerun: str | tuple[str, ...]) -> bool:
    """Return whether the IDs in a `rerun` come after `--`, where nothing is an option."""
    if isinstance(rerun, str):
        return bool(_AFTER_DASHES.search(rerun))
    places = [place for place, word in enumerate(rerun) if template.uses(word, FAILED)]
    return bool(places) and "--" in rerun[: places[0]]
