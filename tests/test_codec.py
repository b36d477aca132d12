"""Values as bytes and back: named tuples come back as what they were, however deep they are nested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bgrun import codec
from bgrun.plan import Concurrency, Hook, Limits, Node, RenderedJob, RenderedPlan, Retention

PLAIN = RenderedJob("a", "true\n", "true", "bash", "/")
FULL = PLAIN._replace(
    limits=Limits(timeout_s=1.5, success_exit_codes=(0, 3)),
    retention=Retention(3, None),
    hooks=(Hook("finish", "echo"), Hook("failure", notify=True)),
    concurrency=Concurrency("db", 2, "join"),
    problems=("gcc", {"owner": "m"}),
    secrets=(("TOKEN", "s3cret"),),
)


def classes(value: object) -> object:
    """Return the classes of a value and of all in it; tuples are equal whatever their classes are."""
    inside = [classes(one) for one in value] if isinstance(value, tuple) else []
    return [type(value), inside]


@pytest.mark.parametrize("job", [PLAIN, FULL], ids=["defaults", "everything"])
def test_a_plan_comes_back_with_its_classes(job: RenderedJob) -> None:
    plan = RenderedPlan((Node(job), Node(job, (0,), "why not")), (1,), 2, fail_fast=True)
    back = codec.restore(RenderedPlan, codec.unpack(codec.pack(plan)))
    assert back == plan
    assert classes(back) == classes(plan)


@pytest.mark.parametrize("raw", [(), ("a",), (*FULL, "one more")])
def test_what_has_not_the_fields_of_its_class_is_refused(raw: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        codec.restore(RenderedJob, raw)


def test_a_mark_is_of_the_bytes_alone(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from bgrun import codec; print(codec.mark(b'jobs: {}'), codec.mark(b'jobs: {}\\n'))",
    ]
    root = Path(__file__).parent.parent
    marks = {
        subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": str(root), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    (found,) = marks
    one, other = found.decode().split()
    assert one != other
    assert len(one) == len(other) == 32
