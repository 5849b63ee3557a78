"""Secrets that we made, in the place of a password: refresh tokens, personal access tokens, CLI secrets, robots' secrets."""

from __future__ import annotations

from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.crypto import has_checksum
from authsvc.core.db import reading
from authsvc.core.errors import InvalidCredentials
from authsvc.rbac.authority import Authority, Credential
from authsvc.robots import service as robots
from authsvc.secrets import rules
from authsvc.secrets import service as secrets
from authsvc.secrets.models import Secret
from authsvc.secrets.rules import Kind
from authsvc.users import service as users

# The user names under which clients send a refresh token as a Basic password (BuildKit's daemon, credential helpers).
_NAMES = frozenset({"", "<token>"})


def authenticate(credential: Basic) -> Identity | None:
    """One of our secrets; None if it does not look like one.

    Raises:
        InvalidCredentials: revoked, expired, void since the password changed, of somebody else, or never issued.
    """
    ours = rules.kind_of(credential.secret) is not None and has_checksum(credential.secret)
    if not ours and credential.username not in _NAMES:
        return None
    with reading():
        row = secrets.find(credential.secret)
        if row is None or not _fits(row, credential.username):
            raise InvalidCredentials("the login or token has expired, was revoked, or is not this user's; log in again")
        return identity_of(row)


_CREDENTIALS = {
    Kind.ACCESS: Credential.ACCESS,
    Kind.CLI: Credential.CLI,
    Kind.REFRESH: Credential.REFRESH,
    Kind.ROBOT: Credential.ROBOT,
    Kind.SESSION: Credential.SESSION,
}


def identity_of(row: Secret) -> Identity:
    """Whom a live secret stands for."""
    scope = secrets.scope_of(row.scope)
    until = row.expires_at.timestamp() if row.expires_at else None
    return Identity(
        account_id=row.owner_id,
        epoch=row.epoch,
        authority=Authority(_CREDENTIALS[Kind(row.kind)], tuple(row.networks), until, row.id),
        kind="robot" if row.owner_kind == "robot" else "user",
        limits=scope.limits if scope else None,
        until=until,
    )


def _fits(row: Secret, username: str) -> bool:
    """True if this kind of secret is shown under that name: its owner's; a refresh token also under none."""
    if row.kind == Kind.SESSION:
        return False  # a session's is a cookie and nothing else
    if username in _NAMES:
        return row.kind == Kind.REFRESH
    owner = robots.find(username) if row.owner_kind == "robot" else users.find(username)
    return owner is not None and owner.id == row.owner_id
