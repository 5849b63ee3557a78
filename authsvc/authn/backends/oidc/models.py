"""What a provider gave us at a login to ask it about that person later."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified


class OidcGrant(Identified, Base):
    """A refresh token (`sealed`), of who has that `subject` at that `source` (as in `UserIdentity`; who only begins to come
    aboard has none yet). `checked_at`: when the provider said last that all is well. `asked_at`: when somebody set out to ask
    it anew; None once it has answered."""

    __tablename__ = "oidc_grants"

    source: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(512))
    sealed: Mapped[str] = mapped_column(Text)
    checked_at: Mapped[datetime] = mapped_column(index=True)
    asked_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("source", "subject"), Base.__table_args__)


class OidcArrival(Base):
    """Somebody who chooses a user name now: the claims (`sealed`) under the SHA-256 of what the browser keeps. `subject` as in
    `UserIdentity`."""

    __tablename__ = "oidc_arrivals"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(512), index=True, default="", server_default="")
    sealed: Mapped[str] = mapped_column(Text)
    back_to: Mapped[str] = mapped_column(String(1024))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = ()
