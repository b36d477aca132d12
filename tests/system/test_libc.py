"""Functions of the C library are found where it has them."""

from __future__ import annotations

import os
import sys

import pytest

from bgrun.system import libc, process


@pytest.fixture(autouse=True)
def _nothing_found_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "_found", {})


@pytest.mark.skipif(not process.LINUX, reason="nothing is searched off Linux")
@pytest.mark.parametrize("absent", ["", "_ctypes"])
def test_a_function_takes_numbers_and_paths(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if absent:
        import ctypes  # noqa: F401 - which has its own hold on it

        monkeypatch.setitem(sys.modules, absent, None)
    access = libc.find("access")
    assert access
    assert (access(b"/", os.F_OK), access(b"/no such file", os.F_OK)) == (0, -1)
    assert libc.find("no_such_function") is None


def test_nothing_is_searched_off_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINUX", False)
    assert libc.find("access") is None
