"""Whom we trust to say what a job is, and what such a job may do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class TrustRule(Identified, PolicyRelevant, Base):
    """Tokens of `issuer` for `audience` whose claims all match (`*` and `?` in a pattern) may do `actions` (pull, push,
    delete) in the project, on repositories that match `repositories`."""

    __tablename__ = "trust_rules"

    name: Mapped[str] = mapped_column(String(255), unique=True)
    issuer: Mapped[str] = mapped_column(String(512), index=True)
    audience: Mapped[str] = mapped_column(String(255))
    claims: Mapped[dict[str, str]] = mapped_column(JSON)
    project_id: Mapped[int] = mapped_column(index=True)
    repositories: Mapped[str] = mapped_column(String(255), default="*")
    actions: Mapped[list[str]] = mapped_column(JSON)
    enabled: Mapped[bool] = mapped_column(default=True)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
