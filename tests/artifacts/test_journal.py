"""Intents that are left over: settled by one at a time, with their tags held until it is done. The registry is real."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc.artifacts import journal, reconcile, settling
from authsvc.artifacts.models import Intent
from authsvc.audit.models import AuditLog
from authsvc.core import processes
from authsvc.core.db import db, transaction
from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.untag import untag
from tests.artifacts.test_removal import Dies
from tests.support.registry import PlainRegistry
from tests.webhook.test_recorder import Recorder


class Stalls(RegistryClient):
    """Stops before it deletes a manifest, until it is told to go on."""

    def __init__(self, url: str) -> None:
        super().__init__(url, lambda _: "")
        self.stalled, self.go_on = Event(), Event()

    def delete(self, repository: str, digest: str) -> bool:
        self.stalled.set()
        assert self.go_on.wait(20)
        return super().delete(repository, digest)


@pytest.fixture
def index(settings: Settings, registry: PlainRegistry) -> Iterator[Recorder]:
    made = Recorder(settings, registry)
    yield made
    with made.app.app_context():
        db.engine.dispose()


@pytest.fixture
def digest(index: Recorder) -> str:
    """An image with the tags `a` and `b`; of `a` the deletion was left half done, and nothing tells of it."""
    digests = [index.registry.image(index.repository, tag, content=index.repository) for tag in "ab"]
    index.deliver(*(index.event("push", one, tag) for one, tag in zip(digests, "ab", strict=True)))
    with pytest.raises(Unavailable):
        untag(Dies(index.registry.url, lambda _: ""), index.repository, "a")
    return digests[0]


def left_over(index: Recorder, reference: str = "a") -> int:
    """An intent to delete, of a process that is gone."""
    with index.app.app_context(), transaction():
        intent = journal.begin(index.write(reference))
        intent.owner = dead()
        return intent.id


def dead() -> str:
    return processes.own_name().rpartition("/")[0] + "/1"  # no process starts with the machine


def is_let_in(index: Recorder) -> bool:
    """Whether somebody may write the tag `a` now; False while a living process holds it."""
    write = replace(index.write("a"), method="PUT")
    try:
        with index.app.app_context(), transaction():
            journal.end(journal.begin(write).id)
    except journal.Held as held:
        assert not held.is_over
        return False
    return True


@contextmanager
def stalled(index: Recorder, act: Any) -> Iterator[Future[Any]]:
    """Meanwhile `act`, given a client, has stopped right before it deletes the throw-away."""
    client = Stalls(index.registry.url)

    def run() -> Any:
        with index.app.app_context():
            return act(client)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        try:
            assert client.stalled.wait(20)
            yield future
        finally:
            client.go_on.set()
        future.result(20)


def deletions(index: Recorder) -> list[str]:
    return [name for (name,) in index.all(select(AuditLog.resource).where(AuditLog.operation == "delete"))]


def test_the_reconciler_holds_the_tag_whose_deletion_it_finishes(index: Recorder, digest: str) -> None:
    assert is_let_in(index)
    with stalled(index, reconcile.run) as run:
        assert not is_let_in(index), "who pushes the tag now would lose it"
    assert (run.result().forgotten, run.result().problems) == (1, [])
    assert is_let_in(index)
    assert (index.tags(), index.digests()) == ({"b": digest}, {digest})
    assert index.registry.client.tags(index.repository) == ["b"]
    assert index.all(select(Intent)) == []
    assert deletions(index) == [], "nobody knows whose wish it was"


def test_the_reconciler_leaves_a_tag_alone_that_was_pushed_before_it_got_hold_of_it(index: Recorder, digest: str) -> None:
    """The tag pointed to a throw-away when it looked, and to an image when it came to it: the very one that the index had."""

    class Looks(RegistryClient):
        def digest_of(self, repository: str, reference: str) -> str | None:
            found = super().digest_of(repository, reference)
            if reference == "a":
                index.registry.image(repository, "a", content=repository)
            return found

    with index.app.app_context():
        report = reconcile.run(Looks(index.registry.url, lambda _: ""))
    assert (report.forgotten, report.problems) == (0, [])
    assert index.tags() == {"a": digest, "b": digest}
    assert index.registry.client.digest_of(index.repository, "a") == digest


def test_only_one_settles(index: Recorder, digest: str) -> None:
    intent_id = left_over(index)
    with stalled(index, lambda client: settling.settle(client, intent_id)):
        assert not is_let_in(index)
        with index.app.app_context():
            settling.settle(RegistryClient("http://127.0.0.1:1", lambda _: ""), intent_id)  # asks nobody
            assert settling.settle_due(index.registry.client) == 0
        assert not is_let_in(index)
        assert index.tags() == {"a": digest, "b": digest}
    assert is_let_in(index)
    assert index.tags() == {"b": digest}
    assert deletions(index) == [f"{index.repository}:a"]


def test_who_settles_may_die_too(index: Recorder, digest: str) -> None:
    intent_id = left_over(index)
    with pytest.raises(Unavailable), index.app.app_context():
        settling.settle(Dies(index.registry.url, lambda _: ""), intent_id)
    with index.app.app_context():
        assert settling.settle_due(RegistryClient(index.registry.url, lambda _: "")) == 1
    assert (index.tags(), deletions(index)) == ({"b": digest}, [f"{index.repository}:a"])
    intent_id = left_over(index, "b")
    with index.app.app_context():
        with transaction():
            assert settling._claim(intent_id)
            db.session.execute(update(Intent).values(owner=dead()))
        assert settling.settle_due(index.registry.client) == 1
    assert index.tags() == {"b": digest}, "it had not come to anything"
    assert index.all(select(Intent)) == []


def test_what_is_under_way_is_not_settled(index: Recorder, digest: str) -> None:
    with index.app.app_context():
        with transaction():
            intent_id = journal.begin(index.write("b")).id
        settling.settle(index.registry.client, intent_id)
        assert settling.settle_due(index.registry.client) == 0
    assert [intent.id for (intent,) in index.all(select(Intent))] == [intent_id]
    assert index.tags() == {"a": digest, "b": digest}
