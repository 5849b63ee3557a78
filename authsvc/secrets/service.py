"""Secrets that we made: issue, find, list, revoke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, select, update

from authsvc.audit import service as audit
from authsvc.core import crypto
from authsvc.core.db import db, hold, utcnow
from authsvc.core.errors import NotFound, PreconditionFailed
from authsvc.secrets.models import Secret, SecretUse
from authsvc.secrets.rules import PREFIXES, Kind, Scope
from authsvc.users.models import User

MAX_EACH = 200  # live personal access tokens of one user
_MOST = 100  # of what logins leave, of each kind


def issue(
    kind: Kind,
    owner_id: int,
    epoch: int,
    *,
    owner_kind: str = "user",
    name: str = "",
    expires_at: datetime | None = None,
    scope: Scope | None = None,
    networks: Sequence[str] = (),
) -> tuple[str, Secret]:
    """A new secret: shown this once, stored hashed."""
    text = crypto.new_secret(PREFIXES[kind])
    row = Secret(
        kind=kind,
        owner_kind=owner_kind,
        owner_id=owner_id,
        digest=crypto.digest(text),
        epoch=epoch,
        name=name[:255],
        scope={"project_ids": scope.project_ids, "actions": scope.actions} if scope else None,
        networks=list(networks),
        expires_at=expires_at,
    )
    db.session.add(row)
    db.session.flush()
    return text, row


def issue_access_token(
    actor: str, user: User, name: str, *, days: int | None, scope: Scope | None, networks: Sequence[str]
) -> tuple[str, Secret]:
    """A personal access token, good for that many days (None: until revoked).

    Raises:
        PreconditionFailed: the user has very many.
    """
    hold(user)
    if len(db.session.execute(of_owner("user", user.id, Kind.ACCESS)).all()) >= MAX_EACH:
        raise PreconditionFailed(f"{user.username} has {MAX_EACH} access tokens: revoke some first")
    expires_at = utcnow() + timedelta(days=days) if days is not None else None
    text, row = issue(Kind.ACCESS, user.id, user.epoch, name=name, expires_at=expires_at, scope=scope, networks=networks)
    audit.record(actor, "create", "access-token", f"{user.username}/{row.id}", description=name)
    return text, row


def find(text: str) -> Secret | None:
    """The live secret of that text, or None: revoked, expired, or never issued."""
    if not crypto.has_checksum(text):
        return None
    row: Secret | None = db.session.scalar(select(Secret).where(Secret.digest == crypto.digest(text)))
    return row if row is not None and is_live(row) else None


def is_live(row: Secret) -> bool:
    """True unless it was revoked or has expired; whether its owner's epoch has passed it by is for the owner to say."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > utcnow())


def scope_of(stored: Mapping[str, Any] | None) -> Scope | None:
    """What a secret is limited to, from its `scope`."""
    if stored is None:
        return None
    ids = stored["project_ids"]
    return Scope(tuple(ids) if ids is not None else None, tuple(stored["actions"]))


def of_owner(owner_kind: str, owner_id: int, *kinds: Kind) -> Select[Secret, SecretUse]:
    """(secret, use or None) pairs of an owner's live secrets, the newest first."""
    statement = (
        select(Secret, SecretUse)
        .outerjoin(SecretUse, SecretUse.secret_id == Secret.id)
        .where(Secret.owner_kind == owner_kind, Secret.owner_id == owner_id, Secret.kind.in_(kinds))
        .where(Secret.revoked_at.is_(None), (Secret.expires_at.is_(None)) | (Secret.expires_at > utcnow()))
        .order_by(Secret.id.desc())
    )
    if owner_kind == "user":
        statement = statement.join(User, User.id == Secret.owner_id).where(Secret.epoch == User.epoch)
    return statement


def described(row: Any) -> dict[str, Any]:
    """A (secret, use or None) pair as a plain object."""
    secret, use = row
    scope = scope_of(secret.scope)
    return {
        "id": secret.id,
        "name": secret.name,
        "client": secret.name,
        "project_ids": list(scope.project_ids) if scope and scope.project_ids is not None else None,
        "actions": list(scope.actions) if scope else None,
        "networks": secret.networks,
        "creation_time": secret.creation_time,
        "expires_at": secret.expires_at,
        "last_used_at": use.last_used_at if use else None,
        "last_address": use.address if use else "",
    }


def revoke(actor: str, owner_kind: str, owner_id: int, owner_name: str, secret_id: int, *kinds: Kind) -> None:
    """Revoke one secret of an owner; felt in every process before its next answer.

    Raises:
        NotFound: the owner has no such secret.
    """
    statement = select(Secret).where(
        Secret.id == secret_id,
        Secret.owner_kind == owner_kind,
        Secret.owner_id == owner_id,
        Secret.kind.in_(kinds),
        Secret.revoked_at.is_(None),
    )
    row = db.session.scalar(statement)
    if row is None:
        raise NotFound(f"{kinds[0]} token {secret_id} of {owner_name} not found")
    row.revoked_at = utcnow()
    audit.record(actor, "delete", f"{row.kind}-token", f"{owner_name}/{secret_id}")


def revoke_all(owner_kind: str, owner_id: int, kinds: Iterable[Kind]) -> None:
    """Revoke every secret of these kinds that an owner has."""
    live = (Secret.owner_kind == owner_kind, Secret.owner_id == owner_id, Secret.revoked_at.is_(None))
    db.session.execute(update(Secret).where(*live, Secret.kind.in_(list(kinds))).values(revoked_at=utcnow()))


def make_room(owner_id: int, kind: Kind) -> None:
    """Of what piles up by itself, one more at each login from anywhere, a user keeps the `_MOST` that were used last. They are
    revoked some at a time, since each time every process forgets what it knew."""
    mine = (Secret.owner_kind == "user", Secret.owner_id == owner_id, Secret.kind == kind, Secret.revoked_at.is_(None))
    last = func.coalesce(SecretUse.last_used_at, Secret.creation_time)
    by_use = select(Secret.id).outerjoin(SecretUse, SecretUse.secret_id == Secret.id).where(*mine)
    over = list(db.session.scalars(by_use.order_by(last.desc(), Secret.id.desc()).offset(_MOST).limit(1000)))
    if len(over) > _MOST // 4:
        db.session.execute(update(Secret).where(Secret.id.in_(over)).values(revoked_at=utcnow()))


def purge() -> None:
    """Forget secrets that expired or were revoked a while ago."""
    old = utcnow() - timedelta(days=7)
    gone = (Secret.expires_at < old) | (Secret.revoked_at < old)
    if db.session.scalar(select(Secret.id).where(gone).limit(1)) is not None:
        db.session.execute(delete(Secret).where(gone))
