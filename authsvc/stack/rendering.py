"""The configuration files of nginx, the registry and supervisord."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from authsvc.core import proxy
from authsvc.core.addresses import bracketed
from authsvc.core.crypto import read_private, write_private
from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import parts
from authsvc.stack.parts import SOURCE
from authsvc.token.keys import KeyStore

PACKAGES = "nginx docker-registry"  # Debian's, with what we run but do not bring
# Whatever it stands before ends with who started it.
LEASH = ("setpriv", "--pdeathsig", "TERM")
NGINX_USER = "www-data"  # Debian's
_BLOBS = Path("docker/registry/v2")


class NotReady(DomainError):
    """Something that only the operator can put right."""

    code = "PRECONDITION"


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where nginx has what. `user`: as whom its workers run, "" for whoever starts it."""

    certificate: Path
    key: Path
    blobs: Path
    temporary: Path
    pid: Path
    access_log: Path
    user: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Where the registry listens, keeps its blobs, and finds the authority that it trusts."""

    listen: str
    storage: Path
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
        blobs=layout.storage / _BLOBS,
        temporary=layout.root / "nginx",
        pid=layout.root / "run" / "nginx.pid",
        access_log=layout.logs / "access.log",
        user=NGINX_USER if os.geteuid() == 0 else "",
    )
    registry = Registry(settings.registry_address, layout.storage, KeyStore(layout.keys).bundle)
    _write(layout.config / "nginx.conf", "nginx/nginx.conf.j2", settings, nginx=nginx)
    _write(layout.config / "registry.yml", "registry-config/config.yml.j2", settings, registry=registry)
    served = f"{_program(settings.registry_program)} serve {layout.config / 'registry.yml'}"
    programs = [
        Program("registry", served, umask="027"),  # nginx reads the blobs: the directory is open to its group
        *(Program(name, parts.command(name, settings)) for name in ("webhook", "token", "api", "worker")),
        # It is stopped first, and ends when what it carries has arrived: the others are there until then.
        Program("nginx", f"{_program('nginx')} -c {layout.config / 'nginx.conf'}", settings.drain_seconds, order=20, stop="QUIT"),
    ]
    _supervisord(settings, programs)


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


def _supervisord(settings: Settings, programs: Sequence[Program]) -> None:
    layout = Layout(settings)
    values = {"layout": layout, "programs": programs, "source": SOURCE, "leash": " ".join(LEASH)}
    file = layout.config / "supervisord.conf"
    _write(file, "authsvc/stack/supervisord.conf.j2", settings, is_root=os.geteuid() == 0, **values)


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
    write_private(file, environment.get_template(template).render(common | values))


def _files() -> int:
    """How many each process of nginx may have open: what the system lets, whatever the shell that started us is set to."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65_536 if limit == resource.RLIM_INFINITY else min(limit, 65_536)


def _program(program: str) -> str:
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if path is None:  # the last two are where nginx is for ordinary users
        raise NotReady(f"{program} is not installed; on Debian: sudo apt-get install --no-install-recommends {PACKAGES}")
    return path
