"""Addresses of hosts with their ports, taken apart and put together in one place: IPv6 stands in brackets (RFC 3986, 3.2.2)."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple


class Address(NamedTuple):
    """A host, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """What a socket for it is made with."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def parse(text: str) -> Address:
    """`host:port`, or `[host]:port` where the host is of IPv6.

    Raises:
        ValueError
    """
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or bracketed(bare) != host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port")
    return Address(bare, int(port))


def host_of(text: str) -> str:
    """The host of an address that may have a port, as others write it (`192.0.2.1:80`, `[2001:db8::7]:80`, `2001:db8::7`)."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))) if text else ""
    except ValueError:
        pass
    try:
        return parse(text).host
    except ValueError:
        return text
