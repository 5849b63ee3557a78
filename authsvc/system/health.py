"""Is everything there? One answer for people, probes and `authsvc up`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import requests
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core.db import db, present, reading
from authsvc.core.settings import Settings
from authsvc.jobs.models import Lease

WORKER_LEASE = "worker"
WORKER_LEASE_LENGTH = timedelta(seconds=9)


@dataclass(frozen=True, slots=True)
class Component:
    """One part: Harbor's name for it, and what is wrong ("" when it is healthy)."""

    name: str
    error: str = ""

    @property
    def status(self) -> str:
        return "unhealthy" if self.error else "healthy"


def check(settings: Settings) -> list[Component]:
    """Look at every part that a login, push or pull needs."""
    with reading():
        database, worker = _database(), _worker()
    return [Component("core"), database, worker, _registry(settings)]


def _database() -> Component:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Component("database", type(error).__name__)
    return Component("database")


def _worker() -> Component:
    try:
        until = db.session.scalar(select(Lease.until).where(Lease.name == WORKER_LEASE))
        now = present()
    except SQLAlchemyError as error:
        return Component("jobservice", type(error).__name__)
    left = until - now if until else timedelta(0)
    return Component("jobservice", "" if timedelta(0) < left <= 2 * WORKER_LEASE_LENGTH else "no worker is running")


def _registry(settings: Settings) -> Component:
    try:
        answer = requests.get(f"http://{settings.registry_address}/v2/", timeout=2, allow_redirects=False)
    except requests.RequestException as error:
        return Component("registry", type(error).__name__)
    return Component("registry", "" if answer.status_code in (200, 401) else f"answers {answer.status_code}")
