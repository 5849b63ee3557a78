"""Secrets that all nodes of an installation have: the database keeps them, sealed under the master key; files are each node's
copies. So a node is nothing but the database's URL and the master key."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask
from sqlalchemy import Connection, insert, select, update

from authsvc.core import schema
from authsvc.core.crypto import read_given, settle_private, write_private
from authsvc.core.db import patient_connection, utcnow
from authsvc.core.errors import PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.nodes.models import SharedSecret

_SHORTEST = 32  # characters of a master key


def files(layout: Layout) -> dict[str, Sequence[Path]]:
    """By name: what is shared, each as the files that belong together."""
    return {
        "sealing-key": (layout.sealing_key,),
        "webhook": (layout.webhook_secret,),
        "registry-http": (layout.registry_http_secret,),
        "proxy": (layout.proxy_secret,),
        "token-authority": (layout.keys / "ca.key", layout.keys / "ca.pem"),
        "tls-authority": (layout.tls / "ca.key", layout.ca_certificate),
    }


def settle(app: Flask, layout: Layout, make: Callable[[], None]) -> None:
    """Bring this node's files and the database together, while no other node does: what the database has is written here, then
    `make` makes what is missing or is of no use, and what the database does not have is kept there.

    Raises:
        PreconditionFailed: the database's were sealed under another master key, or the key is too short.
    """
    with app.app_context(), patient_connection() as connection, schema.locked(connection):
        kept = _kept(connection, layout)
        for name, paths in files(layout).items():
            _write(paths, kept.get(name, ()))
        make()
        for name, paths in files(layout).items():
            present = [path.read_text() for path in paths] if all(path.exists() for path in paths) else []
            if present and present != kept.get(name):
                _keep(
                    connection, name, _master_key(layout).encrypt(json.dumps(present).encode()).decode(), is_new=name not in kept
                )
        connection.commit()


def reseal(app: Flask, layout: Layout, new: Path) -> int:
    """Seal all of it under another master key, all or none; how many secrets that is. A node that has only the old one then does
    not start any more.

    Raises:
        PreconditionFailed: the present key is not the one that it is sealed under, or the new one is too short.
    """
    other = _key_in(new)
    with app.app_context(), patient_connection() as connection, schema.locked(connection):
        kept = _kept(connection, layout)
        for name, contents in kept.items():
            _keep(connection, name, other.encrypt(json.dumps(contents).encode()).decode(), is_new=False)
        connection.commit()
    return len(kept)


def _kept(connection: Connection, layout: Layout) -> Mapping[str, list[str]]:
    rows = connection.execute(select(SharedSecret.name, SharedSecret.sealed)).all()
    if rows and not layout.master_key.exists():
        raise PreconditionFailed(
            f"the database is in use by an installation whose master key is not here: TIDEGATE_MASTER_KEY_FILE names it, or bring"
            f" {layout.master_key}"
        )
    try:
        return {row.name: json.loads(_master_key(layout).decrypt(row.sealed)) for row in rows}
    except InvalidToken:
        raise PreconditionFailed(
            f"the database is in use by an installation with another master key than {layout.master_key}"
        ) from None


def _write(paths: Sequence[Path], contents: Sequence[str]) -> None:
    for path, content in zip(paths, contents, strict=False):
        settle_private(path, content)


def _keep(connection: Connection, name: str, sealed: str, *, is_new: bool) -> None:
    values = {"sealed": sealed, "update_time": utcnow()}
    if is_new:
        connection.execute(insert(SharedSecret).values(name=name, **values))
    else:
        connection.execute(update(SharedSecret).where(SharedSecret.name == name).values(**values))


def _master_key(layout: Layout) -> Fernet:
    """Made if there is none: for an installation of one node."""
    if not layout.master_key.exists():
        write_private(layout.master_key, secrets.token_hex(32) + "\n")
    return _key_in(layout.master_key)


def _key_in(file: Path) -> Fernet:
    text = read_given(file)
    if len(text) < _SHORTEST:
        raise PreconditionFailed(f"{file} holds no master key: {_SHORTEST} characters or more that nobody can guess")
    derived = HKDF(SHA256(), 32, salt=None, info=b"tidegate shared secrets").derive(text.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
