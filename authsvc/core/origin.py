"""Where a change comes from, for the audit log: set by each edge (request, event, command), read by `audit`."""

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Source address, user agent and request id; empty where there is none."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""


def asking(environ: Mapping[str, Any]) -> Origin:
    """Of a request, as nginx tells of it (WSGI)."""
    return Origin(
        str(environ.get("HTTP_X_REAL_IP") or environ.get("REMOTE_ADDR") or "")[:64],
        environ.get("HTTP_USER_AGENT", "")[:255],
        environ.get("HTTP_X_REQUEST_ID", "")[:64],
    )


_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - frozen


def current() -> Origin:
    """The origin of what happens now."""
    return _origin.get()


def source_of(address: str) -> str:
    """Whom to count an address for: itself, or of IPv6 the network of 64 bits around it, which one host has all to itself."""
    try:
        here = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(here, ipaddress.IPv4Address) or here.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((here, 64), strict=False))


def source() -> str:
    """Whom to count what happens now for."""
    return source_of(current().address)


def set_current(origin: Origin) -> None:
    """For an edge that handles one thing in a context of its own (a request)."""
    _origin.set(origin)


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """For an edge that handles many things in a row (events of several clients)."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)
