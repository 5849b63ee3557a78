"""Forgetting many rows without holding anybody up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from authsvc.core import idempotency, slices
from authsvc.core.db import db, utcnow
from authsvc.core.idempotency import IdempotentRequest
from authsvc.inbox import service as inbox
from authsvc.inbox.models import DONE, PENDING, InboxEvent


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_all_that_are_meant_go_in_short_transactions(context: Flask, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(slices, "_ROWS", 10)
    long_ago, calls = utcnow() - timedelta(days=400), []
    for number in range(count):
        db.session.add(InboxEvent(event_id=f"old-{number}", body="{}", status=DONE, received_at=long_ago, due_at=long_ago))
    db.session.add(InboxEvent(event_id="waits", body="{}", status=PENDING, received_at=long_ago, due_at=long_ago))
    db.session.add(InboxEvent(event_id="new", body="{}", status=DONE, received_at=utcnow(), due_at=utcnow()))
    db.session.commit()
    assert slices.forget(InboxEvent, inbox.is_old(), lambda: calls.append(0)) == count
    assert len(calls) == count // 10 + 1
    assert set(db.session.scalars(db.select(InboxEvent.event_id))) == {"waits", "new"}


def test_keys_may_be_texts(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_ROWS", 2)
    for number in range(5):
        old = utcnow() - timedelta(days=2)
        db.session.add(IdempotentRequest(id=f"{number:064d}", caller="x", request="x", at=old))
    db.session.commit()
    assert slices.forget(IdempotentRequest, idempotency.is_old()) == 5
