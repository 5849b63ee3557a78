"""The keys that nodes sign tokens with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class SigningLeaf(Identified, PolicyRelevant, Base):
    """The certificate (PEM) of a key that some node signs with, below the authority that all share, so that the others' gates
    take its tokens. `retired_at`: when it was replaced; its last tokens live on for a while."""

    __tablename__ = "signing_leaves"

    key_id: Mapped[str] = mapped_column(String(64), unique=True)
    certificate: Mapped[str] = mapped_column(Text)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    retired_at: Mapped[datetime | None]
