"""Whom a backup is encrypted for: recipients of age (https://age-encryption.org/v1), of whom only public keys are known here, so
that who breaks in reads no backup; and how the owner of an identity reads it."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pyrage

from authsvc.core.crypto import read_given
from authsvc.core.errors import BadRequest, PreconditionFailed

PLAIN = "plain"  # said instead of recipients: whoever reads the directory reads all secrets
_PIECE = 1 << 20


class Source(Protocol):
    """What is read to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """The next piece; empty at the end."""


class Target(Protocol):
    """What is written to."""

    def write(self, piece: bytes, /) -> int:
        """How many bytes were taken."""

    def flush(self) -> None:
        """Nothing is held back."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """Public keys (`age1...`, `ssh-ed25519 ...`, `ssh-rsa ...`), or `plain` alone."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Recipients:
        """Checked.

        Raises:
            PreconditionFailed: there are none.
            BadRequest: one is no key.
        """
        if not names:
            raise PreconditionFailed(
                "nobody is named whom backups are encrypted for: set TIDEGATE_BACKUP_RECIPIENTS to a public key of age"
                f" (`authsvc backup key` makes one), or to `{PLAIN}` if everybody who reads the directory may read all secrets"
            )
        if PLAIN in names and len(names) > 1:
            raise BadRequest(f"TIDEGATE_BACKUP_RECIPIENTS: `{PLAIN}` stands alone")
        for name in names:
            if name != PLAIN:
                _recipient(name)
        return cls(tuple(sorted(names)))

    @property
    def is_plain(self) -> bool:
        return self.names == (PLAIN,)

    @property
    def mark(self) -> str:
        """A name of this set of recipients, for files."""
        return PLAIN if self.is_plain else hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]

    def encrypt(self, source: Source, target: Target) -> None:
        """Write a file for them."""
        if self.is_plain:
            shutil.copyfileobj(source, target, _PIECE)
        else:
            pyrage.encrypt_io(source, target, [_recipient(name) for name in self.names])


def _recipient(name: str) -> Any:
    try:
        return pyrage.ssh.Recipient.from_str(name) if name.startswith("ssh-") else pyrage.x25519.Recipient.from_str(name)
    except pyrage.RecipientError as error:
        raise BadRequest(f"{name[:40]!r} is no public key of age: {error}") from None


@dataclass(frozen=True, slots=True)
class Identities:
    """Private keys that open backups; none are needed for those that are `plain`."""

    keys: tuple[Any, ...] = ()
    is_plain: bool = False

    @classmethod
    def read(cls, file: Path | None) -> Identities:
        """Those in a file of `authsvc backup key` or age-keygen, or a private key of ssh; nobody else may read it. `-`: from
        standard input.

        Raises:
            BadRequest: there is none in it.
        """
        if file is None:
            return cls()
        try:
            text = sys.stdin.read().strip() if str(file) == "-" else read_given(file)
            if text.startswith("-----BEGIN"):
                return cls((pyrage.ssh.Identity.from_buffer(text.encode() + b"\n"),))
            lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
            keys = tuple(map(pyrage.x25519.Identity.from_str, lines))
        except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
            raise BadRequest(f"{file} cannot be used as an identity: {error}") from None
        if not keys:
            raise BadRequest(f"{file} holds no identity")
        return cls(keys)

    def for_mark(self, mark: str) -> Identities:
        """The same, for what was written for recipients with this mark."""
        return replace(self, is_plain=mark == PLAIN)

    def decrypt(self, source: Source, target: Target) -> None:
        """Read a file.

        Raises:
            PreconditionFailed: it is for others, or not whole.
        """
        if self.is_plain:
            shutil.copyfileobj(source, target, _PIECE)
            return
        if not self.keys:
            raise PreconditionFailed("the backup is encrypted: --identity names the file with the key that opens it")
        try:
            pyrage.decrypt_io(source, target, list(self.keys))
        except (pyrage.DecryptError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk; what cannot be decrypted has no number
                raise
            raise PreconditionFailed(f"the identity does not open the backup, or it is damaged: {error}") from None


def new_identity() -> tuple[str, str]:
    """A private and its public key."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())
