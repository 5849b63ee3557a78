"""People. Robots and internal identities are no users."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant

FIRST_EPOCH = 1  # grows whenever stored logins must end, as with another password


class User(Identified, Audited, PolicyRelevant, Base):
    """`name_key` is the name without case: two names that differ only in case would be one person to everybody but us.

    `epoch` grows when old credentials must die (password changed); secrets of an older epoch are void.
    `password_temporary`: somebody else made it; whoever logs in to the pages with it must change it first.
    `language`: of the pages (BCP 47), "" until one is chosen.
    Deleted users stay as rows, renamed `name#id`, so that ids in old entries keep their meaning.
    """

    __tablename__ = "users"
    __audited__ = ("email", "realname", "comment", "sysadmin", "disabled")
    __policy_on__ = frozenset({"update", "delete"})

    username: Mapped[str] = mapped_column(String(300), unique=True)
    name_key: Mapped[str] = mapped_column(String(300), unique=True)
    email: Mapped[str | None] = mapped_column(String(300), unique=True)
    realname: Mapped[str] = mapped_column(String(255), default="")
    comment: Mapped[str] = mapped_column(String(255), default="")
    password_hash: Mapped[str | None] = mapped_column(String(255))
    sysadmin: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    password_temporary: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(String(16), default="", server_default="")
    epoch: Mapped[int] = mapped_column(default=FIRST_EPOCH)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    origin: Mapped[UserIdentity | None] = relationship(lazy="selectin", viewonly=True)

    @property
    def admin_role_in_auth(self) -> bool:
        """Harbor's word for a system administrator by a group of the directory or provider."""
        return self.origin is not None and self.origin.sysadmin

    @property
    def oidc_user_meta(self) -> UserIdentity | None:
        """Where the user comes from, if from a provider."""
        return self.origin if self.origin is not None and self.origin.kind == "oidc" else None


class UserIdentity(Identified, PolicyRelevant, Base):
    """Where a user comes from, who is not local: `kind` ldap or oidc, the `source` by its name, and the `subject` there (a
    DN or an entry's id; `sub` of the issuer). `sysadmin`: a group there makes him a system administrator (Harbor's
    `admin_role_in_auth`). `absences`: how often in a row the source did not know him; then `gone`, and he may do nothing.
    `stated_at`: when the source said what we know of him; what it said before that changes nothing. `lapses_at`: until when that
    counts (None: for ever)."""

    __tablename__ = "user_identities"
    __policy_on__ = frozenset({"update", "delete"})

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(512))
    sysadmin: Mapped[bool] = mapped_column(default=False)
    absences: Mapped[int] = mapped_column(default=0)
    gone: Mapped[bool] = mapped_column(default=False)
    stated_at: Mapped[datetime | None]
    lapses_at: Mapped[datetime | None]
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)

    __table_args__ = (UniqueConstraint("kind", "source", "subject"), Base.__table_args__)
