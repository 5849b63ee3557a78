"""Which nodes there are: each says so now and then; one that says nothing any more is shown for a day."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select

import authsvc
from authsvc.core.crypto import write_private
from authsvc.core.db import db, present, utcnow
from authsvc.core.inserts import upsert
from authsvc.core.layout import Layout
from authsvc.nodes.models import Node

BEAT = 10.0  # seconds
SILENT = timedelta(seconds=45)  # without a word for so long it is not there
CLOCK = timedelta(seconds=5)  # clocks that are further apart are a fault
_SHOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A node as others see it. `clock_ahead`: of the database's clock."""

    name: str
    host: str
    version: str
    parts: tuple[str, ...]
    start_time: datetime
    seen_at: datetime
    is_silent: bool
    clock_ahead: timedelta


def own_name(layout: Layout) -> str:
    """The name of the node with this state directory: the host's, and something that sets two on a host apart."""
    file: Path = layout.root / "run" / "node"
    if not file.exists():
        write_private(file, secrets.token_hex(4))
    return f"{socket.gethostname()[:64]}-{file.read_text().strip()[:32]}"


def beat(name: str, parts: Sequence[str], start_time: datetime) -> timedelta:
    """Say that a node is there; how far its clock is ahead of the database's."""
    before = utcnow()
    now = present()
    ahead = before + (utcnow() - before) / 2 - now
    row = {
        "name": name,
        "host": socket.gethostname()[:255],
        "version": authsvc.__version__[:32],
        "parts": " ".join(parts)[:255],
        "start_time": start_time,
        "seen_at": now,
        "clock_ahead": round(ahead / timedelta(milliseconds=1)),
    }
    upsert(Node, [row])
    db.session.execute(delete(Node).where(Node.seen_at < now - _SHOWN))
    return ahead


def leave(name: str) -> None:
    """Say that a node ends in order."""
    db.session.execute(delete(Node).where(Node.name == name))


def everyone() -> list[Standing]:
    """All of them, by name."""
    now = present()
    rows = db.session.scalars(select(Node).order_by(Node.name))
    return [
        Standing(
            row.name,
            row.host,
            row.version,
            tuple(row.parts.split()),
            row.start_time,
            row.seen_at,
            now - row.seen_at > SILENT,
            timedelta(milliseconds=row.clock_ahead),
        )
        for row in rows
    ]
