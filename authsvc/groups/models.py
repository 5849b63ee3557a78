"""Groups of people, as a directory or provider knows them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant
from authsvc.groups.rules import DEFAULT


class UserGroup(Identified, Audited, PolicyRelevant, Base):
    """A group that may hold roles. `source` and `key` are what makes it the same group, see `rules.GroupName`."""

    __tablename__ = "user_groups"
    __audited__ = ("group_name",)
    __policy_on__ = frozenset({"delete"})

    group_name: Mapped[str] = mapped_column(String(255))
    group_type: Mapped[int]
    source: Mapped[str] = mapped_column(String(64), default=DEFAULT, server_default=DEFAULT)
    ldap_group_dn: Mapped[str] = mapped_column(String(512), default="")
    key: Mapped[str] = mapped_column(String(512))
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)

    __table_args__ = (UniqueConstraint("group_type", "source", "key"), Base.__table_args__)


class GroupMembership(PolicyRelevant, Base):
    """A user in a group, as of the last login or re-reading."""

    __tablename__ = "group_memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("user_groups.id", ondelete="CASCADE"), primary_key=True, index=True)
    __table_args__ = ()
