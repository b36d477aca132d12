"""The ports of services: the same one each time, another one for each checkout, none that is taken."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bgrun.errors import BusyError, PortTakenError, StorageError
from bgrun.system import files, ports
from tests.local.readiness.servers import free_port, listening


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory with the assignments, inside tmp_path."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "bgrun" / "ports"


def project(tmp_path: Path, name: str) -> str:
    (tmp_path / name).mkdir(exist_ok=True)
    return str(tmp_path / name)


def test_a_service_has_the_same_port_each_time(tmp_path: Path) -> None:
    here = project(tmp_path, "here")
    port = ports.assign(here, "web")
    assert 20_000 <= port < 30_000
    assert ports.assign(here, "web") == port


def test_services_and_checkouts_have_ports_of_their_own(tmp_path: Path) -> None:
    found = [
        ports.assign(project(tmp_path, f"tree{number}"), name) for number in range(20) for name in ("web", "db", "q")
    ]
    assert len(set(found)) == 60


def test_another_service_with_the_same_first_port_gets_the_next_one(tmp_path: Path, state: Path) -> None:
    here, there = project(tmp_path, "here"), project(tmp_path, "there")
    port = ports.assign(here, "web")
    (state / str(port)).write_text(f"{there}\nweb\n")
    assert ports.assign(here, "web") == next_of(port)
    assert ports.assign(here, "web") == next_of(port)


def next_of(port: int) -> int:
    return port + 1 if port < 29_999 else 20_000


def test_the_port_of_a_project_that_no_longer_exists_is_given_to_another_one(tmp_path: Path, state: Path) -> None:
    here, there = project(tmp_path, "here"), project(tmp_path, "there")
    port = ports.assign(here, "web")
    (state / str(port)).write_text(f"{there}\nweb\n")
    shutil.rmtree(there)
    assert ports.assign(here, "web") == port
    assert (state / str(port)).read_text() == f"{here}\nweb\n"


@pytest.mark.parametrize("content", ["", "\n", "nonsense"])
def test_a_file_without_an_owner_assigns_nothing(tmp_path: Path, state: Path, content: str) -> None:
    here = project(tmp_path, "here")
    port = ports.assign(here, "web")
    (state / str(port)).write_text(content)
    assert ports.assign(here, "web") == port


def test_a_port_that_a_process_has_is_passed_over_while_it_has_it(tmp_path: Path) -> None:
    here = project(tmp_path, "here")
    port = ports.assign(here, "web")
    with listening(port=port):
        assert ports.assign(here, "web") == next_of(port)
    assert ports.assign(here, "web") == port


def test_starts_at_once_get_different_ports(tmp_path: Path, state: Path) -> None:
    trees = [project(tmp_path, f"tree{number}") for number in range(8)]
    first = ports.assign(trees[0], "web")
    shutil.rmtree(state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports.zlib, "crc32", lambda _: first - ports.FIRST)  # all of them want the same one
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(lambda tree: ports.assign(tree, "web"), trees)]
    assert len(set(found)) == len(trees)


def test_a_lock_that_is_held_is_an_error_that_says_how_to_find_its_holder(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "MUTEX_S", 0.02)
    ports.assign(project(tmp_path, "here"), "web")
    with (state / "mutex").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BusyError) as caught:
            ports.assign(project(tmp_path, "here"), "web")
    assert caught.value.hint == f"find and stop it: fuser {state}/mutex"


def test_a_symbolic_link_in_place_of_a_port_is_not_followed(tmp_path: Path, state: Path) -> None:
    here = project(tmp_path, "here")
    port = ports.assign(here, "web")
    other = tmp_path / "other"
    other.write_text("mine")
    (state / str(port)).unlink()
    (state / str(port)).symlink_to(other)
    with pytest.raises(StorageError):
        ports.assign(here, "web")
    assert other.read_text() == "mine"


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        ports.assign(project(tmp_path, "here"), "web")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104
def test_a_port_is_not_free_while_a_socket_listens_on_any_usual_address(host: str) -> None:
    port = free_port()
    assert ports.is_free(port)
    with listening(host, port):
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_a_port_whose_connections_were_just_closed_is_free() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        other, _ = server.accept()
        other.close()  # the server closes first: its side stays in TIME_WAIT
        client.close()
    assert ports.is_free(port)


def test_a_port_that_a_plan_holds_is_given_to_nobody_else(tmp_path: Path) -> None:
    here = project(tmp_path, "here")
    port = ports.assign(here, "web")
    held = ports.reserve([port])
    assert list(held) == [port]
    assert ports.assign(here, "web") == next_of(port)
    with pytest.raises(PortTakenError):
        ports.reserve([next_of(port), port])
    os.close(held[port])
    assert ports.assign(here, "web") == port
    held = ports.reserve([port, next_of(port)])  # the start that failed holds nothing
    assert list(held) == [port, next_of(port)]
    for fd in held.values():
        os.close(fd)
