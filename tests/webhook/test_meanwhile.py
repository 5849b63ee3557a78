"""What is written between an event's look at the registry and what it does to the index is not undone. The registry is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from authsvc.artifacts import journal, removal
from authsvc.artifacts.intake import fetch, store
from authsvc.artifacts.models import Intent
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.inbox import service as inbox
from tests.support.registry import PlainRegistry
from tests.webhook.test_recorder import Recorder
from webhook import recorder


@pytest.fixture
def index(settings: Settings, registry: PlainRegistry) -> Iterator[Recorder]:
    made = Recorder(settings, registry)
    yield made
    with made.app.app_context():
        db.engine.dispose()


class Meanwhile(RegistryClient):
    """The real one; when a tag was asked for the first time, something else happens before the answer gets there."""

    def __init__(self, index: Recorder, act: Callable[[], object]) -> None:
        super().__init__(index.registry.url, lambda _: "")
        self._index, self._acts = index, [act]

    def digest_of(self, repository: str, reference: str) -> str | None:
        digest = super().digest_of(repository, reference)
        while self._acts:
            act = self._acts.pop()
            with self._index.app.app_context():
                act()
        return digest


def deliver_meanwhile(index: Recorder, delivered: dict[str, Any], act: Callable[[], object]) -> None:
    with index.app.app_context():
        with transaction():
            inbox.store(delivered["id"], json.dumps(delivered))
        assert recorder.run(Meanwhile(index, act)) == 1


@pytest.mark.parametrize("is_known", [True, False], ids=["known before", "not known"])
def test_what_was_deleted_while_the_registry_was_asked_stays_deleted(index: Recorder, is_known: bool) -> None:
    digest = index.registry.image(index.repository, "v1", content=index.repository)
    if is_known:
        index.deliver(index.event("push", digest, "v1"))

    def delete() -> None:
        removal.delete(index.registry.client, index.write(digest), lambda intent, tags: None)

    deliver_meanwhile(index, index.event("push", digest, "v1"), delete)
    assert (index.tags(), index.digests()) == ({}, set())
    index.process()
    assert (index.tags(), index.digests()) == ({}, set())
    assert {status for status, _ in index.outcomes()} == {"done"}


def test_a_tag_that_was_moved_while_the_registry_was_asked_stays_where_it_is(index: Recorder) -> None:
    digests = [index.registry.image(index.repository, "v1", content="first")]

    def push() -> None:
        digests.append(index.registry.image(index.repository, "v1", content="second"))
        fetched = fetch(index.registry.client, index.repository, "v1")
        assert fetched is not None
        with transaction():
            store(index.repository, fetched, "v1", utcnow())

    deliver_meanwhile(index, index.event("push", digests[0], "v1"), push)
    assert index.tags() == {"v1": digests[1]}


def test_what_somebody_writes_now_is_looked_at_later(index: Recorder) -> None:
    digest = index.registry.image(index.repository, "v1", content="written now")
    with index.app.app_context(), transaction():
        intent_id = journal.begin(replace(index.write("v1"), method="PUT")).id
    with index.app.app_context():
        with transaction():
            pushed = index.event("push", digest, "v1")
            inbox.store(pushed["id"], json.dumps(pushed))
        recorder.run(index.registry.client)
    assert index.tags() == {}
    ((status, reason),) = index.outcomes()
    assert (status, "somebody else is writing" in reason) == ("pending", True)
    with index.app.app_context(), transaction():
        journal.end(intent_id)
    index.process()
    assert index.tags() == {"v1": digest}
    assert index.all(select(Intent)) == []


def test_who_was_taken_for_dead_records_nothing_that_is_old(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away for longer than a lease: somebody else has settled what was held."""
    digest = index.registry.image(index.repository, "v1", content="old news")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "end", lambda intent_id: False)
        with index.app.app_context():
            with transaction():
                pushed = index.event("push", digest, "v1")
                inbox.store(pushed["id"], json.dumps(pushed))
            recorder.run(index.registry.client)
        assert (index.tags(), index.digests()) == ({}, set())
        ((status, _),) = index.outcomes()
        assert status == "pending"
    index.process()
    assert index.tags() == {"v1": digest}
