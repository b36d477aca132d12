"""The job files in README and docs are valid, fragments too: `validate` finds nothing wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from markdown_it import MarkdownIt

from bgrun import api
from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("**/*.md"))]
TOP_LEVEL = {"jobs", "defaults", "groups", "include", "log_dir", "services"}
FILES = {
    "ci/jobs.yaml": "jobs: {lint: {command: ruff}}",
    "packages/web/bgjobs.yaml": "jobs: {test: {command: npm}}",
    ".github/matchers/style.json": '{"problemMatcher": [{"owner": "style", "pattern": [{"regexp": "(.*)", "message": 1}]}]}',
}
"""Files that the examples name."""
NAMED = ("build", "lint", "test", "deploy")
"""Jobs that fragments name without declaring them."""


def examples() -> list[tuple[str, str]]:
    """Return each YAML block that is a job file or a part of one, with its place."""
    fences = [(page, token) for page in PAGES for token in MarkdownIt().parse(page.read_text(encoding="utf-8"))]
    return [
        (f"{page.name}:{token.map[0] + 1}", token.content)
        for page, token in fences
        if token.info == "yaml" and token.map and not token.content.startswith("- run:")
    ]


def whole(text: str) -> str:
    """Return a job file: a fragment of a job is put below `jobs:`, and jobs that it only names are declared."""
    content = yaml.safe_load(text if not text.startswith("  ") else f"jobs:\n{text}")
    assert content.keys() <= TOP_LEVEL
    jobs = content.setdefault("jobs", {})
    for name in () if "include" in content else NAMED:
        jobs.setdefault(name, {"command": "true"})
    return yaml.safe_dump(content, sort_keys=False)


def test_there_are_examples() -> None:
    assert len(examples()) > 15


@pytest.mark.parametrize(("place", "text"), examples(), ids=[place for place, _ in examples()])
def test_an_example_is_valid(place: str, text: str, tmp_path: Path) -> None:
    for name, content in {**FILES, "bgjobs.yaml": whole(text)}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found, warnings = api.jobs.validate(api.locate(str(tmp_path), None))
    assert found.jobs, place
    assert warnings == []
