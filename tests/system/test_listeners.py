"""Who listens on a port: found through proc(5), and through psutil elsewhere."""

from __future__ import annotations

import os
import socket

import pytest

from bgrun.system import listeners, process
from tests.local.readiness import servers

linux = pytest.mark.skipif(not process.LINUX, reason="needs proc(5)")


@pytest.fixture(params=["proc", "psutil"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to inspect processes."""
    if request.param == "psutil":
        monkeypatch.setattr(process, "LINUX", False)
    elif not process.LINUX:
        pytest.skip("needs proc(5)")
    return str(request.param)


def test_the_process_that_listens_is_found(way: str) -> None:
    port = servers.free_port()
    with servers.process(port) as server:
        assert listeners.find(port) == server.pid, way
        assert listeners.name_of(server.pid).startswith("python")


def test_nobody_listens_on_a_free_port(way: str) -> None:
    assert listeners.find(servers.free_port()) == 0, way


def test_a_process_that_is_gone_has_no_name(way: str) -> None:
    assert listeners.name_of(2**22 + 1) == "", way


@linux
def test_a_connection_is_no_listener() -> None:
    with servers.listening() as server, socket.create_connection(server.getsockname()) as client:
        assert listeners.sockets(client.getsockname()[1]) == []


@linux
@pytest.mark.parametrize(
    ("host", "asked", "found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104
        ("::1", "::1", True),
        ("::", "::1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("127.0.0.1", "::1", False),
    ],
)
def test_only_sockets_that_a_connection_can_reach_are_returned(host: str, asked: str, found: bool) -> None:
    family = socket.AF_INET6 if ":" in asked else socket.AF_INET
    with servers.listening(host) as server:
        reached = listeners.reached(server.getsockname()[1], socket.inet_pton(family, asked))
    assert bool(reached) is found


@linux
def test_the_socket_of_an_address_comes_before_that_of_all_addresses() -> None:
    with servers.listening("127.0.0.2") as exact, servers.listening("::", exact.getsockname()[1]):
        port = exact.getsockname()[1]
        (one,) = listeners.reached(port, socket.inet_pton(socket.AF_INET, "127.0.0.2"))
        assert [*listeners.holders([one])] == [os.getpid()]
        assert not one.is_wildcard
