"""Refresh tokens: issue, verify, list, revoke, and note their use."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import Select, delete, select
from sqlalchemy.exc import SQLAlchemyError

from authsvc.audit import service as audit
from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core import crypto
from authsvc.core.db import db, reading, transaction, upsert, utcnow
from authsvc.core.errors import DomainError, InvalidCredentials, NotFound
from authsvc.rbac.principal import Principal
from authsvc.token.models import RefreshToken, RefreshTokenUse
from authsvc.users.models import User

PREFIX = "tgr_"
# The user names under which clients send a refresh token as a Basic password (BuildKit's daemon, credential helpers).
_NAMES = frozenset({"", "<token>"})
_FLUSH_SECONDS = 20.0


def issue(who: Principal, client: str, days: int) -> str:
    """A new refresh token for a user, good for that many days; shown this once, stored hashed."""
    secret = crypto.new_secret(PREFIX)
    now = utcnow()
    db.session.add(
        RefreshToken(
            user_id=who.id,
            digest=crypto.digest(secret),
            epoch=who.epoch,
            client=client[:255],
            creation_time=now,
            expires_at=now + timedelta(days=days),
        )
    )
    return secret


def authenticate(credential: Basic) -> Identity | None:
    """A refresh token in the place of a password; None for any other credential.

    Raises:
        InvalidCredentials: revoked, expired, void since the password changed, or never issued.
    """
    if credential.username not in _NAMES:
        return None
    with reading():
        return verify(credential.secret)


def verify(secret: str) -> Identity:
    """Whose refresh token it is.

    Raises:
        InvalidCredentials
    """
    if not secret.startswith(PREFIX) or not crypto.has_checksum(secret):
        raise InvalidCredentials("the refresh token is not one of ours")
    statement = select(RefreshToken).where(RefreshToken.digest == crypto.digest(secret))
    token = db.session.scalar(statement)
    if token is None or token.revoked_at is not None or token.expires_at <= utcnow():
        raise InvalidCredentials("the login has expired or was revoked; log in again")
    return Identity(user_id=token.user_id, epoch=token.epoch, token_id=token.id)


def of_user(user_id: int) -> Select[RefreshToken, RefreshTokenUse]:
    """(token, use or None) pairs of a user's live refresh tokens, the newest first."""
    return (
        select(RefreshToken, RefreshTokenUse)
        .outerjoin(RefreshTokenUse, RefreshTokenUse.token_id == RefreshToken.id)
        .join(User, User.id == RefreshToken.user_id)
        .where(
            RefreshToken.user_id == user_id,
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > utcnow(),
            RefreshToken.epoch == User.epoch,
        )
        .order_by(RefreshToken.id.desc())
    )


def described(row: Any) -> dict[str, Any]:
    """A (token, use or None) pair as a plain object."""
    token, use = row
    return {
        "id": token.id,
        "client": token.client,
        "creation_time": token.creation_time,
        "expires_at": token.expires_at,
        "last_used_at": use.last_used_at if use else None,
        "last_address": use.address if use else "",
    }


def revoke(actor: str, user: User, token_id: int) -> None:
    """Revoke one refresh token of a user; felt in every process before its next answer.

    Raises:
        NotFound: the user has no such token.
    """
    token = db.session.scalar(
        select(RefreshToken).where(
            RefreshToken.id == token_id, RefreshToken.user_id == user.id, RefreshToken.revoked_at.is_(None)
        )
    )
    if token is None:
        raise NotFound(f"refresh token {token_id} of {user.username} not found")
    token.revoked_at = utcnow()
    audit.record(actor, "delete", "refresh-token", f"{user.username}/{token_id}")


def purge() -> None:
    """Forget tokens that expired or were revoked a while ago."""
    old = utcnow() - timedelta(days=7)
    db.session.execute(delete(RefreshToken).where((RefreshToken.expires_at < old) | (RefreshToken.revoked_at < old)))


class UseRecorder:
    """Notes uses off the hot path: gathered in memory, written together by a thread every so many seconds.

    What a killed process had not written yet is lost: "last used" may lag by those seconds, nothing else depends on it.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._uses: dict[int, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, token_id: int, address: str) -> None:
        """A token was used now, from that address."""
        self._uses[token_id] = address
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:  # started at first use, since servers fork before that
                self._thread = threading.Thread(target=self._run, daemon=True, name="refresh-token-uses")
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_FLUSH_SECONDS):
            try:
                self.flush()
            except (SQLAlchemyError, DomainError) as error:
                structlog.get_logger(component="token").warning("refresh_token_use_not_noted", error=type(error).__name__)

    def flush(self) -> None:
        """Write what was gathered."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        now = utcnow()
        rows = [{"token_id": token_id, "last_used_at": now, "address": address[:64]} for token_id, address in uses.items()]
        with self._app.app_context(), transaction():
            upsert(RefreshTokenUse, rows)
