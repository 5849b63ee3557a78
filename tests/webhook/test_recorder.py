"""Events make the index agree with the registry, in any order, any number of times. The registry is real."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from authsvc.artifacts.journal import Write
from authsvc.artifacts.models import Artifact, ArtifactBlob, ArtifactReference, Blob, Tag
from authsvc.audit.models import AuditLog
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction
from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.projects import service as projects
from authsvc.repositories.models import Repository
from authsvc.users import service as users
from tests.support.registry import PlainRegistry
from tests.support.rounds import rounds
from tests.webhook.events import event
from webhook import recorder


class Recorder:
    """The recorder on an empty index with one project, `web`."""

    def __init__(self, settings: Settings, registry: PlainRegistry) -> None:
        self.app = create_base(settings)
        self.registry = registry
        self.repository = f"web/{uuid.uuid4().hex[:12]}"
        with self.app.app_context(), transaction():
            owner = users.create("t", username="owner", password=None)
            projects.create("t", owner.id, "web")

    def deliver(self, *events: dict[str, Any]) -> None:
        """Store events and process all that is due, also what is to be looked at again."""
        with self.app.app_context(), transaction():
            for one in events:
                inbox.store(one["id"], json.dumps(one))
        self.process()

    def process(self) -> None:
        with self.app.app_context():
            for _ in range(50):
                with transaction():
                    db.session.execute(db.update(InboxEvent).values(due_at=db.func.coalesce(None, InboxEvent.received_at)))
                if recorder.run(self.registry.client) == 0:
                    return
        raise AssertionError("the inbox does not drain")

    def event(self, action: str, digest: str = "", tag: str = "", **changes: Any) -> dict[str, Any]:
        return event(action, self.repository, digest, tag, **changes)

    def write(self, reference: str) -> Write:
        """What a deletion in the name of alice asks for."""
        with self.app.app_context():
            return Write(projects.get_by_name("web").id, self.repository, "DELETE", reference, "", "alice")

    def tags(self) -> dict[str, str]:
        statement = select(Tag.name, Artifact.digest).join(Artifact, Artifact.id == Tag.artifact_id)
        return dict(
            self.all(statement.join(Repository, Repository.id == Tag.repository_id).where(Repository.name == self.repository))
        )

    def digests(self) -> set[str]:
        statement = select(Artifact.digest).join(Repository, Repository.id == Artifact.repository_id)
        return {digest for (digest,) in self.all(statement.where(Repository.name == self.repository))}

    def all(self, statement: Any) -> list[Any]:
        with self.app.app_context():
            rows = db.session.execute(statement).all()
            db.session.expunge_all()
            db.session.rollback()
            return list(rows)

    def outcomes(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in self.all(select(InboxEvent.status, InboxEvent.reason).order_by(InboxEvent.id))]


@pytest.fixture
def index(settings: Settings, registry: PlainRegistry) -> Iterator[Recorder]:
    made = Recorder(settings, registry)
    yield made
    with made.app.app_context():
        db.engine.dispose()


def test_a_pushed_image(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1", content="one")
    index.deliver(index.event("push", digest, "v1"))
    assert index.tags() == {"v1": digest}
    ((artifact,),) = index.all(select(Artifact))
    assert (artifact.type, artifact.annotations) == ("IMAGE", {"made.by": "tests"})
    assert artifact.extra_attrs["architecture"] == "amd64"
    assert artifact.extra_attrs["config"] == {"Env": ["A=b"]}
    blobs = index.all(select(Blob.digest, Blob.size, Blob.media_type).join(ArtifactBlob))
    assert len(blobs) == 3, "the config, the layer, and the manifest itself"
    assert artifact.size == sum(size for _, size, _ in blobs)
    ((entry,),) = index.all(select(AuditLog).where(AuditLog.resource_type == "artifact"))
    assert (entry.username, entry.operation, entry.address, entry.user_agent) == ("alice", "create", "10.1.2.3", "docker/28")
    assert entry.resource == f"{index.repository}:v1"


def test_of_what_the_gate_has_recorded_the_registry_is_not_asked(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly every push comes through the gate: else recording would be slower than pushing."""
    digests = [index.registry.image(index.repository, f"v{number}", content=f"{number}") for number in range(3)]
    index.deliver(*(index.event("push", digest, f"v{number}") for number, digest in enumerate(digests[:2])))
    asked: list[str] = []
    transport = index.registry.client.transport
    send = transport.send

    def spy(*args: Any, **options: Any) -> Any:
        asked.append(args[1])
        return send(*args, **options)

    monkeypatch.setattr(transport, "send", spy)
    ours = {"actor": {"name": "tidegate:api"}}
    index.deliver(*(index.event("push", digest, f"v{number}", **ours) for number, digest in enumerate(digests)))
    assert {path.rpartition("/")[2] for path in asked if "/manifests/" in path} == {digests[2], "v2"}
    assert index.tags() == {f"v{number}": digest for number, digest in enumerate(digests)}
    assert index.outcomes() == [("done", "recorded")] * 5
    assert len(index.all(select(AuditLog).where(AuditLog.resource_type == "artifact"))) == 2, "who pushed is noted by the gate"


def test_an_index_with_children_in_any_order(index: Recorder) -> None:
    children = {
        index.registry.image(index.repository, None, content=arch, architecture=arch): arch for arch in ("amd64", "arm64")
    }
    top = index.registry.index(index.repository, "multi", children)
    index.deliver(index.event("push", top, "multi"), *(index.event("push", digest) for digest in children))
    assert index.digests() == {top, *children}
    sizes = {row.digest: row.size for row in index.all(select(Artifact.digest, Artifact.size))}
    own = sizes[top] - sum(sizes[child] for child in children)
    assert 0 < own < 2000
    references = index.all(
        select(ArtifactReference.child_digest, ArtifactReference.platform).order_by(ArtifactReference.position)
    )
    assert [(digest, platform["architecture"]) for digest, platform in references] == list(children.items())


