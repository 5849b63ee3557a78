"""`authsvc up`: the whole stack on this host, proven before it says so."""

from __future__ import annotations

import errno
import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import click
import structlog

from authsvc.core import addresses
from authsvc.core.addresses import Address
from authsvc.core.base import create_base
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import lock, selftest
from authsvc.stack import prepare as preparation
from authsvc.stack.prepare import ADMIN, NotReady, Prepared
from authsvc.stack.tree import Tree
from authsvc.stack.upkeep import Upkeep
from authsvc.system import health

_READY_WITHIN = 45.0
_RESTART_PAUSE = 1.0
_ANY = ("0.0.0.0", "::")  # noqa: S104 - what stands for all addresses of a host

log = structlog.get_logger(component="up")


def up(settings: Settings) -> int:
    """Prepare, start, wait, prove, say how to log in; then run until stopped. Returns the exit status.

    Raises:
        Conflict: it runs already.
        NotReady
    """
    layout = Layout(settings)
    with lock.held(layout):
        tree = Tree(layout)
        tree.end_left_overs()
        _require_free_ports(settings)
        try:
            return _run(settings, tree)
        finally:
            tree.end()


def _run(settings: Settings, tree: Tree) -> int:
    started, stopping = time.monotonic(), list[int]()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)
        tree.stop()

    app = create_base(settings)
    ready = preparation.prepare(app, settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    tree.start()
    with app.app_context():
        _wait_until_ready(settings, lambda: tree.is_alive and not stopping)
    if not stopping:
        trouble = selftest.trouble(app, settings)
        _welcome(settings, ready, time.monotonic() - started, trouble)
        with app.app_context():
            _doubts(settings)
    upkeep = Upkeep(settings)
    while not stopping:
        status = tree.wait(upkeep.look)
        if not stopping:
            log.error("supervisor_ended", status=status)
            time.sleep(_RESTART_PAUSE)
        if not stopping:
            tree.start()
    return 0


def _addresses(settings: Settings) -> dict[str, str]:
    fixed = {name: getattr(settings, name) for name in ("token_address", "api_address", "webhook_address", "registry_address")}
    for host in settings.listen_hosts:
        if settings.tls:
            fixed[f"https_port ({host})"] = str(Address(host, settings.https_port))
        if settings.http_port:
            fixed[f"http_port ({host})"] = str(Address(host, settings.http_port))
    return fixed


def _require_free_ports(settings: Settings) -> None:
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


def _wait_until_ready(settings: Settings, alive: Callable[[], bool]) -> None:
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


def _welcome(settings: Settings, ready: Prepared, seconds: float, trouble: str) -> None:
    host = settings.registry_host
    tried = "a login, push, pull and its record were tried" if not trouble else f"BUT its self-test failed: {trouble}"
    lines = ["", f"Tidegate is up at {settings.external_url} after {seconds:.1f} s; {tried}.", ""]
    if ready.first_password.exists():
        lines += [
            f"  Log in as   {ADMIN}",
            f"  Password    {ready.first_password.read_text().strip()}   (shown this once; the pages will ask for another one)",
            f"  Change it   authsvc users reset-password {ADMIN} --password-stdin",
            "",
        ]
    if settings.tls and settings.tls_certificate is None:
        ca = Layout(settings).ca_certificate
        lines += [
            "  Trust its certificate, once on each client:",
            f"    docker      sudo install -D -m 644 {ca} /etc/docker/certs.d/{host}/ca.crt",
            f"    podman      sudo install -D -m 644 {ca} /etc/containers/certs.d/{host}/ca.crt",
            f"    containerd  sudo install -D -m 644 {ca} /etc/containerd/certs.d/{host}/ca.crt   (with config_path set)",
            "",
        ]
    lines += [
        "  Push something:",
        f"    docker login {host} -u {ADMIN}",
        f"    docker tag alpine {host}/library/alpine",
        f"    docker push {host}/library/alpine",
        "",
        f"  API and its documentation: {settings.external_url}/api     Logs: {Layout(settings).logs}     Stop: Ctrl-C",
        "",
    ]
    click.echo("\n".join(lines))
    sys.stdout.flush()
    ready.first_password.unlink(missing_ok=True)


def _doubts(settings: Settings) -> None:
    """Say what works and is not as it should be."""
    for part in health.check(settings):
        if part.error or part.warning:
            click.echo(f"  Note: {part.name} {part.error or part.warning}", err=True)
