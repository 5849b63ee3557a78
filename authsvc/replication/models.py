"""What is copied between our registry and others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow


class ReplicationPolicy(Identified, Audited, Base):
    """One of the two ends is our own registry: it has no id. `filters` are Harbor's objects, checked by `replication.rules`
    before they come here; `cron`: six fields, "" unless it is scheduled; `speed` in KiB/s, 0 or less: no limit."""

    __tablename__ = "replication_policies"
    __audited__ = (
        "name",
        "description",
        "source_id",
        "destination_id",
        "namespace",
        "replace_count",
        "trigger",
        "cron",
        "filters",
        "deletion",
        "override",
        "enabled",
        "speed",
        "copy_by_chunk",
        "single_active",
    )

    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(String(1024), default="")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("registries.id"), index=True)
    destination_id: Mapped[int | None] = mapped_column(ForeignKey("registries.id"), index=True)
    namespace: Mapped[str] = mapped_column(String(255), default="")
    replace_count: Mapped[int] = mapped_column(default=-1)
    trigger: Mapped[str] = mapped_column(String(16))
    cron: Mapped[str] = mapped_column(String(255), default="")
    filters: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    deletion: Mapped[bool] = mapped_column(default=False)
    override: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool] = mapped_column(default=True)
    speed: Mapped[int] = mapped_column(default=0)
    copy_by_chunk: Mapped[bool] = mapped_column(default=False)
    single_active: Mapped[bool] = mapped_column(default=False)
    creator: Mapped[str] = mapped_column(String(255), default="")
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
