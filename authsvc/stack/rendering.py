"""The configuration files of nginx, the registry and supervisord: for all of them on this host, or for each in a container."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from authsvc.core import addresses, programs, proxy
from authsvc.core.addresses import Address, bracketed
from authsvc.core.crypto import read_private, settle_private
from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution import driver
from authsvc.distribution.directory import Directory
from authsvc.stack import parts, tls
from authsvc.stack.parts import SOURCE
from authsvc.token.keys import KeyStore

PACKAGES = "nginx docker-registry"  # Debian's, with what we run but do not bring
# Whatever it stands before ends with who started it.
LEASH = ("setpriv", "--pdeathsig", "TERM")
NGINX_USER = "www-data"  # Debian's


class NotReady(DomainError):
    """Something that only the operator can put right."""

    code = "PRECONDITION"


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where nginx has what. `cache`: what passes for proxy caches, which the worker reads at the address `inner`; `user`: as whom
    its workers run, "" for whoever starts it."""

    certificate: Path
    key: Path
    blobs: Path
    cache: Path
    inner: str
    temporary: Path
    pid: Path
    access_log: Path
    user: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Where the registry listens, keeps its blobs, and finds the authority that it trusts. `storage`: of its configuration."""

    listen: str
    storage: Mapping[str, Any]
    bundle: Path


def on_host(settings: Settings, certificate: Path, key: Path) -> None:
    """All three, below the state directory.

    Raises:
        NotReady: a program is missing; the text names the package to install.
    """
    layout = Layout(settings)
    nginx = Nginx(
        certificate,
        key,
        blobs=Directory(layout.storage).tree,
        cache=layout.nginx / "upstream",
        inner=settings.cache_address,
        temporary=layout.nginx,
        pid=layout.root / "run" / "nginx.pid",
        access_log=layout.logs / "access.log",
        user=NGINX_USER if os.geteuid() == 0 else "",
    )
    registry = Registry(settings.registry_address, _storage(settings, layout.storage), KeyStore(layout.keys).bundle)
    _write(layout.config / "nginx.conf", "nginx/nginx.conf.j2", settings, nginx=nginx)
    _write(layout.config / "registry.yml", "registry-config/config.yml.j2", settings, registry=registry)
    served = f"{_program(settings.registry_program)} serve {layout.config / 'registry.yml'}"
    programs = [
        # nginx reads the blobs: the directory is open to its group. It is stopped last, and others ask it until they end.
        Program("registry", served, umask="027", order=5),
        *(Program(name, parts.command(name, settings)) for name in ("webhook", "token", "api", "worker")),
        # It is stopped first, and ends when what it carries has arrived: the others are there until then.
        Program("nginx", f"{_program('nginx')} -c {layout.config / 'nginx.conf'}", settings.drain_seconds, order=20, stop="QUIT"),
    ]
    _supervisord(settings, programs, layout.logs)


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisord runs: how long it may take to stop (seconds) by which signal, in which order from the last, and its
    umask."""

    name: str
    command: str
    stop_seconds: int = 15
    order: int = 10
    stop: str = "TERM"
    umask: str = "077"


def for_parts(settings: Settings, names: Sequence[str], listen: str) -> None:
    """supervisord's alone, for some parts that log to standard output."""
    _supervisord(settings, [Program(name, parts.command(name, settings, listen)) for name in names], None)


def _supervisord(settings: Settings, programs: Sequence[Program], logs: Path | None) -> None:
    layout = Layout(settings)
    values = {"layout": layout, "programs": programs, "logs": logs, "source": SOURCE, "leash": " ".join(LEASH)}
    file = layout.config / "supervisord.conf"
    _write(file, "authsvc/stack/supervisord.conf.j2", settings, is_root=os.geteuid() == 0, **values)


# Where containers have what they are given; the registry's blobs are where its image has them.
GIVEN, STORAGE, CACHE = Path("/etc/tidegate"), Path("/var/lib/registry"), Path("/var/cache/tidegate")


def for_containers(settings: Settings, directory: Path) -> None:
    """`nginx/` and `registry/` below a directory, each with all that the container needs which has it at `/etc/tidegate`, and
    nothing of the others. What is as it should be is not written again.

    Raises:
        PreconditionFailed: the operator's certificate cannot be used.
    """
    layout, given = Layout(settings), directory / "nginx"
    certificate, key = tls.prepare(settings, given)
    settle_private(given / "server.crt", certificate.read_bytes())
    settle_private(given / "server.key", key.read_bytes())
    settle_private(given / "watch.sh", (SOURCE / "nginx" / "watch.sh").read_bytes())
    nginx = Nginx(
        GIVEN / "server.crt",
        GIVEN / "server.key",
        blobs=Directory(STORAGE).tree,
        cache=CACHE,
        inner=_within(addresses.parse(settings.cache_address)),
        temporary=Path("/tmp"),  # noqa: S108 - the container's own
        pid=Path("/tmp/nginx.pid"),  # noqa: S108
        access_log=Path("/dev/stdout"),
    )
    listen = _within(addresses.parse(settings.registry_address))
    registry = Registry(listen, _storage(settings, STORAGE), GIVEN / "token-authority.pem")
    _write(given / "nginx.conf", "nginx/nginx.conf.j2", settings, nginx=nginx)
    settle_private(directory / "registry" / "token-authority.pem", KeyStore(layout.keys).bundle.read_bytes())
    _write(directory / "registry" / "config.yml", "registry-config/config.yml.j2", settings, registry=registry)


def _storage(settings: Settings, directory: Path | None) -> Mapping[str, Any]:
    """What the registry is told about it.

    Raises:
        PreconditionFailed: the file that describes a bucket cannot be used.
    """
    if settings.registry_storage_file is None:
        return {"filesystem": {"rootdirectory": str(directory)}}
    found = driver.read(settings.registry_storage_file)
    found.open()
    return {found.name: dict(found.parameters), "redirect": {"disable": not found.redirects}}


def _within(found: Address) -> str:
    """Where a part listens that others find there: on its own network; on loopback, if they share it as in a pod."""
    return str(found if found.host in ("127.0.0.1", "::1") else Address("0.0.0.0", found.port))  # noqa: S104


def _write(file: Path, template: str, settings: Settings, **values: Any) -> None:
    layout = Layout(settings)
    environment = Environment(
        loader=FileSystemLoader(SOURCE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - not HTML
    )
    common = {
        "settings": settings,
        "files": _files(),
        "listen": [bracketed(host) for host in settings.listen_hosts],
        "proxy_secret_header": proxy.HEADER,
        "proxy_secret": read_private(layout.proxy_secret).decode().strip(),
        "webhook_secret": read_private(layout.webhook_secret).decode().strip(),
        "registry_http_secret": read_private(layout.registry_http_secret).decode().strip(),
    }
    settle_private(file, environment.get_template(template).render(common | values))


def _files() -> int:
    """How many each process of nginx may have open: what the system lets, whatever the shell that started us is set to."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65_536 if limit == resource.RLIM_INFINITY else min(limit, 65_536)


def _program(program: str) -> str:
    path = programs.find(program)
    if path is None:
        raise NotReady(f"{program} is not installed; on Debian: sudo apt-get install --no-install-recommends {PACKAGES}")
    return path
