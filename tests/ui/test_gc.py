"""The page of the garbage collection."""

from __future__ import annotations

import pytest

from authsvc.artifacts import condemned
from authsvc.jobs import schedules, service
from authsvc.jobs.models import MANUAL, Execution
from tests.support.visitor import Visitor
from tests.support.world import World

THERE = "/admin/gc"


@pytest.fixture
def boss(world: World) -> Visitor:
    world.user("root", sysadmin=True)
    visitor = Visitor(world)
    visitor.sign_in("root")
    return visitor


def runs(world: World) -> list[tuple[str, bool, bool]]:
    """trigger, delete_untagged, dry_run of each"""
    with world.changes():
        from authsvc.core.db import db

        found = db.session.scalars(service.of_vendor("GARBAGE_COLLECTION").order_by(Execution.id)).all()
        return [(run.trigger, run.extra_attrs["delete_untagged"], run.extra_attrs["dry_run"]) for run in found]


def test_it_is_started_once_at_a_time(world: World, boss: Visitor) -> None:
    with world.changes():
        condemned.condemn([(f"sha256:{'0' * 64}", 3 * 2**20)], 1)
    page = boss.page(THERE).text
    assert "Blobs that wait to be deleted1" in page
    assert "3.0 MiB" in page
    assert boss.post(THERE, dry_run="true").headers["Location"] == THERE
    assert runs(world) == [(MANUAL, False, True)]
    again = boss.post(THERE, delete_untagged="true")
    assert (again.status_code, "is running already" in again.text) == (409, True)
    assert "/admin/runs/1" in boss.page(THERE).links
    assert "GARBAGE_COLLECTION" in boss.page("/admin/log?kind=schedule").text


def test_it_is_scheduled(world: World, boss: Visitor) -> None:
    for form, cron in (
        ({"type": "Daily"}, "0 0 0 * * *"),
        ({"type": "Custom", "cron": "0 30 2 * * 6", "delete_untagged": "true"}, "0 30 2 * * 6"),
    ):
        assert boss.post(f"{THERE}/schedule", form).headers["Location"] == THERE
        with world.changes():
            schedule = schedules.find("GARBAGE_COLLECTION")
            assert schedule is not None
            assert (schedule.cron, schedule.params["delete_untagged"]) == (cron, "delete_untagged" in form)
    assert 'value="0 30 2 * * 6"' in boss.get(THERE).text
    for wrong in (
        {"type": "Custom", "cron": "soon"},
        {"type": "Custom", "cron": ""},
        {"type": "Manual"},
        {},
        {"type": "Daily", "cron": "x" * 256},
    ):
        assert boss.post(f"{THERE}/schedule", wrong).status_code == 400, wrong
    assert boss.post(f"{THERE}/schedule", type="None").status_code == 303
    with world.changes():
        assert schedules.find("GARBAGE_COLLECTION") is None
    assert runs(world) == []


def test_nobody_else_collects(world: World, boss: Visitor) -> None:
    world.user("alice")
    alice = Visitor(world)
    alice.sign_in("alice")
    for visitor, seen, done in ((Visitor(world), 302, 401), (alice, 403, 403)):
        assert visitor.get(THERE).status_code == seen
        assert visitor.post(THERE, delete_untagged="true").status_code == done
        assert visitor.post(f"{THERE}/schedule", type="Hourly").status_code == done
    assert runs(world) == []
    assert boss.get(THERE).status_code == 200
