"""Where people may come from, beside our own users."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class IdentitySource(Identified, Audited, PolicyRelevant, Base):
    """A directory (`kind` ldap) or provider (oidc). What `settings` mean is the backend's; secrets among them are sealed in
    `sealed`, a JSON object as one text."""

    __tablename__ = "identity_sources"
    __audited__ = ("settings", "enabled", "position")

    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(default=0)
    enabled: Mapped[bool] = mapped_column(default=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    sealed: Mapped[str] = mapped_column(Text, default="")
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    __table_args__ = (UniqueConstraint("kind", "name"), Base.__table_args__)


class LoginFailure(Base):
    """A wrong password: whose (`lockout`), from where, which (a keyed hash), and when last. `wrong_until`: so long it need not be
    looked at again to know, unless the account's credentials have another epoch; None while it is looked at."""

    __tablename__ = "login_failures"

    account: Mapped[str] = mapped_column(String(300), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    wrong_until: Mapped[datetime | None]
    epoch: Mapped[int] = mapped_column(default=0, server_default="0")
    __table_args__ = (Index("ix_login_failures_address", "address"),)


class LoginAddress(Base):
    """From where a password of an account was right, and when last."""

    __tablename__ = "login_addresses"

    account: Mapped[str] = mapped_column(String(300), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = ()


class RegistrationAttempt(Identified, Base):
    """Somebody tried to register, from there (`core.origin.source_of`)."""

    __tablename__ = "registration_attempts"

    address: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(index=True)


class LoginLock(Base):
    """Rows to lock, so that guesses and registrations are counted one after the other on databases with many writers."""

    __tablename__ = "login_locks"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    __table_args__ = ()
