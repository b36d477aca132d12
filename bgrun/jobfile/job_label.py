"""Render the label of a job, and find combinations of a matrix that share one."""

from __future__ import annotations

from bgrun.jobfile import matrix
from bgrun.templating import template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.jobfile.specs import JobSpec
    from bgrun.model import Scalar


def label_of(job: JobSpec, one: Mapping[str, Scalar] | None, values: Mapping[str, Any]) -> str:
    """Return the label of a job, or of one combination of its matrix: with its values, unless it already has them.

    Raises:
        UsageError: its template is invalid, or uses an undefined value.
    """
    base = template.render(job.label, values, f"{job.name}: label") if job.label else job.name
    return base if one is None or "matrix" in job.label else matrix.label(base, dict(one))


def label_twice(labels: Sequence[str]) -> tuple[str, str] | None:
    """Return what is wrong with labels of combinations that are not all different, and the fix."""
    twice = next((one for one in labels if labels.count(one) > 1), "")
    hint = "use the values that differ in `label:`, such as {{ matrix.NAME }}"
    return (f"two matrix combinations have the label {twice!r}", hint) if twice else None
