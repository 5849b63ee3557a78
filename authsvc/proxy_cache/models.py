"""What is known of another registry's tags."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified


class UpstreamTag(Identified, Base):
    """What the other registry said last of a tag, by our name of the repository: until when that is believed."""

    __tablename__ = "upstream_tags"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    repository: Mapped[str] = mapped_column(String(255))
    tag: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(135))
    until: Mapped[datetime]

    __table_args__ = (UniqueConstraint("repository", "tag"), Base.__table_args__)
