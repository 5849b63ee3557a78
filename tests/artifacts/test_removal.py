"""Deleting tags: the index and a real registry agree, also when somebody dies in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from authsvc import lifecycle
from authsvc.artifacts import reconcile, removal
from authsvc.audit.models import AuditLog
from authsvc.core.db import db, reading
from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.repositories import service as repositories
from tests.support.registry import PlainRegistry
from tests.webhook.test_recorder import Recorder


class Dies(RegistryClient):
    """Dies after a throw-away was pushed over the tag."""

    def delete(self, repository: str, digest: str) -> bool:
        raise Unavailable("killed")


@pytest.fixture
def index(settings: Settings, registry: PlainRegistry) -> Iterator[Recorder]:
    made = Recorder(settings, registry)
    yield made
    with made.app.app_context():
        db.engine.dispose()


@pytest.fixture
def digest(index: Recorder) -> str:
    """An image with two tags, `a` and `b`."""
    pushed = [index.registry.image(index.repository, tag, content=index.repository) for tag in "ab"]
    index.deliver(*(index.event("push", one, tag) for one, tag in zip(pushed, "ab", strict=True)))
    return pushed[0]


def delete_tag(index: Recorder, name: str, client: RegistryClient | None = None) -> bool:
    with index.app.app_context():
        return removal.delete(client or index.registry.client, index.write(name), lambda intent, tags: None)


def audit(index: Recorder) -> list[Any]:
    columns = (AuditLog.username, AuditLog.operation, AuditLog.resource_type, AuditLog.resource)
    return index.all(select(*columns).where(AuditLog.operation == "delete"))


def test_other_tags_stay(index: Recorder, digest: str) -> None:
    delete_tag(index, "a")
    assert index.tags() == {"b": digest}
    assert index.registry.client.tags(index.repository) == ["b"]
    delete_tag(index, "b")
    assert (index.tags(), index.digests()) == ({}, {digest}), "the artifact stays, untagged"
    assert audit(index) == [("alice", "delete", "artifact", f"{index.repository}:{tag}") for tag in "ab"]
    assert not delete_tag(index, "a"), "it is gone already"


def test_the_registrys_own_events_change_nothing(index: Recorder, digest: str) -> None:
    """It tells of a push and of deletions that were nobody's wish but ours."""
    delete_tag(index, "a")
    ours: dict[str, Any] = {"actor": {"name": "tidegate:api"}}
    throw_away = "sha256:" + "7" * 64
    index.deliver(
        index.event("push", throw_away, "a", **ours), index.event("delete", throw_away, **ours), index.event("delete", tag="a", **ours)
    )  # fmt: skip
    assert (index.tags(), index.digests()) == ({"b": digest}, {digest})
    assert len(audit(index)) == 1


@pytest.mark.parametrize("is_noticed", [True, False], ids=["the event came", "the event was lost"])
def test_half_a_deletion_is_finished_by_the_reconciler(index: Recorder, digest: str, is_noticed: bool) -> None:
    with pytest.raises(Unavailable):
        delete_tag(index, "a", Dies(index.registry.url, lambda _: ""))
    assert index.tags() == {"a": digest, "b": digest}
    left = index.registry.client.digest_of(index.repository, "a")
    assert left not in (None, digest)
    if is_noticed:
        index.deliver(index.event("push", left, "a", actor={"name": "tidegate:api"}))
        assert left not in index.digests()
    with index.app.app_context():
        assert reconcile.run(index.registry.client).problems == []
    assert (index.tags(), index.digests()) == ({"b": digest}, {digest})
    assert index.registry.client.tags(index.repository) == ["b"]


def test_a_deleted_repository_is_not_brought_back_by_a_late_event(index: Recorder, digest: str) -> None:
    with index.app.app_context():
        with reading():
            repository = repositories.find(index.repository)
            assert repository is not None
            project_id = repository.project_id
        lifecycle.delete_repository("alice", index.registry.client, index.repository, project_id)
    index.deliver(index.event("push", digest, "a"))
    with index.app.app_context():
        assert repositories.find(index.repository) is None
