"""Remote registries that images come from and go to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow

HEALTHY, UNHEALTHY = "healthy", "unhealthy"  # Harbor's words


class Registry(Identified, Audited, Base):
    """`sealed_secret` is the access secret (`core.sealing`); it goes to this address only, and goes away with it."""

    __tablename__ = "registries"
    __audited__ = ("name", "url", "type", "description", "insecure", "ca_certificate", "credential_type", "access_key")

    name: Mapped[str] = mapped_column(String(255), unique=True)
    url: Mapped[str] = mapped_column(String(512))
    type: Mapped[str] = mapped_column(String(32))
    description: Mapped[str] = mapped_column(String(1024), default="")
    insecure: Mapped[bool] = mapped_column(default=False)
    ca_certificate: Mapped[str] = mapped_column(Text, default="")
    credential_type: Mapped[str] = mapped_column(String(16), default="")
    access_key: Mapped[str] = mapped_column(String(255), default="")
    sealed_secret: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16), default=HEALTHY)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
