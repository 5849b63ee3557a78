"""Vulnerabilities that somebody decided to live with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow

SYSTEM = 0


class CveAllowlist(Identified, Base):
    """The list of a project, or of the whole system (`project_id` 0). `expires_at` in epoch seconds; None: never."""

    __tablename__ = "cve_allowlists"

    project_id: Mapped[int] = mapped_column(unique=True)
    expires_at: Mapped[int | None]
    cve_ids: Mapped[list[str]] = mapped_column(JSON, default=list)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    @property
    def items(self) -> list[dict[str, str]]:
        """Harbor's form of `cve_ids`."""
        return [{"cve_id": cve_id} for cve_id in self.cve_ids]
