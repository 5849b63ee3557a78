"""Rules that make tags immutable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.patterns import MAX_LENGTH


class ImmutableTagRule(Identified, Audited, Base):
    """Tags that `tag_pattern` selects, in repositories that `repository_pattern` selects (names without the project), stay
    as they are. `..._excludes`: what does not match is selected. `priority` is kept for clients and decides nothing.

    Read within the transaction that asks, by an index: no copy in memory that could be older than the tag it protects.
    """

    __tablename__ = "immutable_tag_rules"
    __audited__ = ("disabled", "tag_pattern", "tag_excludes", "repository_pattern", "repository_excludes")

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    priority: Mapped[int] = mapped_column(default=0)
    disabled: Mapped[bool] = mapped_column(default=False)
    tag_pattern: Mapped[str] = mapped_column(String(MAX_LENGTH))
    tag_excludes: Mapped[bool]
    repository_pattern: Mapped[str] = mapped_column(String(MAX_LENGTH))
    repository_excludes: Mapped[bool]
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
