"""Connections that we make to addresses which somebody configured: never to what only we can reach (SSRF).

The address that a connection really has is checked before anything is sent: loopback, link-local (cloud metadata) and other
special addresses are refused unless `TIDEGATE_OUTGOING_ALLOW` names their network.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from authsvc.core.trust import client_context

TIMEOUT = (3.0, 5.0)  # seconds to connect, and between two pieces of an answer
_lookups = threading.BoundedSemaphore(32)


class Refused(Exception):
    """The address is one that nobody may send us to."""


def allowed(address: str, networks: Sequence[str]) -> bool:
    """True if we may connect there: any unicast address that is not special, or in one of the networks."""
    here = ipaddress.ip_address(address)
    if isinstance(here, ipaddress.IPv6Address) and here.ipv4_mapped:
        here = here.ipv4_mapped
    if any(here in ipaddress.ip_network(network) for network in networks):
        return True
    special = here.is_loopback or here.is_link_local or here.is_multicast or here.is_unspecified or here.is_reserved
    return not special


def connect(host: str, port: int, networks: Sequence[str], timeout: float) -> socket.socket:
    """A TCP connection to the first address of a host that answers within `timeout` seconds, and no others are tried after
    twice as long. Nothing is sent to an address that is not allowed, not even a first packet.

    Raises:
        Refused: it has no other addresses than such.
        OSError: nobody answers, or no name server.
    """
    until = time.monotonic() + 2 * timeout
    found = _looked_up(host, port, timeout)
    reachable = [(family, address) for family, address in found if allowed(str(address[0]), networks)]
    if not reachable:
        raise Refused(f"{host} is an address that requests may not go to; TIDEGATE_OUTGOING_ALLOW can allow it")
    for number, (family, address) in enumerate(reachable, 1):
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(min(timeout, max(0.001, until - time.monotonic())))
        try:
            connection.connect(address)
            connection.settimeout(timeout)
            return connection
        except OSError:
            connection.close()
            if number == len(reachable) or time.monotonic() >= until:
                raise
    raise AssertionError("unreachable")


def _looked_up(host: str, port: int, timeout: float) -> list[tuple[int, Any]]:
    """(family, address) of a host. The system's own way knows no limit, so it is waited for elsewhere.

    Raises:
        OSError: there is no such host, or nobody says so in time.
    """
    if not _lookups.acquire(blocking=False):
        raise TimeoutError("too many names are being looked up")
    answers: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, "no such name"))
        finally:
            _lookups.release()

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answers.get(timeout=timeout)
    except Empty:
        raise TimeoutError("no name server answers") from None
    if isinstance(found, OSError):
        raise found
    return [(family, address) for family, _, _, _, address in found]


class Adapter(HTTPAdapter):
    """Guarded requests. `connections`: what was opened, held a second time, since TLS takes over the socket that it is given;
    unless nobody is going to hang up (`is_bounded`)."""

    def __init__(self, networks: Sequence[str], verify: bool, ca: str, *, is_bounded: bool = True) -> None:
        self._networks = networks
        self._is_bounded = is_bounded
        self._is_over = threading.Event()
        self.connections: list[socket.socket] = []
        self._context = client_context(ca)
        if not verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = _pools(self._networks, self._note)
        self.poolmanager = manager

    def hang_up(self) -> None:
        """From another thread: whatever is read or written from now on fails."""
        self._is_over.set()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _note(self, connection: socket.socket) -> None:
        if not self._is_bounded:
            return
        self.connections.append(connection.dup())
        if self._is_over.is_set():
            connection.close()
            raise TimeoutError("it has taken too long")

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        super().close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """By our context alone; requests would put its own bundle in."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context}


def _pools(networks: Sequence[str], note: Callable[[socket.socket], None]) -> dict[str, Any]:
    def guarded(connection: Any) -> socket.socket:
        made = connect(connection._dns_host, connection.port, networks, TIMEOUT[0])  # noqa: SLF001 - urllib3's own way
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        note(made)
        return made

    class Plain(HTTPConnection):
        _new_conn = guarded

    class Secure(HTTPSConnection):
        _new_conn = guarded

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

        def _validate_conn(self, conn: Any) -> None:
            """Without urllib3's warning: that a certificate is not verified was configured so."""
            if conn.is_closed:
                conn.connect()

    return {"http": PlainPool, "https": SecurePool}
