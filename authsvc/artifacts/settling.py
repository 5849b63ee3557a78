"""Writing through the journal: getting hold of what is to be written, and settling what was left over.

What a process left behind that died, or lost the registry's answer, is settled by whoever comes next, or by the worker: the
registry is asked what there is, and that is recorded, as if the write had been answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import select

from authsvc.artifacts import damage, forgotten, journal, record
from authsvc.artifacts.intake import Fetched, fetch, store
from authsvc.artifacts.journal import Held, Write
from authsvc.artifacts.models import Hold, Intent
from authsvc.core import names, processes
from authsvc.core.db import db, present, reading, transaction, utcnow
from authsvc.core.errors import Conflict, DomainError, Unavailable
from authsvc.core.failpoints import failpoint
from authsvc.core.faults import told
from authsvc.distribution.client import RegistryClient, Unreadable
from authsvc.distribution.manifest import ManifestInvalid
from authsvc.distribution.untag import finish as finish_untagging
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

WAIT = 4.0  # seconds for somebody else's write to the same tag
_BATCH = 100
_NOTED = {"PUT": "create", "DELETE": "delete"}  # what the audit log calls them
T = TypeVar("T")

log = structlog.get_logger(component="journal")


class Occupied(Unavailable):
    """Somebody else does not get done with what is to be written."""


def enter(client: RegistryClient | None, open_: Callable[[], T], wait: float | None = None, what: str = "tag or digest") -> T:
    """Open an intent in a transaction of its own by `open_`, as soon as nobody else holds what it needs (`what`). Without a
    client what dead processes have left is the worker's to settle, and is waited for.

    Raises:
        Occupied: somebody else did not get done in time (`wait` seconds).
    """
    deadline = time.monotonic() + (WAIT if wait is None else wait)
    while True:
        try:
            with transaction():
                return open_()
        except Held as held:
            if held.is_over and held.is_place:
                with transaction():
                    if _claim(held.intent_id):  # it may have been kept since
                        journal.end(held.intent_id)
            elif held.is_over and client is not None:
                settle(client, held.intent_id)
            elif not _wait_for(held.intent_id, deadline):
                raise Occupied(f"somebody else is writing to the same {what}; try again", retry_after=1) from None


def _wait_for(intent_id: int, deadline: float) -> bool:
    """Wait until an intent is settled, with reads only; False if it is not by then."""
    pause = 0.005
    while time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
        with reading():
            if db.session.scalar(select(Intent.id).where(Intent.id == intent_id)) is None:
                return True
    return False


def unknown(client: RegistryClient, intent_id: int) -> bool:
    """What became of an intent of ours we do not know, or could not record: look at once. True if what it wanted is so; else
    whoever comes next looks."""
    try:
        journal.give_up(intent_id)
        return settle(client, intent_id)
    except Unavailable as error:
        log.warning("outcome_unknown", intent_id=intent_id, error=error.message)
        return False


def settle(client: RegistryClient, intent_id: int) -> bool:
    """Record what the registry has of all that an intent holds, and end it: of an intent that is over, and that nobody else
    settles already. True if what it wanted is so.

    Raises:
        Unavailable: the registry does not answer; the intent stays.
    """
    with transaction():
        is_ours = _claim(intent_id)
    outcome = _conclude(client, intent_id) if is_ours else None
    return outcome is not None and outcome.is_so


def mend(client: RegistryClient, write: Write) -> Fetched | None:
    """Hold a tag or digest, let the index agree with what the registry has of it, and finish its deletion if that was left half
    done; returns what there is then.

    Raises:
        NotFound: the project is gone.
        ManifestInvalid, Unreadable: there is something that we cannot read, or not record.
        Unavailable
    """
    outcome = _conclude(client, enter(client, lambda: journal.begin(write).id))
    if outcome is None:
        return fetch(client, write.repository, write.reference)
    if why := outcome.damaged.get(write.reference):
        raise Unreadable(why)
    return outcome.found[write.reference]


@contextmanager
def held(client: RegistryClient, write: Write) -> Iterator[int]:
    """Hold references while the registry is asked and what it says is recorded. Who holds them ends the intent, in the
    transaction that records; if that does not come to pass, whoever comes next looks.

    Raises:
        NotFound: the project is gone.
        Unavailable: somebody else holds one of them; not waited for.
    """
    intent_id = enter(client, lambda: journal.begin(write).id, wait=0)
    try:
        yield intent_id
    except BaseException:
        journal.give_up(intent_id)
        raise


def _claim(intent_id: int) -> bool:
    """Make an intent that is over ours, or not: somebody else has settled it, or does now. Two at once would not do: the later
    one could take away a tag that was pushed anew after the earlier one was done."""
    intent = db.session.get(Intent, intent_id, with_for_update=True)
    if intent is None or not journal.is_over(intent):
        return False
    intent.owner, intent.until = processes.own_name(), present() + journal.LEASE
    return True


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the registry has of all that an intent holds, by reference; of what cannot be read, why."""

    intent: Intent
    found: Mapping[str, Fetched | None]
    damaged: Mapping[str, str]

    @property
    def is_so(self) -> bool:
        """What is put is there; what is deleted, or was to be, is not."""
        present = self.found.get(self.intent.reference)
        if self.intent.method == "PUT":
            return present is not None and present.manifest.digest == self.intent.digest
        return present is None and self.intent.reference in self.found


