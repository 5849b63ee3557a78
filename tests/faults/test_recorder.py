"""What becomes of events when the registry is away, slow or damaged, and when two workers take each other for dead."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from authsvc.artifacts import reconcile
from authsvc.artifacts.models import Artifact
from authsvc.audit.models import AuditLog
from authsvc.core.db import db, transaction
from authsvc.core.errors import Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.transport import Transport
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import leases
from tests.faults.conftest import Storage
from tests.webhook.test_recorder import Recorder
from webhook import recorder


def received(index: Recorder, *events: dict[str, Any]) -> None:
    with index.app.app_context(), transaction():
        for one in events:
            inbox.store(one["id"], json.dumps(one))


def run(index: Recorder, client: RegistryClient) -> int:
    with index.app.app_context():
        return recorder.run(client)


def states(index: Recorder) -> list[tuple[str, int]]:
    return [tuple(row) for row in index.all(select(InboxEvent.status, InboxEvent.attempts).order_by(InboxEvent.id))]


class Unknown(Transport):
    """Shows the registry a token that it does not take, as a worker does whose clock is ahead."""

    def send(self, *arguments: Any, **named: Any) -> requests.Response:
        response = super().send(*arguments, **named)
        response.status_code = 401
        return response


class Slow(RegistryClient):
    """Between any two looks another moment goes by than the recorder takes for a batch."""

    def __init__(self, url: str, seconds: float, clock: pytest.MonkeyPatch) -> None:
        super().__init__(url, lambda _: "")
        self._seconds, self._clock, self._now = seconds, clock, time.monotonic()

    def digest_of(self, repository: str, reference: str) -> str | None:
        self._now += self._seconds
        self._clock.setattr("webhook.recorder.time.monotonic", lambda: self._now)
        return super().digest_of(repository, reference)


def test_who_is_not_known_to_the_registry_lets_others_do_it(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = index.registry.image(index.repository, "v1")
    received(index, index.event("push", digest, "v1"))
    monkeypatch.setattr(leases, "OWNER", "one whose clock is ahead")
    unknown = RegistryClient(index.registry.url, lambda _: "")
    unknown.transport = Unknown(index.registry.url, lambda _: "")
    with pytest.raises(Unavailable, match="401"):
        run(index, unknown)
    assert states(index) == [("pending", 0)]
    monkeypatch.setattr(leases, "OWNER", "another worker")
    assert run(index, index.registry.client) == 1
    assert index.tags() == {"v1": digest}


def test_what_the_registry_cannot_give_is_set_aside_and_holds_up_nothing(index: Recorder, storage: Storage) -> None:
    with index.app.app_context():
        reconcile.run(index.registry.client)  # makes the marker
    digests = {tag: index.registry.image(index.repository, tag, content=tag) for tag in "abc"}
    storage.cut(digests["b"])
    index.deliver(*(index.event("push", digest, tag) for tag, digest in digests.items()))
    assert index.tags() == {tag: digests[tag] for tag in "ac"}
    assert [status for status, _ in states(index)] == ["done", "quarantined", "done"]


def test_a_storage_that_cannot_be_read_is_nobodys_fault(index: Recorder, storage: Storage) -> None:
    with index.app.app_context():
        reconcile.run(index.registry.client)
    digest = index.registry.image(index.repository, "v1")
    received(index, index.event("push", digest, "v1"))
    files = sorted(storage.root.rglob("data"))
    contents = [file.read_bytes() for file in files]
    for file in files:
        file.write_bytes(b"")
    for _ in range(inbox.MAX_ATTEMPTS + 1):
        with pytest.raises(Unavailable, match="500"):
            run(index, index.registry.client)
    assert states(index) == [("pending", 0)]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    index.process()
    assert index.tags() == {"v1": digest}


def test_a_slow_registry_makes_small_batches(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = index.registry.image(index.repository, "v1")
    received(index, *(index.event("push", digest, "v1") for _ in range(10)))
    assert run(index, Slow(index.registry.url, 2.0, monkeypatch)) == 3
    index.process()
    assert [status for status, _ in states(index)] == ["done"] * 10


def test_an_event_that_another_has_settled_has_no_effect_again(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1")
    index.deliver(index.event("push", digest, "v1"))
    pull = index.event("pull", digest, "v1", method="GET")
    received(index, pull)

    class Overtaken(RegistryClient):
        """While this one looks, its lease runs out, and another worker settles everything."""

        is_done = False

        def manifest(self, repository: str, reference: str, **how: Any) -> Any:
            if not self.is_done:
                self.is_done = True
                with index.app.app_context(), transaction():
                    for event in db.session.scalars(select(InboxEvent).where(InboxEvent.status == "pending")).all():
                        inbox.settle(event.id, "by another")
            return super().manifest(repository, reference, **how)

    received(index, index.event("push", index.registry.image(index.repository, "v2", content="2"), "v2"))
    assert run(index, Overtaken(index.registry.url, lambda _: "")) == 2
    assert index.all(select(func.count()).select_from(AuditLog).where(AuditLog.operation == "pull")) == [(0,)]
    assert index.all(select(Artifact.pull_time)) == [(None,)]
    assert [reason for _, reason in index.outcomes()][1:] == ["by another"] * 2
