"""Find the runs that a command refers to. Without a reference these are the active runs, or else the newest."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import output
from bgrun.errors import UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.api import Project
    from bgrun.model import Run


def several(project: Project, refs: Sequence[str], *, without_stopping: bool = False) -> list[Run]:
    """Return the runs that references mean, each once; without references the current ones.

    without_stopping: leave out runs that were requested to stop, unless no other is active.
    """
    if not refs:
        return api.references.current(project, without_stopping=without_stopping)
    return api.references.meant(project, refs, without_stopping=without_stopping)


def one_run(project: Project, ref: str | None) -> Run:
    """Return the run that `ref` means: itself or the newest. Note other active runs on standard error."""
    return _chosen(ref, api.references.newest(project, ref)) if ref else _newest(api.references.current(project))


def one_whole(project: Project, ref: str) -> Run:
    """Return the newest run of the whole job or group that `ref` means, or the run of that ID."""
    found = api.references.whole(project, ref)
    if found.passed_over:
        output.note(f"rerunning {found.run.run_id}: {found.passed_over.run_id} ran only a part")
    return _chosen(ref, found)


def one_to_read(project: Project, ref: str | None) -> Run:
    """Return the run as `one_run` does; without `ref` the newest of the current ones that has a log."""
    if ref:
        return one_run(project, ref)
    found = api.references.current(project)
    return _newest(sorted(found, key=lambda run: not api.logs.has_log(run)))


def _newest(found: Sequence[Run]) -> Run:
    run, *others = found
    if others:
        output.note(f"showing {run.run_id}; also active: {names(one.run_id for one in others)}")
    return run


def one_with_log(project: Project, ref: str) -> Run:
    """Return the newest run that `ref` means and that has a log."""
    found = api.references.with_log(project, ref)
    if found.passed_over:
        output.note(f"a newer run has no log: {found.passed_over.run_id} ({found.passed_over.state})")
    return _chosen(ref, found)


def _chosen(ref: str, found: api.references.Newest) -> Run:
    if found.others:
        output.note(f"{ref} means {found.run.run_id}; also active: {names(found.others)}")
    return found.run


def require_one(runs: Sequence[Run]) -> None:
    """Require exactly one run, for `--exit-code`.

    Raises:
        UsageError: there are several, or none.
    """
    if len(runs) != 1:
        hint = f"name one of {names(run.run_id for run in runs)}" if runs else ""
        raise UsageError(f"--exit-code needs exactly one run, got {len(runs)}", hint)
