"""The inbox: store, take, settle, quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update

from authsvc.core.db import db, present, utcnow
from authsvc.core.errors import NotFound
from authsvc.core.inserts import insert_ignore
from authsvc.inbox.models import DONE, PENDING, QUARANTINED, InboxEvent

# After this many tries an event is not retried by itself any more; the waits between them grow to five minutes.
MAX_ATTEMPTS = 12
_LONGEST_WAIT = 300
_KEPT = timedelta(days=1)


def store(event_id: str, body: str, *, quarantined: str = "") -> bool:
    """Keep an event; False if its id is known already. `quarantined` says why it cannot be processed, if it cannot."""
    now = present()
    return insert_ignore(
        InboxEvent,
        event_id=event_id,
        body=body,
        received_at=now,
        due_at=now,
        status=QUARANTINED if quarantined else PENDING,
        attempts=0,
        reason=quarantined[:500],
    )


def _due() -> Select[Any]:
    now = present()
    far = now + timedelta(seconds=2 * _LONGEST_WAIT)  # said by a clock that was ahead
    return select(InboxEvent).where(InboxEvent.status == PENDING, (InboxEvent.due_at <= now) | (InboxEvent.due_at > far))


def is_due() -> bool:
    """True if there is anything to process now."""
    return db.session.scalar(_due().with_only_columns(InboxEvent.id).limit(1)) is not None


def due(limit: int) -> Sequence[InboxEvent]:
    """The next events to process, in the order they came."""
    return db.session.scalars(_due().order_by(InboxEvent.id).limit(limit)).all()


def settle(event_id: int, outcome: str) -> bool:
    """Processed: `outcome` says what came of it. In the same transaction as its effects, so each happens exactly once; False if
    somebody else has settled it, who took us for dead: then the effects must not happen."""
    return _set(event_id, PENDING, status=DONE, reason=outcome[:500])


def postpone(event: InboxEvent, reason: str, wait: float | None = None) -> None:
    """Try again later (seconds; by default longer each time); after too many tries, quarantine."""
    attempts = event.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        quarantine(event.id, f"gave up after {attempts} tries: {reason}")
        return
    seconds = min(2.0**attempts, _LONGEST_WAIT) if wait is None else wait
    _set(event.id, PENDING, attempts=attempts, reason=reason[:500], due_at=present() + timedelta(seconds=seconds))


def quarantine(event_id: int, reason: str) -> None:
    """Set an event aside with the reason; it stays until somebody retries or discards it."""
    _set(event_id, PENDING, status=QUARANTINED, reason=reason[:500])


def _set(event_id: int, present_status: str, **values: Any) -> bool:
    found = update(InboxEvent).where(InboxEvent.id == event_id, InboxEvent.status == present_status)
    result: Any = db.session.execute(found.values(**values), execution_options={"synchronize_session": False})
    return bool(result.rowcount)


def quarantined() -> Select[Any]:
    """All events set aside."""
    return select(InboxEvent).where(InboxEvent.status == QUARANTINED)


def get(event_id: int) -> InboxEvent:
    """A quarantined event.

    Raises:
        NotFound
    """
    event: InboxEvent | None = db.session.scalar(quarantined().where(InboxEvent.id == event_id))
    if event is None:
        raise NotFound(f"quarantined event {event_id} not found")
    return event


def retry(event_id: int) -> None:
    """Process a quarantined event again.

    Raises:
        NotFound
    """
    get(event_id)
    _set(event_id, QUARANTINED, status=PENDING, attempts=0, due_at=present())


def discard(event_id: int) -> None:
    """Settle a quarantined event without processing it.

    Raises:
        NotFound
    """
    get(event_id)
    _set(event_id, QUARANTINED, status=DONE, reason="discarded by an administrator")


def count_pending() -> int:
    """How many events wait."""
    return db.session.scalar(select(func.count()).where(InboxEvent.status == PENDING)) or 0


def is_old() -> ColumnElement[bool]:
    """Of events: processed long ago."""
    return (InboxEvent.status == DONE) & (InboxEvent.received_at < utcnow() - _KEPT)
