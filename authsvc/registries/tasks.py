"""Looking after remote registries: whether each still answers."""

from __future__ import annotations

from typing import Any

from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Unavailable
from authsvc.jobs.context import JobContext
from authsvc.registries import service
from authsvc.registries.models import Registry
from authsvc.registries.remote import Remote, problem

KIND = "REGISTRY_HEALTH"


def check_health(context: JobContext) -> dict[str, Any]:
    """Ask each, and note how it was found."""
    with reading():
        remotes = [(row.id, row.name, _remote(row)) for row in db.session.scalars(service.every().order_by(Registry.id))]
    unhealthy = 0
    for registry_id, name, remote in remotes:
        context.keep_going()
        reason = problem(remote, context.settings.outgoing_allow) if remote else "its secret cannot be read"
        if reason:
            unhealthy += 1
            context.log(f"{name}: {reason}")
        with transaction():
            service.set_status(registry_id, healthy=not reason)
    return {"checked": len(remotes), "unhealthy": unhealthy}


def _remote(registry: Registry) -> Remote | None:
    try:
        return service.remote_of(registry)
    except Unavailable:
        return None