def _conclude(client: RegistryClient, intent_id: int) -> _Outcome | None:
    """Settle an intent of ours; None if it was settled meanwhile."""
    with reading():
        intent = db.session.get(Intent, intent_id)
        held = select(Hold.reference).where(Hold.intent_id == intent_id, Hold.reference != journal.ALL)
        references = list(db.session.scalars(held))
        db.session.expunge_all()
    if intent is None:  # who had been away for too long has come back and ended it
        return None
    try:
        outcome = _Outcome(intent, *_found(client, intent.repository, references))
    except BaseException:
        journal.give_up(intent_id)
        raise
    failpoint("settle")
    try:
        return _end(intent_id, outcome)
    except Exception as error:
        if isinstance(error if isinstance(error, DomainError) else told(error), Unavailable | Conflict):
            raise
        log.error("intent_not_recorded", repository=intent.repository, reference=intent.reference, exc_info=error)
        why = f"it cannot be recorded ({type(error).__name__}): see the log"
        return _end(intent_id, _Outcome(intent, {}, dict.fromkeys(references, why)))


def _end(intent_id: int, outcome: _Outcome) -> _Outcome | None:
    """End an intent and record its outcome; None if it was settled meanwhile."""
    with transaction():
        if not journal.end(intent_id):
            return None
        _record(outcome)
        intent = outcome.intent
        log.info("intent_settled", repository=intent.repository, reference=intent.reference, request_id=intent.request_id)
    return outcome


def _found(client: RegistryClient, repository: str, references: list[str]) -> tuple[dict[str, Fetched | None], dict[str, str]]:
    """What the registry has now, by reference; and why it cannot be read, of what cannot. Nothing is concluded about that:
    whoever waited for it would wait for ever."""
    found: dict[str, Fetched | None] = {}
    damaged: dict[str, str] = {}
    for reference in references:
        try:
            found[reference] = fetch(client, repository, reference)
            stored = client.digest_of(repository, reference) if found[reference] is None else None
            if stored:  # a tag that was being deleted
                finish_untagging(client, repository, stored)
        except (ManifestInvalid, Unreadable) as error:
            damaged[reference] = str(error)
    return found, damaged


def _record(outcome: _Outcome) -> None:
    intent = outcome.intent
    repository = repositories.lock(intent.repository)
    for reference, fetched in outcome.found.items():
        if fetched is not None:
            _store(intent, reference, fetched)
        elif repository is not None:
            _forget(intent, repository, reference)
    damage.note(intent.repository, outcome.damaged)
    damage.clear(intent.repository, outcome.found)
    if intent.method in _NOTED and outcome.is_so:
        journal.note(intent, _NOTED[intent.method])


def _store(intent: Intent, reference: str, fetched: Fetched) -> None:
    tag = reference if names.is_tag(reference) else None
    stored = store(intent.repository, fetched, tag, utcnow())
    if stored is not None and intent.method == journal.MEND:
        forgotten.restore(intent.repository, stored, tag)


def _forget(intent: Intent, repository: Repository, reference: str) -> None:
    if intent.method == journal.MEND:  # nobody has said that it should go
        forgotten.forget(repository, reference)
    elif names.is_tag(reference):
        record.untag(repository, reference)
    else:
        record.forget(repository, reference)


def settle_due(client: RegistryClient) -> int:
    """Settle what dead processes left behind; returns how many intents that was."""
    with reading():
        oldest = db.session.scalars(select(Intent).order_by(Intent.id).limit(_BATCH))
        due = [intent.id for intent in oldest if journal.is_over(intent)]
    for intent_id in due:
        settle(client, intent_id)
    return len(due)
