"""What is pushed and deleted here, as it happens: a hint for those policies that want to know at once.

A run that looks at everything finds what was missed; so nothing is lost by what is left out here: children of an index, which
come with it, and artifacts without a tag.
"""

from __future__ import annotations

from sqlalchemy import select

from authsvc.artifacts import record
from authsvc.artifacts.models import Accessory, Artifact
from authsvc.audit.service import Entry
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT
from authsvc.notification.deliveries import named
from authsvc.registries.providers import LOCAL
from authsvc.replication import rules, service
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.planning import Item
from authsvc.replication.rules import Naming
from authsvc.repositories import service as repositories

_LONGEST_CHAIN = 8  # of what is attached to what is attached


def hear(entry: Entry) -> None:
    """What is audited, in its transaction."""
    if entry.resource_type != "artifact" or not entry.succeeded or entry.operation not in ("create", "delete"):
        return
    name, tag, digest = named(entry)
    for policy in service.listening():
        if not rules.choice(policy.filters).repository(name):
            continue
        if entry.operation == "create":
            _pushed(policy, name, tag, digest)
        elif policy.deletion:
            _deleted(policy, name, tag, digest)


def _pushed(policy: ReplicationPolicy, name: str, tag: str, digest: str) -> None:
    there = repositories.find(name)
    found = record.find(there, digest) if there and digest else None
    if found is None:
        return
    subject = _subject(found)
    if subject or (tag != digest and rules.choice(policy.filters).tag(tag)):
        execution = jobs.begin(service.KIND, EVENT, policy.id)
        jobs.add_task(execution, service.PLAN, {"repository": name, "digest": subject or digest})


def _subject(found: Artifact) -> str:
    """What an artifact is attached to, at the end of the chain; "" if it stands by itself."""
    subject, at = "", found.digest
    for _ in range(_LONGEST_CHAIN):
        attached = select(Accessory.subject_digest).join(Artifact, Artifact.id == Accessory.artifact_id)
        further = db.session.scalar(attached.where(Artifact.repository_id == found.repository_id, Artifact.digest == at))
        if further is None:
            return subject
        subject = at = further
    return subject


def _deleted(policy: ReplicationPolicy, name: str, tag: str, digest: str) -> None:
    """A tag that is not chosen is none there; of an artifact, the other end says with which tags it is there."""
    is_tag = tag != digest
    if is_tag and not rules.choice(policy.filters).tag(tag):
        return
    try:
        target = Naming(policy.namespace, policy.replace_count).of(name)
    except BadRequest:  # it never went there
        return
    execution = jobs.begin(service.KIND, EVENT, policy.id)
    item = Item(digest, (tag,) if is_tag else ())
    service.add_task(execution, service.DELETION, (name, target), policy.destination_id or LOCAL, [item])
