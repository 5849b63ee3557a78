"""Webhook policies: whom a project tells of what happens in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow


class WebhookPolicy(Identified, Audited, Base):
    """`targets` holds Harbor's target objects and `secret`, what is secret masked; `sealed_headers` holds that, an object for
    each target in the same order, as sealed JSON."""

    __tablename__ = "webhook_policies"
    __audited__ = ("name", "description", "targets", "event_types", "enabled")

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(1024), default="")
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    sealed_headers: Mapped[str] = mapped_column(Text, default="")
    event_types: Mapped[list[str]] = mapped_column(JSON, default=list)
    enabled: Mapped[bool] = mapped_column(default=False)
    creator: Mapped[str] = mapped_column(String(255))
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    __table_args__ = (UniqueConstraint("project_id", "name"), Base.__table_args__)
