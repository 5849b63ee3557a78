"""Where a change comes from, for the audit log: set by each edge (request, event, command), read by `audit`."""

import ipaddress
import re
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
    """Of a request (WSGI)."""
    return Origin(
        environ.get("REMOTE_ADDR", ""),
        environ.get("HTTP_USER_AGENT", "")[:255],
        environ.get("HTTP_X_REQUEST_ID", "")[:64],
    )


# The registry has an id of its own for each request, and tells of no other. So ours stands in the user agent, at its end.
_MARK = "tidegate-request/"
_MARKED = re.compile(rf" ?{_MARK}([A-Za-z0-9._:;=/+-]{{1,64}})$")


def marked(user_agent: str, request_id: str) -> str:
    """What the registry is told as user agent: nginx says the same of the requests that it carries."""
    return f"{user_agent} {_MARK}{request_id}" if request_id else user_agent


def unmarked(user_agent: str) -> tuple[str, str]:
    """The user agent, and our id of the request ("" if there is none), of what the registry tells."""
    found = _MARKED.search(user_agent)
    return (user_agent[: found.start()], found[1]) if found else (user_agent, "")


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
