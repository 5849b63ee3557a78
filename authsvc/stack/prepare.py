"""`authsvc prepare`: everything that must exist before anything starts. Run it as often as you like; what is there stays."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from authsvc.core import schema, sealing, standing
from authsvc.core.crypto import write_private
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Conflict, Unavailable
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.nodes import shared
from authsvc.projects import service as projects
from authsvc.stack import tls
from authsvc.stack.rendering import NGINX_USER, NotReady
from authsvc.token import leaves
from authsvc.token.keys import KeyStore
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import Chosen, choose

ADMIN = "admin"
_PATIENCE, _PAUSE = 60.0, 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Prepared:
    """`certificate` and `key`: what nginx serves. `first_password`: the file with the first administrator's password, until it
    has been shown once."""

    layout: Layout
    certificate: Path
    key: Path
    first_password: Path


def prepare(app: Flask, settings: Settings) -> Prepared:
    """Make the state directory, keys, certificates, secrets, database and first administrator.

    Raises:
        NotReady: the state directory is somebody else's.
        Unavailable, PreconditionFailed: the database cannot be used, is of a newer release, or is empty and should not be.
    """
    layout = Layout(settings)
    standing.must_not_begin_anew(app, layout.root / "tidegate.db")
    os.umask(0o077)
    for directory in (layout.root, layout.config, layout.logs, layout.secrets, layout.pulse, layout.nginx):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(directory)
    _require_own(layout.keys)
    _open_to_nginx(layout)
    standing.revision(app)  # says why, if it cannot be used
    schema.upgrade(app)
    keys = KeyStore(layout.keys)
    shared.settle(app, layout, lambda: _make_secrets(settings, keys))
    first_password = layout.secrets / "first-admin-password"
    with app.app_context():
        _patiently(lambda: _announce(keys))
        _patiently(lambda: _first_admin(first_password))
    return Prepared(layout, *tls.prepare(settings), first_password)


def _patiently(work: Callable[[], None]) -> None:
    """Where nodes begin at the same time, and one that changes the schema holds up all others."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return work()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def _announce(keys: KeyStore) -> None:
    with transaction():
        leaves.announce(keys.leaves()[0])


def _make_secrets(settings: Settings, keys: KeyStore) -> None:
    """What is missing."""
    layout = Layout(settings)
    keys.prepare()
    sealing.prepare(layout)
    for path in (layout.webhook_secret, layout.registry_http_secret, layout.proxy_secret):
        if not path.exists():
            write_private(path, secrets.token_hex(32))
    if settings.tls_certificate is None:
        tls.prepare(settings)


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


def _open_to_nginx(layout: Layout) -> None:
    """nginx sends blobs from the registry's disk, and keeps some itself. Started by root it works as another user, who may read
    the former, and pass through the state directory, in which everything else is closed to it."""
    if layout.storage is not None:
        layout.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    for passed in (layout.root, layout.nginx):
        passed.chmod(0o711)
    if layout.storage is not None:
        shutil.chown(layout.storage, group=NGINX_USER)
        layout.storage.chmod(0o2750)  # whatever is made in it belongs to that group, too


def _first_admin(file: Path) -> None:
    """The first administrator, with a generated password, and Harbor's public project `library`."""
    with reading():
        has_users = db.session.scalar(select(User.id).limit(1)) is not None
    if has_users:
        return
    password = secrets.token_urlsafe(18)
    write_private(file, password)  # first the file: a password that nobody can read would lock everybody out
    chosen = choose(password)
    try:
        _make_first(chosen)
    except Conflict:  # another node has, at the same moment
        file.unlink()


def _make_first(chosen: Chosen) -> None:
    with transaction():
        admin = users.create(
            "tidegate:prepare", username=ADMIN, password=chosen, realname="system admin", sysadmin=True, temporary=True
        )
        projects.create("tidegate:prepare", admin.id, "library", {"public": "true"})
