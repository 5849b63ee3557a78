"""`authsvc prepare`: everything that must exist before anything starts. Run it as often as you like; what is there stays."""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select

from authsvc.core import addresses, proxy, schema, sealing, standing
from authsvc.core.addresses import bracketed
from authsvc.core.crypto import read_private, write_private
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.stack import tls
from authsvc.token.keys import KeyStore
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import choose

SOURCE = Path(__file__).parent.parent.parent
TEMPLATES = {
    "nginx/nginx.conf.j2": "nginx.conf",
    "registry-config/config.yml.j2": "registry.yml",
    "authsvc/stack/supervisord.conf.j2": "supervisord.conf",
}
PACKAGES = "nginx docker-registry"  # Debian's, with what we run but do not bring
# Whatever it stands before ends with who started it.
LEASH = ("setpriv", "--pdeathsig", "TERM")
NGINX_USER = "www-data"  # Debian's
ADMIN = "admin"


class NotReady(DomainError):
    """Something that only the operator can put right."""

    code = "PRECONDITION"


@dataclass(frozen=True, slots=True)
class Prepared:
    """`first_password`: the file with the first administrator's password, until it has been shown once."""

    layout: Layout
    first_password: Path


def prepare(app: Flask, settings: Settings) -> Prepared:
    """Make the state directory, keys, certificates, secrets, database and first administrator; render the configuration.

    Raises:
        NotReady: a program is missing; the text names the package to install.
        Unavailable, PreconditionFailed: the database cannot be used, is of a newer release, or is empty and should not be.
    """
    layout = Layout(settings)
    standing.must_not_begin_anew(app, layout.root / "tidegate.db")
    os.umask(0o077)
    for directory in (layout.root, layout.config, layout.logs, layout.secrets, layout.pulse, layout.root / "nginx"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(directory)
    _require_own(layout.keys)
    _show_blobs_to_nginx(layout)
    KeyStore(layout.keys).prepare()
    sealing.prepare(layout)
    for path in (layout.webhook_secret, layout.registry_http_secret, layout.proxy_secret):
        if not path.exists():
            write_private(path, secrets.token_hex(32))
    render(settings, *tls.prepare(settings))
    schema.upgrade(app)
    first_password = layout.secrets / "first-admin-password"
    with app.app_context():
        _first_admin(first_password)
    return Prepared(layout, first_password)


def _require_own(directory: Path) -> None:
    """Whoever may write to it may swap our keys for his.

    Raises:
        NotReady: it is somebody else's.
    """
    if not directory.exists():
        return
    status = directory.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise NotReady(f"{directory} belongs to another user: give it to the one who runs this (chown), or choose another")
    if status.st_mode & 0o022:
        try:
            directory.chmod(status.st_mode & 0o7755)
        except PermissionError:
            raise NotReady(f"others may write to {directory}: chmod go-w it") from None


def _show_blobs_to_nginx(layout: Layout) -> None:
    """nginx sends blobs from the registry's disk. Started by root it works as another user, who may read them, and pass through
    the state directory, in which everything else is closed to it."""
    layout.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(layout.storage, group=NGINX_USER)
        layout.storage.chmod(0o2750)  # whatever is made in it belongs to that group, too
        layout.root.chmod(0o711)


def render(settings: Settings, certificate: Path, key: Path) -> None:
    """Write the configuration files of nginx, the registry and the supervisor."""
    layout = Layout(settings)
    environment = Environment(
        loader=FileSystemLoader(SOURCE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - not HTML
    )
    values = {
        "settings": settings,
        "layout": layout,
        "keys": KeyStore(layout.keys),
        "certificate": certificate,
        "key": key,
        "source": SOURCE,
        "python": Path(sys.executable),
        "nginx": _program("nginx"),
        "registry": _program(settings.registry_program),
        "files": _files(),
        "parse_address": addresses.parse,
        "listen": [bracketed(host) for host in settings.listen_hosts],
        "leash": " ".join(LEASH),
        "is_root": os.geteuid() == 0,
        "nginx_user": NGINX_USER,
        "blobs_root": layout.storage / "docker" / "registry" / "v2",
        "proxy_secret_header": proxy.HEADER,
        "proxy_secret": read_private(layout.proxy_secret).decode().strip(),
        "webhook_secret": read_private(layout.webhook_secret).decode().strip(),
        "registry_http_secret": read_private(layout.registry_http_secret).decode().strip(),
    }
    for template, name in TEMPLATES.items():
        write_private(layout.config / name, environment.get_template(template).render(values))


def _files() -> int:
    """How many each process of nginx may have open: what the system lets, whatever the shell that started us is set to."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65_536 if limit == resource.RLIM_INFINITY else min(limit, 65_536)


def _program(program: str) -> str:
    path = shutil.which(program, path=_search_path())
    if path is None:
        raise NotReady(f"{program} is not installed; on Debian: sudo apt-get install --no-install-recommends {PACKAGES}")
    return path


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])  # where nginx is for ordinary users


def _first_admin(file: Path) -> None:
    """The first administrator, with a generated password, and Harbor's public project `library`."""
    with reading():
        has_users = db.session.scalar(select(User.id).limit(1)) is not None
    if has_users:
        return
    password = secrets.token_urlsafe(18)
    write_private(file, password)  # first the file: a password that nobody can read would lock everybody out
    chosen = choose(password)
    with transaction():
        admin = users.create(
            "tidegate:prepare", username=ADMIN, password=chosen, realname="system admin", sysadmin=True, temporary=True
        )
        projects.create("tidegate:prepare", admin.id, "library", {"public": "true"})
