"""The journal of writes: what is about to be done to the registry, written down before it is done.

An intent holds the references that it is about, so of two writes to one tag the second waits for the outcome of the first.
The outcome is recorded in the transaction that ends the intent. See `artifacts.settling` for what is left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
# The method of an intent that changes nothing by itself: its tag is looked at, and the index agrees with what there is.
MEND = "MEND"


class Held(Exception):
    """Somebody else's intent holds a reference; `is_over`: that process is taken for dead."""

    def __init__(self, intent_id: int, *, is_over: bool) -> None:
        super().__init__(f"intent {intent_id}")
        self.intent_id = intent_id
        self.is_over = is_over


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
    if db.session.scalar(select(Project.id).where(Project.id == write.project_id).with_for_update(key_share=True)) is None:
        raise NotFound(f"the project of {write.repository} is gone")
    origin = current()
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
        until=present() + LEASE,
    )
    db.session.add(intent)
    db.session.flush()
    hold(intent, write.reference, *filter(None, [write.digest]))
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
        if found is None:  # settled in this moment
            raise Held(0, is_over=False)
        if found.id != intent.id:
            raise Held(found.id, is_over=is_over(found))


def is_over(intent: Intent) -> bool:
    """Whoever had it in hand is dead, or taken for dead."""
    now = present()
    return not now <= intent.until <= now + 2 * LEASE or processes.is_gone(intent.owner)


def in_flight(project_id: int) -> int:
    """Bytes that writes to a project which are not recorded yet may add."""
    return int(db.session.scalar(select(func.sum(Intent.reserved)).where(Intent.project_id == project_id)) or 0)


def are_open(project_id: int, repository: str = "") -> bool:
    """Whether something is being written to a project, or to one repository of it."""
    here = [Intent.project_id == project_id, *([Intent.repository == repository] if repository else [])]
    return db.session.scalar(select(Intent.id).where(*here).limit(1)) is not None


def end(intent_id: int) -> bool:
    """End an intent, in the transaction that records its outcome; False if somebody else has settled it, or does now."""
    db.session.execute(delete(Hold).where(Hold.intent_id == intent_id))
    result: Any = db.session.execute(delete(Intent).where(Intent.id == intent_id))
    return bool(result.rowcount)


def finish(intent_id: int, operation: str) -> None:
    """End an intent in the transaction that records its outcome; `operation`: what the audit log says came of it, "" for
    nothing.

    Raises:
        Unavailable: we were away for so long that somebody else took us for dead and settled it.
    """
    intent = db.session.get(Intent, intent_id)
    if intent is None or not end(intent_id):
        raise Unavailable("it took too long; look whether it is there, and try again", retry_after=1)
    if operation:
        note(intent, operation)


def note(intent: Intent, operation: str) -> None:
    """The entry in the audit log for what an intent came to, in the name of whoever asked."""
    separator = ":" if names.is_tag(intent.reference) else "@"
    resource = f"{intent.repository}{separator}{intent.reference}"
    with coming_from(Origin(intent.address, intent.user_agent, intent.request_id)):
        audit.record(intent.username, operation, "artifact", resource, project_id=intent.project_id, description=intent.digest)


def give_up(intent_id: int) -> None:
    """Let whoever comes next settle an intent of ours: what became of it we do not know."""
    with transaction():
        db.session.execute(update(Intent).where(Intent.id == intent_id).values(until=present() - LEASE))
