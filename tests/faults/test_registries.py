"""A registry that was away may have lost what it had to tell: index and registry are compared at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from authsvc.core.db import db, transaction
from authsvc.distribution.client import RegistryClient
from authsvc.inbox import service as inbox
from authsvc.jobs.models import Execution
from tests.webhook.test_recorder import Recorder
from webhook import recorder
from webhook.registries import Watch


@pytest.fixture
def watch(index: Recorder) -> Iterator[Watch]:
    with index.app.app_context():
        yield Watch()
        db.session.rollback()


def compared() -> int:
    """How often a comparison was started since one asked last."""
    with transaction():
        started = list(db.session.scalars(select(Execution.vendor_type)))
        db.session.execute(delete(Execution))
    assert set(started) <= {"RECONCILE"}
    return len(started)


def test_one_that_was_away(index: Recorder, watch: Watch) -> None:
    away = RegistryClient("http://127.0.0.1:1", lambda _: "")
    watch.look(index.registry.client)
    assert compared() == 0
    watch.look(away)
    watch.look(away)
    assert compared() == 0
    watch.look(index.registry.client)
    assert compared() == 1
    watch.look(index.registry.client)
    assert compared() == 0


def test_one_that_was_away_from_the_beginning(index: Recorder, watch: Watch) -> None:
    watch.look(RegistryClient("http://127.0.0.1:1", lambda _: ""))
    watch.look(index.registry.client)
    assert compared() == 1


def test_one_that_was_started_again_between_two_looks(index: Recorder, watch: Watch) -> None:
    digest = index.registry.image(index.repository, "v1")

    def hear(**changes: Any) -> None:
        event = index.event("pull", digest, "v1", **changes)
        with transaction():
            inbox.store(event["id"], json.dumps(event))
        assert recorder.run(index.registry.client, watch) == 1

    hear(source={"instanceID": "first"})
    assert compared() == 0, "a worker compares when it starts"
    for source in ({"instanceID": "first"}, {}, None, {"instanceID": 7}):
        hear(source=source)
    assert compared() == 0
    hear(source={"instanceID": "second"})
    assert compared() == 1
    hear(source={"instanceID": "first"})
    assert compared() == 0, "two registries"
