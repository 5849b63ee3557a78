"""The journal of writes: what is about to be done to the registry, written down before it is done.

An intent holds the references that it is about, so of two writes to one tag the second waits for the outcome of the first.
The outcome is recorded in the transaction that ends the intent. See `artifacts.settling` for what is left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from authsvc.artifacts.models import Hold, Intent
from authsvc.audit import service as audit
from authsvc.core import names, processes
from authsvc.core.db import db, present, transaction
from authsvc.core.errors import NotFound, Unavailable
from authsvc.core.inserts import insert_ignore
from authsvc.core.origin import Origin, coming_from, current
from authsvc.projects.models import Project

# Longer than any one request to the registry may take, its time-outs included.
LEASE = timedelta(seconds=45)
# Methods of intents that change nothing by themselves. MEND: its tag is looked at, and the index agrees with what there is.
# CLOSE: all of a place is held, while what is stored there is looked at and taken away.
MEND, CLOSE = "MEND", "CLOSE"
ALL = "*"  # the reference of whoever holds all of a place: no tag, and no digest
_CLOSED = 2 * LEASE - timedelta(seconds=10)  # longer than a bucket may take for one answer


_TOO_LONG = "it took too long; look whether it is there, and try again"


class Held(Exception):
    """Somebody else's intent holds a reference; None: one that was settled in this moment. `is_over`: that process is taken for
    dead; `is_place`: the intent asked nothing of the registry, so there is nothing to be settled."""

    def __init__(self, intent: Intent | None) -> None:
        self.intent_id = intent.id if intent else 0
        self.is_over = intent is not None and is_over(intent)
        self.is_place = intent is not None and intent.method == CLOSE
        super().__init__(f"intent {self.intent_id}")


@dataclass(frozen=True, slots=True)
class Write:
    """What is about to be done: PUT, DELETE or MEND of `reference` (a tag or digest); `digest`: of what is put."""

    project_id: int
    repository: str
    method: str
    reference: str
    digest: str
    username: str


def begin(write: Write) -> Intent:
    """A new intent, in the caller's transaction, which holds the project from here on: of one project, one write at a time is
    decided. The intent holds its reference and digest.

    Raises:
        Held
        NotFound: the project is gone.
    """
    _lock_project(write)
    _require_open(write.repository)
    intent = _new(write, LEASE)
    hold(intent, write.reference, *filter(None, [write.digest]))
    return intent


def close(project_id: int, place: str, username: str) -> Intent:
    """A new intent, in the caller's transaction, that holds all of a place: a repository, or a project with all that is in it. As
    long as it is open nobody begins to write there, nor makes a project of that name. `project_id`: 0 if there is none yet.

    Raises:
        Held: something is being written there, or somebody else holds it.
        NotFound: the project is gone.
    """
    write = Write(project_id, place, CLOSE, ALL, "", username)
    if project_id:
        _lock_project(write)
        here = [Intent.project_id == project_id, *([Intent.repository == place] if names.is_repository(place) else [])]
        found = db.session.scalar(select(Intent).where(*here).limit(1))
        if found is not None:
            raise Held(found)
    _require_open(place)
    intent = _new(write, _CLOSED)
    hold(intent, ALL)
    return intent


def keep(intent_id: int) -> None:
    """Go on holding a place; outside of transactions.

    Raises:
        Unavailable: somebody else took us for dead.
    """
    with transaction():
        mine = update(Intent).where(Intent.id == intent_id, Intent.owner == processes.own_name())
        result: Any = db.session.execute(mine.values(until=present() + _CLOSED))
        if not result.rowcount:
            raise Unavailable(_TOO_LONG, retry_after=1)


def _lock_project(write: Write) -> None:
    if db.session.scalar(select(Project.id).where(Project.id == write.project_id).with_for_update(key_share=True)) is None:
        raise NotFound(f"the project of {write.repository} is gone")


def _require_open(place: str) -> None:
    around = {place, names.project_of(place)}
    found = db.session.scalar(select(Intent).join(Hold).where(Hold.repository.in_(around), Hold.reference == ALL).limit(1))
    if found is not None:
        raise Held(found)


def _new(write: Write, lease: timedelta) -> Intent:
    origin, now = current(), present()
    intent = Intent(
        project_id=write.project_id,
        repository=write.repository,
        method=write.method,
        reference=write.reference,
        digest=write.digest,
        username=write.username,
        reserved=0,
        address=origin.address,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
        owner=processes.own_name(),
        until=now + lease,
        opened_at=now,
    )
    db.session.add(intent)
    db.session.flush()
    return intent


def hold(intent: Intent, *references: str) -> None:
    """Hold references for an intent, all or none; in one order for everybody, so that no two wait for each other.

    Raises:
        Held
    """
    for reference in sorted(set(references)):
        if insert_ignore(Hold, repository=intent.repository, reference=reference, intent_id=intent.id):
            continue
        where = (Hold.repository == intent.repository, Hold.reference == reference)
        found = db.session.scalar(select(Intent).join(Hold).where(*where))
        if found is None or found.id != intent.id:
            raise Held(found)


def is_over(intent: Intent) -> bool:
    """Whoever had it in hand is dead, or taken for dead."""
    now = present()
    return not now <= intent.until <= now + 2 * LEASE or processes.is_gone(intent.owner)


def oldest() -> datetime | None:
    """When the oldest write was let in of those whose outcome is not recorded yet; None if there is none."""
    return db.session.scalar(select(func.min(Intent.opened_at)))


def in_flight(project_id: int) -> int:
    """Bytes that writes to a project which are not recorded yet may add."""
    return int(db.session.scalar(select(func.sum(Intent.reserved)).where(Intent.project_id == project_id)) or 0)


def are_open(project_id: int) -> bool:
    """Whether something is being written to a project."""
    return db.session.scalar(select(Intent.id).where(Intent.project_id == project_id).limit(1)) is not None


def end(intent_id: int) -> bool:
    """End an intent, in the transaction that records its outcome; False if somebody else has settled it, or does now."""
    db.session.execute(delete(Hold).where(Hold.intent_id == intent_id))
    result: Any = db.session.execute(delete(Intent).where(Intent.id == intent_id))
    return bool(result.rowcount)


def finish(intent_id: int) -> Intent:
    """End an intent in the transaction that records its outcome; before anything of it is recorded.

    Raises:
        Unavailable: we were away for so long that somebody else took us for dead and settled it.
    """
    intent = db.session.get(Intent, intent_id)
    if intent is None or not end(intent_id):
        raise Unavailable(_TOO_LONG, retry_after=1)
    return intent


def note(intent: Intent, operation: str) -> None:
    """The entry in the audit log for what an intent came to, in the name of whoever asked; once that is recorded, since others
    hear of it, too, and look at it."""
    separator = ":" if names.is_tag(intent.reference) else "@"
    resource = f"{intent.repository}{separator}{intent.reference}"
    with coming_from(Origin(intent.address, intent.user_agent, intent.request_id)):
        audit.record(intent.username, operation, "artifact", resource, project_id=intent.project_id, description=intent.digest)


def give_up(intent_id: int) -> None:
    """Let whoever comes next settle an intent of ours: what became of it we do not know."""
    with transaction():
        db.session.execute(update(Intent).where(Intent.id == intent_id).values(until=present() - LEASE))
