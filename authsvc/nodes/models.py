"""What the nodes of an installation share, and which there are."""

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


class Node(Base):
    """A node that runs, or did until a while ago. `parts`: what it runs, by name; `clock_ahead`: its clock against the
    database's, in milliseconds; `seen_at`: by the database's clock."""

    __tablename__ = "nodes"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(32))
    parts: Mapped[str] = mapped_column(String(255))
    start_time: Mapped[datetime]
    seen_at: Mapped[datetime]
    clock_ahead: Mapped[int]
    __table_args__ = ()
