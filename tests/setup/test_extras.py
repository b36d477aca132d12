"""The command that adds an extra is that of the installer that made the environment."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from bgrun.setup.extras import install_command

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = ["click>=8.1", "mcp<3,>=2.0; extra == 'mcp'", 'ruff>=0.6; extra == "dev"']


@pytest.mark.parametrize(
    ("receipt", "command"),
    [
        ("uv-receipt.toml", "uv pip install --python {python} 'mcp<3,>=2.0'"),
        ("pipx_metadata.json", "pipx inject bgrun 'mcp<3,>=2.0'"),
        ("", "{python} -m pip install 'mcp<3,>=2.0'"),
    ],
)
def test_each_installer_adds_it_its_own_way(
    receipt: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/a b/python")
    monkeypatch.setattr(metadata, "requires", lambda _: DECLARED)
    if receipt:
        (tmp_path / receipt).touch()
    assert install_command("mcp") == command.format(python=shlex.quote(sys.executable))


def test_a_checkout_that_was_not_installed_needs_the_package_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert install_command("mcp").endswith(" mcp")
