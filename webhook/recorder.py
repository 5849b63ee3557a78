"""What events do to the index. An event only says where to look; the registry says what is there.

So duplicates, lateness and disorder do no harm: each event makes the index agree with the registry as it is now. The
registry is asked first, outside any transaction; then the effects of a batch and the settling of its events are
committed together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import OperationalError

from authsvc.artifacts import record
from authsvc.artifacts.reconcile import Fetched, fetch, store
from authsvc.audit import service as audit
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Unavailable
from authsvc.core.origin import Origin, coming_from
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import ACCEPTED, ManifestInvalid
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import leases
from authsvc.repositories import service as repositories
from authsvc.token.issuer import INTERNAL_PREFIX
from webhook.envelope import EnvelopeInvalid, RegistryEvent, parse

BATCH = 50
LEASE = "recorder"
LEASE_SECONDS = 20
# The registry tells of a push before it writes the tag. A tag that does not point where the event says is looked at
# again after these waits (seconds); then what the registry has is the truth, whoever came in between.
_SECOND_LOOKS = (0.1, 0.3, 1.0)

log = structlog.get_logger(component="recorder")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the registry says about an event: its manifest, what its tag points to now, whether it is gone."""

    event: RegistryEvent
    manifest: Fetched | None = None
    tagged: Fetched | None = None
    tag_is_gone: bool = False
    is_gone: bool = False
    look_again: float | None = None


def run(client: RegistryClient) -> int:
    """Process what is due, as the only recorder; returns how many events were looked at (0: nothing to do)."""
    with reading():  # an empty inbox costs one look, and writes nothing
        if not inbox.is_due():
            return 0
    with transaction():
        if not leases.take(LEASE, LEASE_SECONDS):
            return 0
        events = inbox.due(BATCH)
        db.session.expunge_all()
    looked = [(stored, _look_at(client, stored)) for stored in events]
    if looked:
        with transaction():
            leases.renew(LEASE, LEASE_SECONDS)
            for stored, finding in looked:
                _settle(stored, finding)
    return len(looked)


def _look_at(client: RegistryClient, stored: InboxEvent) -> Finding | Exception:
    try:
        return look(client, parse(stored.body), stored.attempts)
    except Exception as error:
        return error


def _settle(stored: InboxEvent, finding: Finding | Exception) -> None:
    """An event's effects and its settling, or neither (a savepoint), within the batch's transaction."""
    try:
        if isinstance(finding, Exception):
            raise finding
        with db.session.begin_nested():
            outcome = apply(finding)
            if finding.look_again is not None:
                inbox.postpone(stored, outcome, finding.look_again)
            else:
                inbox.settle(stored.id, outcome)
    except (EnvelopeInvalid, ManifestInvalid, json.JSONDecodeError) as error:
        inbox.quarantine(stored.id, str(error))
    except Unavailable as error:
        inbox.postpone(stored, error.message)
    except OperationalError:
        raise  # the database itself: the batch comes again
    except Exception as error:
        log.error("event_failed", event_id=stored.event_id, exc_info=error)
        inbox.postpone(stored, f"{type(error).__name__}: {error}")


def look(client: RegistryClient, event: RegistryEvent, attempts: int = 0) -> Finding:
    """Ask the registry what there is to know about an event that was looked at `attempts` times before.

    Raises:
        Unavailable: it does not answer.
        ManifestInvalid: it holds something that we cannot read.
    """
    if event.action == "delete":
        return _look_at_deletion(client, event)
    if event.action != "push" or event.media_type not in ACCEPTED:
        return Finding(event)
    manifest = fetch(client, event.repository, event.digest)
    now_tagged = client.digest_of(event.repository, event.tag) if event.tag else None
    if not event.tag or now_tagged == event.digest:
        return Finding(event, manifest, tagged=manifest if event.tag else None, is_gone=manifest is None)
    tagged = fetch(client, event.repository, now_tagged) if now_tagged else None
    waits = _SECOND_LOOKS[attempts:]
    return Finding(
        event,
        manifest,
        tagged,
        tag_is_gone=now_tagged is None and not waits,
        is_gone=manifest is None,
        look_again=waits[0] if waits else None,
    )


def _look_at_deletion(client: RegistryClient, event: RegistryEvent) -> Finding:
    if event.digest:
        return Finding(event, is_gone=client.digest_of(event.repository, event.digest) is None)
    digest = client.digest_of(event.repository, event.tag)
    tagged = fetch(client, event.repository, digest) if digest else None
    return Finding(event, tagged=tagged, tag_is_gone=digest is None)


def apply(finding: Finding) -> str:
    """Let the index agree with what was found, within a transaction; returns what came of it, in words."""
    event = finding.event
    if event.actor.startswith(INTERNAL_PREFIX) and event.action == "pull":
        return "our own reading"
    with coming_from(Origin(event.address[:64], event.user_agent[:255], event.request_id[:64])):
        if event.action == "push":
            return _pushed(finding)
        if event.action == "delete":
            return _deleted(finding)
        if event.action == "pull":
            return _pulled(event)
    return "nothing to record"


def _pushed(finding: Finding) -> str:
    event = finding.event
    if event.media_type not in ACCEPTED:
        return "a blob: recorded with the manifest that needs it"
    repository = repositories.ensure(event.repository, event.at)
    if repository is None:
        return "no such project any more"
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
    if not event.actor.startswith(INTERNAL_PREFIX):  # for us, who asked has been noted by whoever asked
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
