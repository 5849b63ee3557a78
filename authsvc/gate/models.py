"""The log of decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, utcnow


class Decision(Base):
    """One decision at the gate: what was asked, by whom, and what decided; enough to ask the same again.

    `status` 0: let in. `holder_kind` and `holder_id`: the account, as names may be used again; "" and 0 for nobody. `facts`:
    of a write, what the checks were asked about beside the rest (the manifest's blobs, displaced tags).
    """

    __tablename__ = "gate_decisions"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    username: Mapped[str] = mapped_column(String(255))
    holder_kind: Mapped[str] = mapped_column(String(16))
    holder_id: Mapped[int]
    method: Mapped[str] = mapped_column(String(8))
    repository: Mapped[str] = mapped_column(String(255))
    reference: Mapped[str] = mapped_column(String(255))
    source: Mapped[str] = mapped_column(String(255), default="")
    kind: Mapped[str] = mapped_column(String(16))
    project_id: Mapped[int]
    status: Mapped[int]
    code: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str] = mapped_column(String(255))
    message: Mapped[str] = mapped_column(String(1024))
    help: Mapped[str] = mapped_column(String(255))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (
        Index("ix_gate_decisions_project_id_at", "project_id", "at"),
        Index("ix_gate_decisions_username", "username"),
    )
