"""Files are written whole or not at all, and never through what somebody else put in their place."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from bgrun.system import files, libc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


REPLACEMENTS = [files.replace, files.replace_recent]


@pytest.fixture(params=["names can be exchanged", "they cannot"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try both, as on Linux and on other systems."""
    if request.param == "they cannot":
        monkeypatch.setattr(libc, "find", lambda _: None)


@pytest.mark.usefixtures("exchange")
@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_a_file_is_replaced_whole_and_is_its_owners_alone(
    tmp_path: Path, replace: Callable[[str, str, bytes], None]
) -> None:
    path, hidden = tmp_path / "x", tmp_path / ".x"
    before = os.umask(0)
    try:
        replace(str(path), str(hidden), b"one")
    finally:
        os.umask(before)
    reader = path.open("rb")
    replace(str(path), str(hidden), b"two")
    with reader:
        assert reader.read() == b"one", "who reads the old file reads all of it"
    assert path.read_bytes() == b"two"
    assert mode(path) == files.FILE_MODE
    assert not hidden.exists()


@pytest.mark.parametrize("replace", REPLACEMENTS)
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_in_the_way_of_a_replacement_is_not_written_through(
    tmp_path: Path, kind: str, replace: Callable[[str, str, bytes], None]
) -> None:
    path, hidden, target = tmp_path / "x", tmp_path / ".x", tmp_path / "target"
    target.write_bytes(b"theirs")
    {"file": hidden.touch, "folder": hidden.mkdir, "link": lambda: hidden.symlink_to(target)}[kind]()
    replace(str(path), str(hidden), b"ours")
    assert (path.read_bytes(), target.read_bytes()) == (b"ours", b"theirs")
    assert not path.is_symlink()


@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_of_a_replacement_that_fails_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: Callable[[str, str, bytes], None]
) -> None:
    path, hidden = tmp_path / "x", tmp_path / ".x"
    path.write_bytes(b"before")
    with pytest.raises(FileNotFoundError):
        replace(str(tmp_path / "gone" / "x"), str(hidden), b"ours")
    assert not hidden.exists()
    monkeypatch.setattr(files, "write_all", _fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        replace(str(path), str(hidden), b"ours")
    assert not hidden.exists(), "a part of it would keep the last bytes that are free"
    assert path.read_bytes() == b"before"


def _fill_the_disk(fd: int, data: bytes) -> None:
    os.write(fd, data[:1])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_cannot_be_published_stays_where_a_reader_finds_it(tmp_path: Path) -> None:
    path, hidden = tmp_path / "x", tmp_path / ".x"
    (path / "something").mkdir(parents=True)
    with pytest.raises(OSError, match="x"):
        files.commit(str(path), str(hidden), b"3\n")
    assert hidden.read_bytes() == b"3\n"


@pytest.mark.usefixtures("exchange")
def test_a_link_in_the_place_of_a_recent_file_is_replaced_itself(tmp_path: Path) -> None:
    path, target = tmp_path / "x", tmp_path / "target"
    target.write_bytes(b"theirs")
    path.symlink_to(target)
    files.replace_recent(str(path), str(tmp_path / ".x"), b"ours")
    assert (path.read_bytes(), target.read_bytes(), path.is_symlink()) == (b"ours", b"theirs", False)
    assert sorted(os.listdir(tmp_path)) == ["target", "x"]


def test_a_file_that_exists_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert files.create_whole(str(path), str(tmp_path / ".1"), b"first")
    assert not files.create_whole(str(path), str(tmp_path / ".2"), b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["x"]
    with pytest.raises(FileExistsError):
        files.create(str(path))


@pytest.mark.parametrize("data", [b"0\n", b"143\n", b"x" * 100])
def test_what_was_reserved_is_published_under_its_name(tmp_path: Path, data: bytes) -> None:
    path, hidden = tmp_path / "x.exit", tmp_path / ".x.exit"
    files.reserve(str(hidden), 16)
    assert hidden.stat().st_size == 16
    files.commit(str(path), str(hidden), data)
    assert path.read_bytes() == data
    assert not hidden.exists()


@pytest.mark.parametrize("kind", ["gone", "link", "pipe"])
def test_a_reserve_that_is_no_file_any_more_is_done_without(tmp_path: Path, kind: str) -> None:
    path, hidden, target = tmp_path / "x.exit", tmp_path / ".x.exit", tmp_path / "target"
    target.write_bytes(b"theirs")
    if kind == "link":
        hidden.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(hidden)
    files.commit(str(path), str(hidden), b"7\n")
    assert (path.read_bytes(), target.read_bytes()) == (b"7\n", b"theirs")


def test_what_is_removed_is_a_file_or_a_link_and_never_what_that_leads_to(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.mkdir()
    link.symlink_to(kept)
    assert not files.remove(str(kept)), "a directory is no file"
    assert files.remove(str(link))
    assert kept.exists()
    assert not files.remove(str(link))


@pytest.mark.parametrize("mode", [files.FILE_MODE, files.SCRIPT_MODE])
@pytest.mark.parametrize("given", [0o755, 0o640, 0o700, 0o600])
def test_on_a_file_system_without_modes_a_file_has_to_be_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, given: int
) -> None:
    """Some have secrets in them; a script that cannot be made executable is run with a shell anyway."""

    def refuse(*_: object) -> None:
        raise PermissionError

    really_open, really_set = os.open, os.fchmod

    def mounted(path: str, flags: int, _: int) -> int:
        fd = really_open(path, flags, given)
        really_set(fd, given)  # whatever the umask
        return fd

    monkeypatch.setattr(os, "open", mounted)
    monkeypatch.setattr(os, "fchmod", refuse)
    opened = len(os.listdir("/dev/fd"))
    if given & 0o077:
        with pytest.raises(PermissionError):
            files.create(str(tmp_path / "x"), mode=mode)
        assert not list(tmp_path.iterdir())
    else:
        os.close(files.create(str(tmp_path / "x"), mode=mode))
        assert (tmp_path / "x").exists()
    assert len(os.listdir("/dev/fd")) == opened
