"""Small servers for checks of readiness: real sockets and real processes, in this process or one of their own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def listening(host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """Give a socket that listens, in this process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.listen()
        yield one


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Give the port of a server in this process, and the requests that it got.

    Each connection gets the next answer, the last one again and again.
    """
    asked: list[bytes] = []
    with listening() as server:

        def serve() -> None:
            number = 0
            with contextlib.suppress(OSError):
                while True:
                    one, _ = server.accept()
                    with one, contextlib.suppress(ConnectionError):  # the client had no time left
                        asked.append(one.recv(65536))
                        one.sendall(answers[min(number, len(answers) - 1)])
                    number += 1

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def send_forever(one: socket.socket, part: bytes) -> None:
    """Send the same again and again, a hundred times in a second at most."""
    with one, contextlib.suppress(OSError):
        while True:
            one.sendall(part)
            time.sleep(0.01)


def free_port() -> int:
    """Return a port that nothing has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


PROGRAM = """
import os, socket, sys, time
host, port, late = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
time.sleep(late)
one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind((host, port))
one.listen()
print("listening", flush=True)
while True:
    other, _ = one.accept()
    other.recv(65536)
    other.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    other.close()
"""


@contextlib.contextmanager
def process(
    port: int, host: str = "127.0.0.1", late: float = 0.0, env: dict[str, str] | None = None, wait: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Give a server in a process and session of its own, once it listens unless `wait` is False."""
    words = [sys.executable, "-S", "-c", PROGRAM, host, str(port), str(late)]
    environment = {**os.environ, **(env or {})}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as one:
        try:
            if wait:
                assert one.stdout
                assert one.stdout.readline() == "listening\n"
            yield one
        finally:
            one.kill()
