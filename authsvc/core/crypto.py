"""Secrets made by us: 256 random bits behind a recognisable prefix, with a checksum, stored as SHA-256.

A random secret gains nothing from a slow hash, and a fast one keeps `docker pull` fast. Secrets chosen by people are
another matter: `users.passwords`.
"""

import hashlib
import hmac
import os
import secrets
import zlib
from pathlib import Path

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def new_secret(prefix: str) -> str:
    """A new secret such as `tgr_<43 characters><6 characters of CRC-32>`; scanners can tell it from noise offline."""
    body = prefix + _base62(int.from_bytes(secrets.token_bytes(32)), 43)
    return body + _base62(zlib.crc32(body.encode()), 6)


def has_checksum(secret: str) -> bool:
    """True if `secret` could have been made by `new_secret`: cheap, so that noise never reaches the database."""
    body, checksum = secret[:-6], secret[-6:]
    return len(secret) > 49 and secret.isascii() and _base62(zlib.crc32(body.encode()), 6) == checksum


def digest(secret: str) -> str:
    """SHA-256 in hex: what is stored of a secret that we made."""
    return hashlib.sha256(secret.encode()).hexdigest()


def equal(given: str, expected: str) -> bool:
    """Compare two secrets in constant time, whatever their lengths."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(expected.encode()).digest())


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read, whole or not at all (rename), never readable in between."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def settle_private(path: Path, content: str | bytes) -> bool:
    """Write it only if it holds something else; whether it did."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    write_private(path, data)
    return True


def read_private(path: Path) -> bytes:
    """Read a secret file; refuse one that others can read (`PermissionError` names the file and the remedy)."""
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} is readable by others: chmod 600 {path}")
    return path.read_bytes()


def read_given(path: Path) -> str:
    """The secret in a file that an operator made for us, without blanks around it. Our group may read it, as Kubernetes mounts
    secrets, and nobody else (`PermissionError`)."""
    if path.stat().st_mode & 0o007:
        raise PermissionError(f"{path} is readable by everybody: chmod o= {path}")
    return path.read_text().strip()
