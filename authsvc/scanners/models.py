"""Scanners, and who has chosen which."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow

HEALTHY, UNHEALTHY = "healthy", "unhealthy"  # Harbor's words


class Scanner(Identified, Audited, Base):
    """A registered scanner. `auth` is how its credential is shown; `sealed_credential` (`core.sealing`) goes to this address
    alone, and goes away with it. `said`: its metadata, as it told them last; `health`: whether it did when it was asked last."""

    __tablename__ = "scanners"
    __audited__ = ("name", "description", "url", "auth", "disabled", "is_default", "skip_cert_verify", "use_internal_addr")

    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(String(1024), default="")
    url: Mapped[str] = mapped_column(String(512), unique=True)
    auth: Mapped[str] = mapped_column(String(32), default="")
    sealed_credential: Mapped[str] = mapped_column(Text, default="")
    disabled: Mapped[bool] = mapped_column(default=False)
    is_default: Mapped[bool] = mapped_column(default=False)
    skip_cert_verify: Mapped[bool] = mapped_column(default=False)
    use_internal_addr: Mapped[bool] = mapped_column(default=False)
    said: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    health: Mapped[str] = mapped_column(String(16), default=HEALTHY)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)


class ProjectScanner(Base):
    """The scanner that a project has chosen; others have the default one."""

    __tablename__ = "project_scanners"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    scanner_id: Mapped[int] = mapped_column(ForeignKey("scanners.id", ondelete="CASCADE"), index=True)
    __table_args__ = ()
