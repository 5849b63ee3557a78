"""What was configured, where it differs from the default."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base
from authsvc.core.versioning import PolicyRelevant


class ConfigurationValue(PolicyRelevant, Base):
    """One item of `configuration.items`."""

    __tablename__ = "configuration"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    __table_args__ = ()
