"""Is everything there? One answer for people, probes and `authsvc up`. Anybody may ask, so no name of anything is in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from authsvc.artifacts.models import Damage
from authsvc.core.certificate_files import trouble
from authsvc.core.db import db, present, reading, utcnow
from authsvc.core.kept import Kept
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.inbox.models import PENDING, QUARANTINED, InboxEvent
from authsvc.jobs.models import ERROR, FINAL, Execution, Lease

WORKER_LEASE = "worker"
WORKER_LEASE_LENGTH = timedelta(seconds=9)
_LONGEST_KEPT = 30.0  # seconds
_LONGEST_BACKLOG = timedelta(minutes=2)
_NO_SPACE, _LITTLE_SPACE = 64 * 1024 * 1024, 0.05  # bytes; a share of the whole


@dataclass(frozen=True, slots=True)
class Component:
    """One part: Harbor's name for it, or ours, and what is wrong ("" when it is healthy); `warning`: what somebody should see to,
    though everything works."""

    name: str
    error: str = ""
    warning: str = ""

    @property
    def status(self) -> str:
        return "unhealthy" if self.error else "healthy"


class Looks:
    """One at a time in a process: anybody may ask, and a part may be silent for seconds. Whoever comes meanwhile is told what was
    found last."""

    def __init__(self) -> None:
        settings: Settings = current_app.config["TIDEGATE"]
        self.latest = Kept(lambda: check(settings), 0, _LONGEST_KEPT)


class Needed:
    """The same of what nothing can do without, for probes: quickly, and as of a second ago at most."""

    def __init__(self) -> None:
        settings: Settings = current_app.config["TIDEGATE"]
        self.latest = Kept(lambda: needed(settings), 1.0, _LONGEST_KEPT)


def check(settings: Settings) -> list[Component]:
    """Look at every part."""
    return [*needed(settings), *_others(settings)]


def needed(settings: Settings) -> list[Component]:
    """Look at what no login, push or pull can do without."""
    with reading():
        parts = list(_by_database())
    return [Component("core"), *parts, _at("registry", settings.registry_address, "/v2/")]


def _by_database() -> Iterator[Component]:
    try:
        until = db.session.scalar(select(Lease.until).where(Lease.name == WORKER_LEASE))
        left = until - present() if until else timedelta(0)
    except SQLAlchemyError as error:
        yield Component("database", type(error).__name__)
        yield Component("jobservice", type(error).__name__)
        return
    yield Component("database")
    yield Component("jobservice", "" if timedelta(0) < left <= 2 * WORKER_LEASE_LENGTH else "no worker is running")


def _others(settings: Settings) -> list[Component]:
    with reading():
        index, inbox = _index_and_inbox()
    token = _at("token", settings.token_address, "/api/v2.0/ping")
    webhook = _at("webhook", settings.webhook_address, "/webhook/ready")
    return [token, webhook, inbox, index, _storage(settings), _certificate(settings), _selftest(settings)]


def _at(name: str, address: str, path: str) -> Component:
    try:
        answer = requests.get(f"http://{address}{path}", timeout=2, allow_redirects=False)
    except requests.RequestException as error:
        return Component(name, type(error).__name__)
    return Component(name, "" if answer.status_code in (200, 401) else f"answers {answer.status_code}")


def _index_and_inbox() -> tuple[Component, Component]:
    of_status = select(func.count()).select_from(InboxEvent)
    last = select(Execution.status).where(Execution.vendor_type == "RECONCILE", Execution.status.in_(FINAL))
    facts: dict[str, Any] = {
        "oldest": select(func.min(InboxEvent.received_at)).where(InboxEvent.status == PENDING),
        "quarantined": of_status.where(InboxEvent.status == QUARANTINED),
        "damaged": select(func.count()).select_from(Damage),
        "last": last.order_by(Execution.id.desc()).limit(1),
    }
    try:
        found = db.session.execute(select(*(one.scalar_subquery().label(name) for name, one in facts.items()))).one()
        now = present()
    except SQLAlchemyError as error:
        return Component("index", type(error).__name__), Component("inbox", type(error).__name__)
    failed = "the last comparison with the registry failed: see authsvc reconcile" if found.last == ERROR else ""
    damaged = f"{found.damaged} tags or digests cannot be read: see authsvc damages" if found.damaged else ""
    aside = f"{found.quarantined} events were set aside: see authsvc quarantine list" if found.quarantined else ""
    return Component("index", failed, damaged), Component("inbox", _backlog(found.oldest, now), aside)


def _backlog(oldest: datetime | None, now: datetime) -> str:
    waits = now - oldest if oldest else timedelta(0)
    return f"an event has waited for {waits.total_seconds():.0f} s" if waits > _LONGEST_BACKLOG else ""


def _storage(settings: Settings) -> Component:
    """Of what lies on disks of this host."""
    layout = Layout(settings)
    usages = [shutil.disk_usage(place) for place in layout.disks.values()]
    if any(usage.free < _NO_SPACE for usage in usages):
        return Component("storage", "no space is left")
    is_little = any(usage.free < usage.total * _LITTLE_SPACE for usage in usages)
    return Component("storage", "", "less than 5 % of the space is left" if is_little else "")


def _certificate(settings: Settings) -> Component:
    """What nginx serves on this host, unless somebody in front of it ends TLS."""
    own = Layout(settings).server_certificate
    if not settings.tls or not (settings.tls_certificate or own.exists()):
        return Component("certificate")
    host = urlsplit(settings.external_url).hostname or ""
    return Component("certificate", *trouble(settings.tls_certificate or own, host, utcnow()))


def _selftest(settings: Settings) -> Component:
    """The last one that was run on this host."""
    try:
        found = json.loads(Layout(settings).selftest.read_text())
    except (OSError, ValueError):
        return Component("selftest")
    return Component("selftest", "", f"failed at {found['time']}: see authsvc selftest" if found["trouble"] else "")
