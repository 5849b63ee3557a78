"""Secrets that we must be able to show again (to a directory, a provider, a remote registry), sealed in the database.

Fernet (AES-128-CBC and HMAC-SHA-256) under a key of this installation that lies in the state directory, so that a dump
of the database alone tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app

from authsvc.core.crypto import read_private, write_private
from authsvc.core.errors import Unavailable
from authsvc.core.layout import Layout

MASK = "*****"  # what is shown of a secret that there is; when it comes back it means "as it is"


def prepare(layout: Layout) -> None:
    """Make the key if there is none."""
    if not layout.sealing_key.exists():
        write_private(layout.sealing_key, Fernet.generate_key())


def seal(text: str) -> str:
    """Seal a secret; "" stays ""."""
    return _fernet().encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str) -> str:
    """What was sealed.

    Raises:
        Unavailable: it was sealed under another key, that is, the state directory and the database do not belong together.
    """
    try:
        return _fernet().decrypt(sealed.encode()).decode() if sealed else ""
    except InvalidToken:
        raise Unavailable("a stored secret cannot be read: secrets/sealing-key is not the one it was stored with") from None


def keyed_digest(text: str) -> str:
    """HMAC-SHA-256 of a text under the key of this installation, in hex: to recognise a password by, and not to guess it by."""
    return hmac.new(read_private(_key_file()), text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def signature(purpose: str, text: str) -> bytes:
    """A keyed hash (BLAKE2b) by which we know what we said ourselves: what is signed for one purpose is nothing for another, and
    what others let us seal or digest is no signature."""
    key = read_private(_key_file())[:64]
    return hashlib.blake2b(text.encode(), key=key, person=purpose.encode()[:16], digest_size=32).digest()


def _key_file() -> Path:
    return Layout(current_app.config["TIDEGATE"]).sealing_key


def _fernet() -> Fernet:
    return _load(_key_file())


@lru_cache(maxsize=8)
def _load(path: Path) -> Fernet:
    return Fernet(read_private(path))
