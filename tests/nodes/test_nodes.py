"""Which nodes there are: each says so, and one that falls silent is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from structlog.testing import capture_logs

from authsvc.core.db import db, present, transaction, utcnow
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.doctor.examination import examine
from authsvc.doctor.findings import BAD, DOUBTFUL, GOOD, Patient
from authsvc.nodes import service
from authsvc.nodes.models import Node
from authsvc.stack.presence import Presence
from tests.support.console import runner
from tests.support.waiting import eventually
from tests.support.world import World


def beat(app: Flask, name: str, **changes: Any) -> None:
    with app.app_context():
        with transaction():
            service.beat(name, ["token", "api"], utcnow())
            if changes:
                db.session.execute(update(Node).where(Node.name == name).values(**changes))
        db.session.rollback()


def ago(app: Flask, time: timedelta) -> datetime:
    with app.app_context():
        moment = present() - time
        db.session.rollback()
    return moment


def test_who_is_there_is_silent_or_forgotten(app: Flask) -> None:
    for name in ("one", "two", "three"):
        beat(app, name)
    beat(app, "two", seen_at=ago(app, timedelta(minutes=1)), clock_ahead=-7000)
    beat(app, "three", seen_at=ago(app, timedelta(days=1, minutes=1)))
    beat(app, "one")
    with app.app_context():
        one, two = service.everyone()
        db.session.rollback()
    assert (one.name, one.is_silent, one.parts) == ("one", False, ("token", "api"))
    assert abs(one.clock_ahead) < timedelta(seconds=2)
    assert (two.name, two.is_silent, two.clock_ahead) == ("two", True, timedelta(seconds=-7))
    with app.app_context():
        with transaction():
            service.leave("two")
        assert [one.name for one in service.everyone()] == ["one"]
        db.session.rollback()


def test_a_clock_is_compared_with_the_databases(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        now = present()
        db.session.rollback()
    monkeypatch.setattr(service, "utcnow", lambda: now + timedelta(seconds=40))
    monkeypatch.setattr(service, "present", lambda: now)
    beat(app, "one")
    monkeypatch.undo()
    with app.app_context():
        assert service.everyone()[0].clock_ahead == timedelta(seconds=40)
        db.session.rollback()


@pytest.mark.once
def test_a_node_keeps_its_name(settings: Settings) -> None:
    name = service.own_name(Layout(settings))
    assert name == service.own_name(Layout(settings))
    assert len(name) <= 128


@pytest.mark.parametrize(
    ("check", "changes", "status", "said"),
    [
        ("nodes.silent", {}, GOOD, "2 nodes are there"),
        ("nodes.silent", {"seen_at": timedelta(minutes=1)}, BAD, "nothing is heard of two since"),
        ("nodes.clocks", {}, GOOD, "agree"),
        ("nodes.clocks", {"clock_ahead": 40_000}, BAD, "two by 40 s"),
        ("nodes.versions", {}, GOOD, "all run"),
        ("nodes.versions", {"version": "0.0.1"}, DOUBTFUL, "they run 0.0.1, "),
        ("nodes.versions", {"version": "0.0.1", "seen_at": timedelta(minutes=1)}, GOOD, "all run"),
    ],
)
def test_what_doctor_says(app: Flask, settings: Settings, check: str, changes: dict[str, Any], status: str, said: str) -> None:
    beat(app, "one")
    values = {name: ago(app, value) if isinstance(value, timedelta) else value for name, value in changes.items()}
    beat(app, "two", **values)
    (look,) = examine(Patient(app, settings), lambda one: one.name == check)
    assert (look.finding.status, said in look.finding.said) == (status, True), look.finding


@pytest.fixture
def presence() -> Iterator[Presence]:
    made = Presence()
    yield made
    made.stop()


def test_presence_from_start_to_stop(world: World, settings: Settings, presence: Presence) -> None:
    run = runner(world)

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("nodes", "-o", "json").stdout)
        return found

    presence.start(settings, ["worker"])
    eventually(lambda: len(listed()) == 1)
    assert (listed()[0]["parts"], listed()[0]["state"]) == (["worker"], "there")
    presence.start(settings, ["worker", "api"])
    eventually(lambda: [one["parts"] for one in listed()] == [["worker", "api"]])
    presence.stop()
    assert not listed()


@pytest.mark.once
def test_a_database_that_is_away_is_said_and_waited_for(
    settings: Settings, presence: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BEAT", 0.01)
    settings = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing")
    with capture_logs() as logs:
        presence.start(settings, ["worker"])
        eventually(lambda: sum(line["event"] == "not_announced" for line in logs) >= 2)
        presence.stop()
    assert logs[-1]["event"] == "not_left"