def test_an_artifact_of_any_type(index: Recorder) -> None:
    config = index.registry.blob(index.repository, b"{}", "application/vnd.cncf.helm.config.v1+json")
    layer = index.registry.blob(index.repository, b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    kind = "application/vnd.oci.image.manifest.v1+json"
    digest = index.registry.put(
        index.repository, "1.0", {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
    )
    index.deliver(index.event("push", digest, "1.0"))
    assert index.all(select(Artifact.type)) == [("CHART",)]


def test_pulls_are_counted_once_each_and_heads_are_no_pulls(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1", content="pulled")
    pull = index.event("pull", digest, "v1")
    head = index.event("pull", digest, "v1", request={"method": "HEAD", "addr": "10.0.0.1:1"})
    ours = index.event("pull", digest, "v1", actor={"name": "tidegate:worker"})
    index.deliver(index.event("push", digest, "v1"), pull, head, ours, pull)
    index.deliver(pull, index.event("pull", digest))
    assert index.all(select(Repository.pull_count)) == [(2,)]
    (((pulled_at, tag_at)),) = index.all(select(Artifact.pull_time, Tag.pull_time).join(Tag))
    assert pulled_at == tag_at
    anonymous = index.event("pull", digest, actor={})
    index.deliver(anonymous)
    names = [name for (name,) in index.all(select(AuditLog.username).where(AuditLog.operation == "pull"))]
    assert names == ["alice", "alice", "anonymous"]


def test_a_digest_delete_removes_all_its_tags(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "a", content="two tags")
    assert index.registry.image(index.repository, "b", content="two tags") == digest
    index.deliver(index.event("push", digest, "a"), index.event("push", digest, "b"))
    assert set(index.tags()) == {"a", "b"}
    index.registry.delete(index.repository, digest)
    index.deliver(index.event("delete", digest), index.event("delete", tag="a"), index.event("delete", tag="b"))
    assert index.tags() == {}
    assert index.digests() == set()


def test_an_event_is_a_hint_and_not_the_truth(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1", content="there")
    absent = "sha256:" + "0" * 64
    index.deliver(
        index.event("push", absent, "v9"), index.event("push", digest, "v1"), index.event("delete", digest), index.event("delete", tag="v1")
    )  # fmt: skip
    assert index.tags() == {"v1": digest}, "what was said to be deleted is there; what was said to be pushed is not"
    foreign = event("push", "nowhere/app", digest, "v1")
    index.deliver(foreign)
    assert index.digests() == {digest}
    assert index.outcomes()[-1] == ("done", "no such project or repository any more")


def test_an_overwritten_tag_points_to_what_the_registry_says(index: Recorder) -> None:
    old = index.registry.image(index.repository, "v1", content="old")
    new = index.registry.image(index.repository, "v1", content="new")
    index.deliver(index.event("push", new, "v1"), index.event("push", old, "v1"))
    assert index.tags() == {"v1": new}
    assert index.digests() == {old, new}
    assert {status for status, _ in index.outcomes()} == {"done"}


def test_any_order_any_number_of_times_any_losses_converge(index: Recorder) -> None:
    """Permuted, doubled, and with some lost: after the reconciler the index is what the registry is."""
    chance = random.Random(7)
    registry, repository = index.registry, index.repository
    first = registry.image(repository, "a", content="c1")
    events = [index.event("push", first, "a")]
    for number in range(12):
        tag = f"t{number % 4}"
        events.append(index.event("push", registry.image(repository, tag, content=f"c{number % 5}"), tag))
    gone = registry.image(repository, "gone", content="gone")
    events += [index.event("push", gone, "gone"), index.event("delete", gone), index.event("delete", tag="gone")]
    registry.delete(repository, gone)
    truth = {tag: registry.client.digest_of(repository, tag) for tag in registry.client.tags(repository) or []}
    from authsvc.artifacts import reconcile

    for _ in range(rounds(5, 50)):
        some = [one for one in events if chance.random() > 0.1]
        shuffled = chance.sample(some + chance.sample(some, len(some) // 2), k=len(some) + len(some) // 2)
        fresh = [one | {"id": str(uuid.uuid4())} if chance.random() < 0.5 else one for one in shuffled]
        index.deliver(*fresh)
        with index.app.app_context():
            assert reconcile.run(registry.client).problems == []
        assert index.tags() == truth
        assert gone not in index.digests()


def test_a_registry_that_does_not_answer_postpones_and_loses_nothing(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1", content="later")
    working, url = index.registry.client, index.registry.client.transport.url
    working.transport.url = "http://127.0.0.1:1"
    try:
        with index.app.app_context():
            with transaction():
                pushed = index.event("push", digest, "v1")
                inbox.store(pushed["id"], json.dumps(pushed))
            for _ in range(inbox.MAX_ATTEMPTS + 1):
                with pytest.raises(Unavailable, match="does not answer"):
                    recorder.run(working)
    finally:
        working.transport.url = url
    assert index.all(select(InboxEvent.status, InboxEvent.attempts)) == [("pending", 0)], "it is not the event's fault"
    index.process()
    assert index.tags() == {"v1": digest}


def test_what_no_parser_expected_is_quarantined_with_its_reason(index: Recorder) -> None:
    with index.app.app_context(), transaction():
        inbox.store("old", json.dumps({"action": "push", "target": {}}))
    index.process()
    ((status, reason),) = index.outcomes()
    assert status == "quarantined"
    assert "repository" in reason
    assert list(itertools.islice(index.tags(), 1)) == []
