"""What the worker does: events, comparisons with the registry, jobs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from authsvc.artifacts.models import Damage, Intent
from authsvc.audit.models import AuditOutbox
from authsvc.core.db import db, present, reading, utcnow
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good
from authsvc.inbox.models import PENDING, QUARANTINED, InboxEvent
from authsvc.jobs.models import ERROR, FINAL, Execution, Lease, PausedQueue, Schedule, Task
from authsvc.scanners import rules
from authsvc.scanners.models import UNHEALTHY, Scanner
from authsvc.system.health import WORKER_LEASE

_WAITED = timedelta(minutes=2)
_DAY = timedelta(days=1)
_LATE = timedelta(minutes=10)
_STALE = timedelta(days=7)


def _worker(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        until, now = db.session.scalar(select(Lease.until).where(Lease.name == WORKER_LEASE)), present()
    if until is None or until < now:
        return bad("no worker runs", "start one: authsvc restart. Pushes are taken, and nothing is recorded")
    return good("a worker runs")


def _inbox(patient: Patient) -> Finding:
    oldest = select(func.min(InboxEvent.received_at), func.count()).where(InboxEvent.status == PENDING)
    with patient.app.app_context(), reading():
        (since, count), now = db.session.execute(oldest).one(), present()
    if since is not None and now - since > _WAITED:
        return bad(
            f"{count} events wait, the oldest since {since:%Y-%m-%d %H:%M} UTC", "see the worker's log for why it does not get on"
        )
    return good(f"{count} events wait")


def _aside(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        count = db.session.scalar(select(func.count()).where(InboxEvent.status == QUARANTINED)) or 0
    return (
        doubtful(f"{count} events were set aside", "see authsvc quarantine list; retry or discard each")
        if count
        else good("no event was set aside")
    )


def _damages(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        count = db.session.scalar(select(func.count()).select_from(Damage)) or 0
    return (
        bad(f"{count} tags or digests cannot be read", "see authsvc damages; push them again, or delete them")
        if count
        else good("all that is listed can be read")
    )


def _comparison(patient: Patient) -> Finding:
    last = (
        select(Execution.status, Execution.status_message, func.coalesce(Execution.end_time, Execution.update_time))
        .where(Execution.vendor_type == "RECONCILE", Execution.status.in_(FINAL))
        .order_by(Execution.id.desc())
        .limit(1)
    )
    with patient.app.app_context(), reading():
        found, now = db.session.execute(last).one_or_none(), present()
    if found is None:
        return doubtful("the index was never compared with the registry", "see that a worker runs; authsvc reconcile does it now")
    status, message, ended = found
    if status == ERROR:
        return bad(
            f"the comparison at {ended:%Y-%m-%d %H:%M} UTC failed: {message[:200]}",
            "mend what it says, then authsvc reconcile",
        )
    late = 3 * timedelta(seconds=patient.settings.reconcile_seconds) + _LATE
    said = f"the index and the registry were compared at {ended:%Y-%m-%d %H:%M} UTC"
    return good(said) if now - ended < late else doubtful(said, "see that a worker runs, and that RECONCILE is not paused")


def _failed(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        since = present() - _DAY
        statement = select(Execution.vendor_type, func.count()).where(Execution.status == ERROR, Execution.start_time > since)
        found = db.session.execute(statement.group_by(Execution.vendor_type)).all()
    if not found:
        return good("no job failed within a day")
    named = ", ".join(f"{count} of {kind}" for kind, count in found)
    return doubtful(f"failed within a day: {named}", "see their logs: at the pages, or /api/v2.0/jobservice/jobs/ID/log")


def _queue(patient: Patient) -> Finding:
    statement = select(func.min(Task.due_at), func.count()).where(Task.status == "Pending")
    with patient.app.app_context(), reading():
        (since, count), now = db.session.execute(statement).one(), present()
    if since is not None and now - since > _LATE:
        return doubtful(
            f"{count} jobs wait, the oldest since {since:%Y-%m-%d %H:%M} UTC",
            "raise TIDEGATE_JOB_WORKERS, or see which ones hang",
        )
    return good(f"{count} jobs wait")


def _schedules(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        now = present()
        late = db.session.scalars(select(Schedule.vendor_type).where(Schedule.next_time < now - _LATE)).all()
        paused = db.session.scalars(select(PausedQueue.kind)).all()
    if paused:
        return doubtful(
            f"paused: {', '.join(paused)}", "resume them when the reason is gone: PUT /api/v2.0/jobservice/queues/TYPE"
        )
    return bad(f"overdue: {', '.join(late)}", "see that a worker runs") if late else good("schedules are on time")


def _journal(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        now = present()
        count = db.session.scalar(select(func.count()).where(Intent.until < now - _LATE)) or 0
    return (
        doubtful(f"{count} writes of manifests have not come to an end", "see that a worker runs, and reaches the registry")
        if count
        else good("every write of a manifest came to an end")
    )


def _forwarded(patient: Patient) -> Finding:
    statement = select(func.count()).select_from(AuditOutbox)
    with patient.app.app_context(), reading():
        count = db.session.scalar(statement) or 0
    if count > 1000:
        return doubtful(f"{count} audit entries wait for the collector", "see audit_log_forward_endpoint, and the worker's log")
    return good(f"{count} audit entries wait for the collector")


def _scanners(patient: Patient) -> Finding:
    in_use = select(Scanner.name, Scanner.health, Scanner.said).where(~Scanner.disabled).order_by(Scanner.id)
    with patient.app.app_context(), reading():
        rows = db.session.execute(in_use).all()
    if not rows:
        return good("no scanner is registered, so nothing is scanned")
    if silent := [row.name for row in rows if row.health == UNHEALTHY]:
        return bad(f"scanners that do not answer: {', '.join(silent)}", "see SCANNER_HEALTH at /admin/runs for why")
    if old := [row.name for row in rows if (made := rules.database_time(row.said)) and utcnow() - made > _STALE]:
        return doubtful(f"the vulnerability database is old at: {', '.join(old)}", "see why the scanner does not renew it")
    return good(f"{len(rows)} scanners answer")


CHECKS = (
    Check("work.worker", _worker),
    Check("work.inbox", _inbox),
    Check("work.aside", _aside),
    Check("work.damages", _damages),
    Check("work.comparison", _comparison),
    Check("work.failed", _failed),
    Check("work.queue", _queue),
    Check("work.schedules", _schedules),
    Check("work.journal", _journal),
    Check("work.forwarded", _forwarded),
    Check("work.scanners", _scanners),
)
