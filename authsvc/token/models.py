"""Refresh tokens: what `docker login` stores instead of the password ("identity token")."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class RefreshToken(Identified, PolicyRelevant, Base):
    """Stored as SHA-256. Not rotated when used: docker's engine has nowhere to keep a new one (moby#39718).

    Void when revoked, expired, or of an older epoch than its user's.
    """

    __tablename__ = "refresh_tokens"
    __policy_on__ = frozenset({"update", "delete"})

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    epoch: Mapped[int]
    client: Mapped[str] = mapped_column(String(255), default="")
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class RefreshTokenUse(Base):
    """When and from where a refresh token was used last. A table of its own: using one is no change of policy."""

    __tablename__ = "refresh_token_uses"

    token_id: Mapped[int] = mapped_column(ForeignKey("refresh_tokens.id", ondelete="CASCADE"), primary_key=True)
    last_used_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(64), default="")
    __table_args__ = ()
