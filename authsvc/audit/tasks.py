"""The purge of the audit log, as a job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select

from authsvc.audit import rules, service
from authsvc.audit.models import AuditLog
from authsvc.core import slices
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import BadRequest
from authsvc.jobs.context import JobContext

KIND = "PURGE_AUDIT_LOG"


@dataclass(frozen=True, slots=True)
class Purge:
    """What is purged: entries older than so many hours, of these kinds (empty: of all)."""

    hours: int
    events: frozenset[str]
    dry_run: bool

    def condition(self) -> ColumnElement[bool]:
        """As a condition on entries."""
        old = AuditLog.op_time < utcnow() - timedelta(hours=self.hours)
        return and_(old, _among(self.events)) if self.events else old


def parse(parameters: Mapping[str, Any]) -> Purge:
    """Harbor's parameters of a purge.

    Raises:
        BadRequest
    """
    hours = parameters.get("audit_retention_hour")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours <= rules.MAX_RETENTION_HOURS or hours % 1:
        raise BadRequest(f"audit_retention_hour must be a whole number of hours from 0 to {rules.MAX_RETENTION_HOURS}")
    events = _text(parameters, "include_event_types")
    operations = rules.words(_text(parameters, "include_operations"))  # what older clients say
    chosen = rules.words(events) | {name for name in rules.EVENT_TYPES if name.partition("_")[0] in operations}
    if not isinstance(parameters.get("dry_run", False), bool):
        raise BadRequest("dry_run must be true or false")
    return Purge(int(hours), chosen, bool(parameters.get("dry_run", False)))


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they are kept with a schedule or an execution.

    Raises:
        BadRequest
    """
    purge = parse(parameters)
    return {"audit_retention_hour": purge.hours, "include_event_types": ",".join(sorted(purge.events)), "dry_run": purge.dry_run}


def _text(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name) or ""
    if not isinstance(value, str) or len(value) > 2000:
        raise BadRequest(f"{name} must be a comma list as text")
    return value


def _among(events: Collection[str]) -> ColumnElement[bool]:
    named = [_is(event) for event in events if event != rules.OTHER]
    others = [not_(or_(*(_is(event) for event in rules.EVENT_TYPES)))] if rules.OTHER in events else []
    return or_(false(), *named, *others)


def _is(event: str) -> ColumnElement[bool]:
    operation, _, resource_type = event.partition("_")
    return and_(AuditLog.operation == operation, AuditLog.resource_type == resource_type)


def purge(context: JobContext) -> dict[str, Any]:
    """Delete in small transactions, the oldest first; a dry run counts."""
    wanted = parse(context.payload)
    condition = wanted.condition()
    context.log(f"{'[DRYRUN] ' if wanted.dry_run else ''}Purge audit job start: {checked(context.payload)}")
    if wanted.dry_run:
        with reading():
            count = db.session.scalar(select(func.count()).select_from(AuditLog).where(condition)) or 0
        context.log(f"[DRYRUN] Purged {count} rows of audit logs")
        return {"purged": count}
    count = slices.forget(AuditLog, condition, context.keep_going)
    context.log(f"Purged {count} rows of audit logs")
    with transaction():
        service.record(f"tidegate:{KIND}", "delete", "audit-log", "audit log", description=f"{count} entries purged")
    return {"purged": count}
