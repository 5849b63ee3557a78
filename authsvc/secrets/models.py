"""Secrets that we made: refresh tokens, personal access tokens, sessions, CLI secrets, and robots' secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class Secret(Identified, PolicyRelevant, Base):
    """Stored as SHA-256. `owner_kind` user or robot; void when revoked, expired, or of an older epoch than its owner's.

    A refresh token is not rotated when used: docker's engine has nowhere to keep a new one (moby#39718). `name` is what
    the owner called it, or the client. `scope` None: all that the owner may; else see `rules.Scope`. `networks`: where it
    may be used from, none for everywhere.
    """

    __tablename__ = "secrets"
    __policy_on__ = frozenset({"update", "delete"})

    kind: Mapped[str] = mapped_column(String(16))
    owner_kind: Mapped[str] = mapped_column(String(8), default="user")
    owner_id: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    epoch: Mapped[int]
    name: Mapped[str] = mapped_column(String(255), default="")
    scope: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    networks: Mapped[list[str]] = mapped_column(JSON, default=list)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_secrets_owner", "owner_kind", "owner_id", "kind"), Base.__table_args__)


class SecretUse(Base):
    """When and from where a secret was used last. A table of its own: using one is no change of policy."""

    __tablename__ = "secret_uses"

    secret_id: Mapped[int] = mapped_column(ForeignKey("secrets.id", ondelete="CASCADE"), primary_key=True)
    last_used_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(64), default="")
    __table_args__ = ()
