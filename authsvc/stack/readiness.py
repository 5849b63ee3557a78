"""What a stack listens on: whether it is free before the start, and whether somebody answers after it."""

from __future__ import annotations

import errno
import http.client
import socket
import time
from collections.abc import Callable

from authsvc.core import addresses
from authsvc.core.addresses import Address
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack.rendering import NotReady
from authsvc.system import health

_READY_WITHIN = 45.0
_OURS = ("token_address", "api_address", "webhook_address", "registry_address", "cache_address")
_ANY = ("0.0.0.0", "::")  # noqa: S104 - what stands for all addresses of a host


def _addresses(settings: Settings) -> dict[str, str]:
    fixed = {name: getattr(settings, name) for name in _OURS}
    for host in settings.listen_hosts:
        if settings.tls:
            fixed[f"https_port ({host})"] = str(Address(host, settings.https_port))
        if settings.http_port:
            fixed[f"http_port ({host})"] = str(Address(host, settings.http_port))
    return fixed


def require_free_ports(settings: Settings) -> None:
    for name, address in _addresses(settings).items():
        where = addresses.parse(address)
        with socket.socket(where.family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(where)
            except OSError as error:
                raise NotReady(
                    f"{address} cannot be used ({error.strerror}){_advice(error)} "
                    f"Another address can be set with TIDEGATE_{name.partition(' ')[0].upper()}"
                ) from error


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return ": does something else listen there?"
        case errno.EACCES:
            return (
                ": ports below 1024 are for root, or for whoever sysctl net.ipv4.ip_unprivileged_port_start or systemd's"
                " AmbientCapabilities=CAP_NET_BIND_SERVICE lets."
            )
        case _:
            return ": is it an address of this host?"


def wait_until_ready(settings: Settings, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    missing = ""
    while alive() and time.monotonic() < deadline:
        missing = _missing(settings)
        if not missing:
            return
        time.sleep(0.05)
    if alive():
        raise NotReady(f"{missing} did not come up within {_READY_WITHIN:.0f} s; see {Layout(settings).logs}")


def _missing(settings: Settings) -> str:
    for name, path in (
        ("api_address", "/api/v2.0/ping"),
        ("token_address", "/api/v2.0/ping"),
        ("webhook_address", "/webhook/ready"),
    ):
        if not _answers(getattr(settings, name), path):
            return name.removesuffix("_address")
    for name, address in _addresses(settings).items():
        if "_port" in name and not _listens(address):
            return "nginx"
    return next((component.name for component in health.needed(settings) if component.error), "")


def _answers(address: str, path: str) -> bool:
    connection = http.client.HTTPConnection(*addresses.parse(address), timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _listens(address: str) -> bool:
    host, port = addresses.parse(address)
    try:
        with socket.create_connection(("localhost" if host in _ANY else host, port), timeout=1):
            return True
    except OSError:
        return False
