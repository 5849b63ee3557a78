"""Writing and reading the audit log. `record` is an ordinary call in each verb: greppable, in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Select, false, select

from authsvc.audit import forward, rules
from authsvc.audit.changes import Changes
from authsvc.audit.changes import take as taken
from authsvc.audit.models import AuditLog, AuditOutbox
from authsvc.configuration import service as configuration
from authsvc.core import origin
from authsvc.core.clock import rfc3339
from authsvc.core.db import db, utcnow
from authsvc.core.repeat import outside
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.rbac.reach import reach

_LAST_CHANGES = 500  # entries that are looked through
ANONYMOUS_NAME = "anonymous"  # Harbor's name for a pull without login


@dataclass(frozen=True, slots=True)
class Entry:
    """What is noted of an operation, as far as listeners need it."""

    username: str
    operation: str
    resource_type: str
    resource: str
    project_id: int | None
    succeeded: bool
    description: str
    at: datetime


Hear = Callable[[Entry], None]
_HEARERS = "audit.hearers"


def tell(app: Flask, hearers: Sequence[Hear]) -> None:
    """Who else is told of each operation in this application, in its transaction, whatever is switched off in the log."""
    app.extensions[_HEARERS] = hearers


def record(
    username: str,
    operation: str,
    resource_type: str,
    resource: str,
    *,
    project_id: int | None = None,
    succeeded: bool = True,
    description: str = "",
    at: datetime | None = None,
    changes: Changes | None = None,
    always: bool = False,
) -> None:
    """Note an operation (`create`, `delete`, `pull`, `update`, `login`, `logout`) with the present origin, and with what it
    changed in rows of `Audited` models; `changes` adds what is in none. `always`: also if such entries are switched off."""
    keep = rules.keeping(configuration.values())
    changed = taken() | (changes or {})
    name, moment = (username or ANONYMOUS_NAME)[:255], at or utcnow()
    for hear in current_app.extensions.get(_HEARERS, ()):
        hear(Entry(name, operation, resource_type, resource, project_id, succeeded, description, moment))
    if not always and not keep.keeps(operation, resource_type):
        return
    come_from = origin.current()
    entry = {
        "op_time": moment,
        "username": name,
        "operation": operation,
        "resource_type": resource_type,
        "resource": resource[:1024],
        "project_id": project_id,
        "succeeded": succeeded,
        "description": description[:1024],
        "address": come_from.address,
        "user_agent": come_from.user_agent,
        "request_id": come_from.request_id,
        "changes": changed or None,
    }
    if keep.database:
        db.session.add(AuditLog(**entry))
    if keep.forward:
        sent = entry | {"id": uuid.uuid4().hex, "op_time": rfc3339(moment)}
        db.session.add(AuditOutbox(entry=sent, stored=keep.database))


def configure(actor: str, given: Mapping[str, Any]) -> None:
    """Set items of the configuration, and note what they were before.

    Raises:
        BadRequest: a value cannot be used, or nobody answers where the audit log is to be forwarded to.
    """
    outside("forwarding", lambda: forward.check(given))
    changed = configuration.change(given)
    if changed:
        changes = {name: list(values) for name, values in changed.items()}
        always = not rules.ITEMS.isdisjoint(changed)
        record(
            actor,
            "update",
            "configuration",
            "configuration",
            description=", ".join(sorted(changed)),
            changes=changes,
            always=always,
        )


def last_changes(items: Collection[str]) -> dict[str, AuditLog]:
    """Which entry tells of the last change of each of these items of the configuration, as far as the last 500 changes do."""
    of_items = select(AuditLog).where(AuditLog.resource_type == "configuration", AuditLog.resource == "configuration")
    found: dict[str, AuditLog] = {}
    for entry in db.session.scalars(of_items.order_by(AuditLog.op_time.desc(), AuditLog.id.desc()).limit(_LAST_CHANGES)):
        for name in (entry.changes or {}).keys() & items:
            found.setdefault(name, entry)
    return found


def of_project(project: ProjectRef) -> Select[Any]:
    """All entries of one project."""
    return select(AuditLog).where(AuditLog.project_id == project.id)


def visible_to(who: Principal) -> Select[Any]:
    """All entries for a system administrator, or a robot that may list them; for others those of the projects whose log they may
    read."""
    statement = select(AuditLog)
    if can(who, Permission(Resource.AUDIT_LOG, Action.LIST)):
        return statement
    reached = reach(who, Permission(Resource.LOG, Action.LIST))
    if reached.everywhere:
        places = AuditLog.project_id.is_not(None) if reached.within is None else AuditLog.project_id.in_(reached.within)
        return statement.where(places)
    found = reached.projects if reached.within is None else reached.projects & reached.within
    return statement.where(AuditLog.project_id.in_(found) if found else false())
