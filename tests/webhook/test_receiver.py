"""The receiver's contract with the registry: 2xx for all that shows the secret, whatever is in it; nothing lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authsvc.core.crypto import write_private
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.names import MARKER
from authsvc.core.settings import Settings
from authsvc.inbox.models import InboxEvent
from tests.support.rounds import rounds
from tests.webhook.events import envelope, event
from webhook.app import create_app

DIGEST = "sha256:" + "b" * 64
SECRET = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def receiver(settings: Settings) -> Iterator[FlaskClient]:
    write_private(Layout(settings).webhook_secret, "s3cret\n")
    app = create_app(settings)
    yield app.test_client()
    with app.app_context():
        db.engine.dispose()


def post(receiver: FlaskClient, data: bytes, headers: dict[str, str] | None = None) -> TestResponse:
    return receiver.post("/webhook/registry", data=data, headers=SECRET if headers is None else headers)


def stored(receiver: FlaskClient) -> list[tuple[str, str]]:
    with receiver.application.app_context():
        rows = db.session.query(InboxEvent).order_by(InboxEvent.id).all()
        found = [(row.status, row.reason) for row in rows]
        db.session.rollback()
        return found


def test_an_event_is_stored_and_answered_at_once(receiver: FlaskClient) -> None:
    response = post(receiver, envelope(event("push", "web/app", DIGEST, "v1")))
    assert (response.status_code, response.data) == (202, b"")
    assert stored(receiver) == [("pending", "")]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}, {"Authorization": "Bearer s3cret2"}]
)
def test_without_the_secret_nothing_is_stored(receiver: FlaskClient, headers: dict[str, str]) -> None:
    assert post(receiver, envelope(event("push", "web/app", DIGEST)), headers).status_code == 401
    assert stored(receiver) == []


def test_the_same_event_twice_is_one(receiver: FlaskClient) -> None:
    same = envelope(event("push", "web/app", DIGEST))
    assert [post(receiver, same).status_code for _ in range(3)] == [202] * 3
    assert len(stored(receiver)) == 1


def test_what_we_read_ourselves_is_not_kept(receiver: FlaskClient) -> None:
    """The reconciler looks at each tag: else its looks would be most of what there is to process."""
    ours: dict[str, Any] = {"actor": {"name": "tidegate:worker"}}
    events = [
        event("pull", "web/app", DIGEST, **ours),
        event("push", "web/app", DIGEST, **ours),
        event("pull", "web/app", DIGEST),
    ]
    assert post(receiver, envelope(*events)).status_code == 202
    assert len(stored(receiver)) == 2


def test_what_becomes_of_our_marker_is_nobodys_concern(receiver: FlaskClient) -> None:
    events = [event(action, MARKER, DIGEST, actor={"name": "tidegate:worker"}) for action in ("push", "pull", "delete")]
    assert post(receiver, envelope(*events)).status_code == 202
    assert stored(receiver) == []


def test_a_bad_event_spoils_no_good_one(receiver: FlaskClient) -> None:
    good = [event("push", "web/app", DIGEST), event("pull", "web/app", DIGEST)]
    response = post(receiver, envelope(good[0], {"id": "poison", "action": "explode"}, 7, good[1]))
    assert response.status_code == 202
    assert [status for status, _ in stored(receiver)] == ["pending", "quarantined", "quarantined", "pending"]
    assert all(reason for status, reason in stored(receiver) if status == "quarantined")


@pytest.mark.parametrize("data", [b"", b"garbage", b"{}", b"\x00\xff" * 50, b"x" * (6 * 1024 * 1024)])
def test_what_cannot_be_read_is_kept_and_answered_2xx(receiver: FlaskClient, data: bytes) -> None:
    assert post(receiver, data).status_code == 202
    ((status, reason),) = stored(receiver)
    assert status == "quarantined"
    assert reason


def test_never_a_redirect(receiver: FlaskClient) -> None:
    """The registry would follow it and lose the event."""
    for path in ("/webhook/registry/", "//webhook/registry", "/webhook"):
        assert receiver.post(path, data=b"{}", headers=SECRET).status_code in (404, 405)


@pytest.mark.once
def test_thousands_of_mutations_between_good_ones(receiver: FlaskClient) -> None:
    """0 errors, and every good event is stored."""
    chance = random.Random(20261124)
    good = 0
    batches = rounds(100, 5000)
    for _ in range(batches):
        batch: list[Any] = []
        for _ in range(20):
            made = event("push", "web/app", DIGEST, "v1")
            if chance.random() < 0.5:
                good += 1
            else:
                _spoil(made, chance)
            batch.append(made)
        assert post(receiver, envelope(*batch)).status_code == 202
    statuses = [status for status, _ in stored(receiver)]
    assert len(statuses) == 20 * batches
    assert statuses.count("pending") == good


def _spoil(made: dict[str, Any], chance: random.Random) -> None:
    field = chance.choice(["action", "target", "timestamp"])
    made[field] = chance.choice(
        [None, 7, [], {}, "\x00", "x" * 2000, {"repository": "../..", "digest": DIGEST}, {"repository": 5}]
    )
    if field == "target" and made[field] == {}:
        made[field] = {"repository": "web"}
