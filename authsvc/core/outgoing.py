"""Requests that we make to others because somebody configured their address: providers, issuers, remote registries, webhooks.

Such an address may be made up to reach what only we can reach (SSRF). So the address that a connection really has is
checked before anything is sent: loopback, link-local (cloud metadata) and other special addresses are refused unless
`TIDEGATE_OUTGOING_ALLOW` names their network; no redirect is followed, no proxy taken from the environment, and answers are
bounded in time and size.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.core.trust import client_context

_TIMEOUT = (3.0, 5.0)  # seconds to connect, and between two pieces of the answer
_TOTAL = 10.0  # seconds for all of it
_MAX_ANSWER = 1024 * 1024
_MAX_SAID = 64 * 1024  # of an answer that only says whether all is well
_lookups = threading.BoundedSemaphore(32)

# An answer may break off, be no JSON, or nest without end.
FAILURES = (requests.RequestException, HTTPError, OSError, ValueError, RecursionError)


class Refused(Exception):
    """The address is one that nobody may send us to."""


class Answered(Unavailable):
    """An answer with another status than 200; `said`: the JSON object in it, if there is one."""

    def __init__(self, message: str, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(message, retry_after=10)
        self.status = status
        self.said = said


def allowed(address: str, networks: Sequence[str]) -> bool:
    """True if we may connect there: any unicast address that is not special, or in one of the networks."""
    here = ipaddress.ip_address(address)
    if isinstance(here, ipaddress.IPv6Address) and here.ipv4_mapped:
        here = here.ipv4_mapped
    if any(here in ipaddress.ip_network(network) for network in networks):
        return True
    special = here.is_loopback or here.is_link_local or here.is_multicast or here.is_unspecified or here.is_reserved
    return not special


def check_url(name: str, url: str, networks: Sequence[str]) -> str:
    """An address that somebody configures for us to send requests to, without a slash at its end.

    A host given as number, in whatever form, is checked here; a name when a connection is made, each time, since what it stands
    for can change (and so that asking us tells nobody what our name servers know).

    Raises:
        BadRequest: it is no http or https address, holds a user or a fragment, or is one that requests may not go to.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadRequest(f"{name} is not an address") from None
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\<>\"'`{}|^")
    if parts.scheme not in ("http", "https") or not host or not plain or "@" in parts.netloc or parts.fragment or len(url) > 512:
        raise BadRequest(f"{name} must look like https://registry.example.com, with no user, blanks or fragment in it")
    if not _may_be_allowed(host, networks):
        raise BadRequest(f"{name}: requests may not go to {host}; TIDEGATE_OUTGOING_ALLOW can allow it")
    return url.rstrip("/")


def _may_be_allowed(host: str, networks: Sequence[str]) -> bool:
    """False for an address in numbers (`127.1`, `0x7f000001`, `[::1]`, ...) or a name of this host that is not allowed."""
    bare = host.rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return allowed("127.0.0.1", networks)
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True
    return all(allowed(str(address[0]), networks) for *_, address in found)


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


@contextmanager
def session(networks: Sequence[str], *, verify: bool = True, ca: str = "") -> Iterator[requests.Session]:
    """A guarded session, which ends after some seconds: timeouts are for single pieces, and who sends one now and then would hold
    us for ever. `ca`: certificates in PEM, besides the system's. Whatever goes wrong is one of `FAILURES`."""
    must_be_free("asking somebody else")
    adapter = _Adapter(networks, verify, ca)
    timer = threading.Timer(_TOTAL, adapter.hang_up)
    timer.daemon = True
    with requests.Session() as made:
        made.trust_env = False
        made.mount("https://", adapter)
        made.mount("http://", adapter)
        timer.start()
        try:
            yield made
        finally:
            timer.cancel()


def ask_json(
    method: str,
    url: str,
    networks: Sequence[str],
    *,
    data: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    verify: bool = True,
    ca: str = "",
) -> Any:
    """The JSON of an answer with status 200.

    Raises:
        Answered: with another status.
        Unavailable: not reached, refused by the guard, too slow, too large, or no JSON; without secrets.
    """
    try:
        with (
            session(networks, verify=verify, ca=ca) as sent_by,
            sent_by.request(
                method, url, data=data, auth=auth, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
            ) as response,
        ):
            body = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
            if response.status_code != 200:
                raise Answered(f"{_where(url)} answered {response.status_code}", response.status_code, _object_in(body))
            if len(body) > _MAX_ANSWER:
                raise Unavailable(f"{_where(url)} answered too much", retry_after=10)
            return json.loads(body)
    except Refused as error:
        raise Unavailable(f"{_where(url)}: {error}", retry_after=60) from None
    except FAILURES as error:
        raise Unavailable(f"{_where(url)} cannot be asked ({type(error).__name__})", retry_after=10) from None


def post(url: str, networks: Sequence[str], body: bytes, headers: Mapping[str, str], *, verify: bool = True) -> tuple[int, bytes]:
    """Status and the first part of an answer.

    Raises:
        Refused: requests may not go there.
        Unavailable: not reached, or too slow; without secrets.
    """
    try:
        with (
            session(networks, verify=verify) as sent_by,
            sent_by.post(url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False, stream=True) as response,
        ):
            return response.status_code, response.raw.read(_MAX_SAID, decode_content=True)
    except FAILURES as error:
        raise Unavailable(f"{_where(url)} cannot be asked ({type(error).__name__})", retry_after=10) from None


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _where(url: str) -> str:
    return url.partition("?")[0][:200]


class _Adapter(HTTPAdapter):
    """`connections`: what was opened, held a second time, since TLS takes over the socket that it is given."""

    def __init__(self, networks: Sequence[str], verify: bool, ca: str) -> None:
        self._networks = networks
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
        made = connect(connection._dns_host, connection.port, networks, _TIMEOUT[0])  # noqa: SLF001 - urllib3's own way
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
