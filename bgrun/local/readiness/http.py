"""Check the answer to an HTTP request, with bare sockets: `http.client` takes 66 ms to import and 8 MB."""

from __future__ import annotations

import binascii
from urllib.parse import quote, unquote, urlsplit

from bgrun.local.readiness import connecting
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from bgrun.local.readiness.target import Target

_MOST_HEAD = 64 << 10
_LEAST_S = 0.5
"""How many seconds a try may take at least: the last one, too, is to tell more than that its time was up."""
_REDIRECTS = range(300, 400)


def check(target: Target, left_s: float) -> str:
    """Return '' if a GET of the URL is answered with an expected status by the run's process, else why not."""
    address = urlsplit(target.check.value)
    try:
        host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    except ValueError as error:
        return str(error).lower()
    timeout_s = max(_LEAST_S, min(left_s, connecting.TRY_S))
    until = clock.steady_clock() + timeout_s
    found = connecting.connect(host, port, timeout_s)
    if found.socket is None:
        return found.why
    with found.socket as one:
        if why := connecting.stranger(one, target):
            return why
        try:
            question = request(target.check.value)
            if address.scheme == "https":
                with _encrypted(one, host) as other:
                    return verdict(_status(other, question, until), target.check.status)
            return verdict(_status(one, question, until), target.check.status)
        except OSError as error:
            return connecting.words(error)


def verdict(status: int, expected: tuple[int, ...]) -> str:
    """Return '' if a status is expected (any 2xx if none is named), else what it is."""
    if status in expected or (not expected and 200 <= status < 300):
        return ""
    if not status:
        return "the answer is not HTTP"
    return f"answered {status}{', a redirect' if status in _REDIRECTS else ''}"


def request(url: str) -> bytes:
    """Return the request for a URL."""
    address = urlsplit(url)
    name = address.hostname or ""
    host = f"[{name}]" if ":" in name else name.encode("idna").decode()
    host += f":{address.port}" if address.port else ""
    path = quote(address.path or "/", safe="/%:@!$&'()*+,;=~") + (
        f"?{quote(address.query, safe='/%:@!$&()*+,;=~?[]')}" if address.query else ""
    )
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: bgrun", "Accept: */*", "Connection: close"]
    if address.username is not None:
        user = f"{unquote(address.username)}:{unquote(address.password or '')}".encode()
        lines.append(f"Authorization: Basic {binascii.b2a_base64(user, newline=False).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _encrypted(one: socket.socket, host: str) -> socket.socket:
    """Return a connection with TLS. Certificates are not checked: those of servers in development sign themselves."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(one, server_hostname=host)


def _status(one: socket.socket, question: bytes, until: float) -> int:
    """Return the status of the answer, or 0 if that is not HTTP; interim answers (1xx) are passed over.

    until: on the steady clock. The timeout of a socket begins anew with each part of an answer, which may come byte by
    byte, or be one interim answer after the other.

    Raises:
        OSError: no answer comes in time.
    """
    one.sendall(question)
    head = b""
    while len(head) < _MOST_HEAD:
        line, end, rest = head.partition(b"\n")
        if end:
            status = _of_line(line)
            if status // 100 != 1:
                return status
            _, blank, rest = head.replace(b"\r\n", b"\n").partition(b"\n\n")
            if blank:
                head = rest
                continue
        if (left_s := until - clock.steady_clock()) <= 0:
            raise TimeoutError
        one.settimeout(left_s)
        part = one.recv(4096)
        if not part and not head:
            raise OSError("the connection was closed without an answer")
        if not part:
            return _of_line(head)
        head += part
    return 0


def _of_line(line: bytes) -> int:
    """Return the status in the first line of an answer, or 0."""
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    return int(code) if version.startswith(b"HTTP/") and len(code) == 3 and code.isdigit() else 0
