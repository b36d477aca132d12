"""What is in the wheel and in the sdist, and what an index shows of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from tests.conftest import TOP, build_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", TOP / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def targets(text: str) -> list[str]:
    """Return where the links and pictures of a text lead, but for those within it."""
    found = [child for token in MarkdownIt().parse(text) for child in token.children or ()]
    all_of_them = [str(one.attrGet("href") or one.attrGet("src") or "") for one in found]
    return [one for one in all_of_them if one and not one.startswith("#")]


def test_the_wheel_has_the_package_alone_and_describes_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        names = wheel.namelist()
        (metadata,) = (wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"bgrun"}
    assert [name for name in names if name.endswith((".pyc", ".orig", "~"))] == []
    assert {"bgrun/py.typed", "bgrun/schemas/bgjobs.schema.json", "bgrun/cli/completion/script.fish"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    facts = Parser().parsestr(metadata)
    text = facts.get_payload()
    assert isinstance(text, str)
    assert facts["License-Expression"] == "MIT"
    assert "## Quick start" in text
    assert "<!--" not in text
    assert [one for one in targets(text) if not one.startswith("https://")] == []


def test_the_sdist_has_what_the_tests_need(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "-C", TOP, "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no clone: an sdist itself, say")
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(TOP)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = {name for name in listed.stdout.splitlines() if (TOP / name).exists()}
    assert {name for name in tracked - names if not name.startswith(".github/")} == set()
    assert {
        name for name in names - {"PKG-INFO"} if name.startswith((".venv", ".ci/agents", ".ci/clients", ".ci/logs"))
    } == set()


def test_links_become_text_where_no_repository_is_known(hook: Any) -> None:
    text = "# A\n\n<!-- fixture: x -->\n\n![p](docs/p.svg)\n\n[Tutorial](docs/t.md#a) [w](https://example.org) [here](#a)\n"
    assert hook.description(text, "") == "# A\n\nTutorial [w](https://example.org) [here](#a)\n"


def test_links_lead_to_the_repository_where_it_is_known(hook: Any) -> None:
    text = hook.description((TOP / "README.md").read_text(encoding="utf-8"), "https://example.org/bgrun/")
    assert len(targets(text)) > 30
    assert [one for one in targets(text) if not one.startswith("https://")] == []
    assert "https://example.org/bgrun/raw/HEAD/docs/assets/live-view.svg" in targets(text)
    assert "https://example.org/bgrun/blob/HEAD/docs/tutorial.md" in targets(text)
