"""Requests that we make to others because somebody configured their address: providers, issuers, remote registries, webhooks.

Such an address may be made up to reach what only we can reach (SSRF). So the address that a connection really has is
checked before anything is sent: loopback, link-local (cloud metadata) and other special addresses are refused unless
`TIDEGATE_OUTGOING_ALLOW` names their network; no redirect is followed, no proxy taken from the environment, and answers are
bounded in time and size.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from authsvc.core.errors import Unavailable

_TIMEOUT = (3.0, 5.0)  # seconds to connect, and between two pieces of the answer
_MAX_ANSWER = 1024 * 1024


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


def session(networks: Sequence[str], *, verify: bool = True, ca: str = "") -> requests.Session:
    """A guarded session; close it after use. `ca`: certificates in PEM, besides the system's."""
    made = requests.Session()
    made.trust_env = False
    adapter = _Adapter(networks, verify, ca)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


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
        Unavailable: not reached, refused by the guard, too slow, too large, another status, or no JSON; without secrets.
    """
    try:
        with (
            session(networks, verify=verify, ca=ca) as sent_by,
            sent_by.request(
                method, url, data=data, auth=auth, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
            ) as response,
        ):
            body = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
            if response.status_code != 200 or len(body) > _MAX_ANSWER:
                raise Unavailable(f"{_where(url)} answered {response.status_code}", retry_after=10)
            return json.loads(body)
    except Refused as error:
        raise Unavailable(f"{_where(url)}: {error}", retry_after=60) from None
    except (requests.RequestException, OSError, ValueError) as error:
        raise Unavailable(f"{_where(url)} cannot be asked ({type(error).__name__})", retry_after=10) from None


def _where(url: str) -> str:
    return url.partition("?")[0][:200]


class _Adapter(HTTPAdapter):
    def __init__(self, networks: Sequence[str], verify: bool, ca: str) -> None:
        self._networks = networks
        self._context = ssl.create_default_context()
        if ca:
            self._context.load_verify_locations(cadata=ca)
        if not verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = _pools(self._networks)
        self.poolmanager = manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """By our context alone; requests would put its own bundle in."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context}


def _pools(networks: Sequence[str]) -> dict[str, Any]:
    def check(peer: Any) -> Any:
        address = str(peer.getpeername()[0])
        if not allowed(address, networks):
            peer.close()
            raise Refused(f"{address} is an address that requests may not go to; TIDEGATE_OUTGOING_ALLOW can allow it")
        return peer

    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            return check(super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> Any:
            return check(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
