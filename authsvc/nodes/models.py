"""What the nodes of an installation share."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base


class SharedSecret(Base):
    """Files that each node has, by name, sealed under the master key."""

    __tablename__ = "shared_secrets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)
    update_time: Mapped[datetime]
    __table_args__ = ()
