"""What events do to the index. An event only says where to look; the registry says what is there.

So duplicates, lateness and disorder do no harm: each event makes the index agree with the registry as it is now. The
registry is asked first, outside any transaction; then the effects of a batch and the settling of its events are
committed together.

What the registry cannot give is the event's fault, tried again and at last set aside. That the registry is away, or does not take
our token, is nobody's: the event waits, and whoever else could do better may take over.

Most events tell of what was written through the gate, which has recorded it already. Where the index would change, somebody
may have written since the registry was asked, and what we found would undo it: so the tag and the digest are held, as by every
writer, and looked at once more.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Collection, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from authsvc.artifacts import journal, marker, record, settling
from authsvc.artifacts import service as artifacts
from authsvc.artifacts.intake import store
from authsvc.artifacts.journal import Write
from authsvc.audit import service as audit
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import NotFound, Unavailable
from authsvc.core.failpoints import failpoint
from authsvc.core.names import INTERNAL_PREFIX, project_of
from authsvc.core.origin import Origin, coming_from
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import ACCEPTED, ManifestInvalid
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import leases
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories
from webhook.envelope import EnvelopeInvalid, RegistryEvent, parse
from webhook.looking import Finding, look
from webhook.registries import Watch

BATCH = 50
LEASE = "recorder"
LEASE_SECONDS = 20
_LOOK_SECONDS = 5  # then what was looked at is settled, however much of the batch is left
_HELD = 0.2  # seconds until what somebody writes now is looked at again; twice as long each time

log = structlog.get_logger(component="recorder")


_Looked = tuple[InboxEvent, Finding | Exception]


class _SettledMeanwhile(Exception):
    """Another worker took us for dead: nothing of ours is to happen."""


def run(client: RegistryClient, watch: Watch | None = None) -> int:
    """Process what is due, as the only recorder; returns how many events were looked at (0: nothing to do). `watch` hears from
    which registries they came.

    Raises:
        Unavailable: the registry is away; what is due waits.
    """
    with reading():  # an empty inbox costs one look, and writes nothing
        if not inbox.is_due():
            return 0
    with transaction():
        if not leases.take(LEASE, LEASE_SECONDS):
            return 0
        events = inbox.due(BATCH)
        db.session.expunge_all()
    with reading():
        told = {stored.id for stored in events if _is_told_already(stored)}
    looked, outage = _look_at_all(client, events, told)
    count = len(looked)
    if watch is not None:
        watch.hear(found.event.instance for _, found in looked if isinstance(found, Finding))
    while looked:  # in their order: a pull counts only of what is known
        with transaction():
            leases.renew(LEASE, LEASE_SECONDS)
            while looked and _settle(*looked[0], is_held=False):
                looked.popleft()
            db.session.flush()
            failpoint("recorder")
        if looked:
            _settle_held(client, looked.popleft()[0])
    if outage is not None:
        with transaction():
            leases.give_back(LEASE)
        raise outage
    return count


def _is_told_already(stored: InboxEvent) -> bool:
    """Of a push by the gate, which has recorded it, as nearly all are: there is nothing to ask the registry."""
    try:
        event = parse(stored.body)
    except (EnvelopeInvalid, ValueError):
        return False
    if event.action != "push" or not event.actor.startswith(INTERNAL_PREFIX):
        return False
    repository = repositories.find(event.repository)
    return repository is not None and record.find(repository, event.digest) is not None


def _look_at_all(
    client: RegistryClient, events: Sequence[InboxEvent], told: Collection[int]
) -> tuple[deque[_Looked], Unavailable | None]:
    """What there is to know about each, until the time is over or the registry is away."""
    looked: deque[_Looked] = deque()
    deadline = time.monotonic() + _LOOK_SECONDS
    for stored in events:
        try:
            looked.append((stored, Finding(parse(stored.body)) if stored.id in told else _look_at(client, stored)))
        except Unavailable as outage:
            return looked, outage
        if time.monotonic() > deadline:
            break
    return looked, None


def _look_at(client: RegistryClient, stored: InboxEvent) -> Finding | Exception:
    """What the registry says, or why it says nothing of this event.

    Raises:
        Unavailable: it says nothing of anything.
    """
    try:
        return look(client, parse(stored.body), stored.attempts)
    except Unavailable as error:
        marker.must_answer(client)
        return error
    except Exception as error:
        return error


def _settle_held(client: RegistryClient, stored: InboxEvent) -> None:
    """Look at what an event tells of while nobody else writes it, and settle the event."""
    event = parse(stored.body)
    with reading():
        project = select(Project.id).where(Project.name == project_of(event.repository))
        project_id = db.session.scalar(project) or 0
    write = Write(project_id, event.repository, journal.MEND, event.tag or event.digest, event.digest, "")
    try:
        with settling.held(client, write) as intent_id:
            finding = _look_at(client, stored)
            with transaction():
                leases.renew(LEASE, LEASE_SECONDS)
                if not journal.end(intent_id):
                    raise Unavailable("somebody took us for dead, and has looked for us")
                _settle(stored, finding, is_held=True)
    except NotFound:
        with transaction():
            _settle(stored, Finding(event), is_held=True)
    except Unavailable as error:  # most often the gate, which is about to record it itself
        with transaction():
            inbox.postpone(stored, error.message, _HELD * 2**stored.attempts)


def _settle(stored: InboxEvent, finding: Finding | Exception, *, is_held: bool) -> bool:
    """An event's effects and its settling, or neither (a savepoint), within the caller's transaction. False if nothing was done,
    since what it tells of would change the index and is not held."""
    try:
        if isinstance(finding, Exception):
            raise finding
        with db.session.begin_nested():
            if not is_held and _is_news(finding):
                return False
            outcome = apply(finding)
            if finding.look_again is not None:
                inbox.postpone(stored, outcome, finding.look_again)
            elif not inbox.settle(stored.id, outcome):
                raise _SettledMeanwhile
    except _SettledMeanwhile:
        log.warning("event_settled_by_another", event_id=stored.event_id)
    except (EnvelopeInvalid, ManifestInvalid, json.JSONDecodeError) as error:
        inbox.quarantine(stored.id, str(error))
    except Unavailable as error:
        inbox.postpone(stored, error.message)
    except OperationalError:
        raise  # the database itself: the batch comes again
    except Exception as error:
        log.error("event_failed", event_id=stored.event_id, exc_info=error)
        inbox.postpone(stored, f"{type(error).__name__}: {error}")
    return True


def apply(finding: Finding) -> str:
    """Let the index agree with what was found, within a transaction; returns what came of it, in words."""
    event = finding.event
    if event.is_our_own:
        return "our own"
    with coming_from(Origin(event.address[:64], event.user_agent[:255], event.request_id[:64])):
        if event.action == "push":
            return _pushed(finding)
        if event.action == "delete":
            return _deleted(finding)
        if event.action == "pull":
            return _pulled(event)
    return "nothing to record"


def _is_news(finding: Finding) -> bool:
    """Whether the index knows it otherwise; nobody else records anything in the repository until this transaction ends."""
    event, found = finding.event, [one for one in (finding.manifest, finding.tagged) if one is not None]
    if not (found or finding.is_gone or finding.tag_is_gone):
        return False
    repository = repositories.lock(event.repository)
    if repository is None:
        return bool(found)
    if any(record.find(repository, one.manifest.digest) is None for one in found):
        return True
    if event.action == "delete" and event.digest:
        return finding.is_gone and record.find(repository, event.digest) is not None
    indexed = artifacts.digests_by_tag(repository, [event.tag]).get(event.tag) if event.tag else None
    if finding.tagged is not None:
        return indexed != finding.tagged.manifest.digest
    return finding.tag_is_gone and indexed is not None


def _pushed(finding: Finding) -> str:
    event = finding.event
    if event.media_type not in ACCEPTED:
        return "a blob: recorded with the manifest that needs it"
    is_there = finding.manifest is not None or finding.tagged is not None
    # What is gone again must not bring back a repository that was deleted since.
    repository = repositories.ensure(event.repository, event.at) if is_there else repositories.lock(event.repository)
    if repository is None:
        return "no such project or repository any more"
    repository.update_time = max(repository.update_time, event.at)
    if finding.manifest is not None:
        store(event.repository, finding.manifest, None, event.at)
    if finding.tagged is not None:
        store(event.repository, finding.tagged, event.tag, event.at)
    elif finding.tag_is_gone:
        record.untag(repository, event.tag)
    if finding.look_again is not None:
        return "the tag does not point to it, yet or any more"
    _audit(event, "create", repository.project_id)
    return "the registry does not have it any more" if finding.is_gone else "recorded"


def _audit(event: RegistryEvent, operation: str, project_id: int) -> None:
    if event.actor.startswith(INTERNAL_PREFIX):
        return  # it was us, and whoever asked us to has been noted then
    name = f"{event.repository}:{event.tag}" if event.tag else f"{event.repository}@{event.digest}"
    audit.record(event.actor, operation, "artifact", name, project_id=project_id, description=event.digest, at=event.at)


def _deleted(finding: Finding) -> str:
    event = finding.event
    repository = repositories.lock(event.repository)
    if repository is None:
        return "an unknown repository"
    if event.digest:
        if not finding.is_gone:
            return "the registry has it still, or again"
        if not record.forget(repository, event.digest):
            return "not in the index"
    else:
        if finding.tagged is not None:
            store(event.repository, finding.tagged, event.tag, event.at)
            return "the tag exists again"
        if not record.untag(repository, event.tag):
            return "not in the index"
    _audit(event, "delete", repository.project_id)
    return "forgotten"


def _pulled(event: RegistryEvent) -> str:
    if event.media_type not in ACCEPTED or event.method == "HEAD":
        return "no pull: a blob, or a look"
    repository = repositories.find(event.repository)
    artifact = record.find(repository, event.digest) if repository else None
    if repository is None or artifact is None:
        return "not in the index"
    record.pulled(repository, artifact, event.tag or None, event.at)
    _audit(event, "pull", repository.project_id)
    return "counted"
