"""What every database must do alike when many come at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, update

from authsvc.core.db import db, hold, read_only, reading, transaction
from authsvc.core.inserts import insert_ignore, insert_or_lock
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import leases
from authsvc.jobs.models import Lease
from authsvc.projects.models import Project, StorageUsage
from authsvc.users.models import User

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
COUNT = 8

pytestmark = pytest.mark.usefixtures("context")


def lease(name: str, **changes: Any) -> bool:
    return insert_ignore(Lease, **({"name": name, "owner": "me", "until": NOW} | changes))


def names() -> list[str]:
    return list(db.session.scalars(select(Lease.name).order_by(Lease.name)))


def at_once(app: Flask, work: Callable[[int], Any], count: int = COUNT) -> list[Any]:
    """That many threads that begin together, each in a transaction of its own; what they return. What one raises is raised."""
    together = Barrier(count)

    def alone(number: int) -> Any:
        with app.app_context(), transaction():
            together.wait(30)
            return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(alone, number) for number in range(count)]]


@pytest.fixture
def owner() -> User:
    made = User(username="owner", name_key="owner")
    db.session.add(made)
    db.session.commit()
    return made


@pytest.mark.parametrize("again", range(5))
def test_many_count_in_a_row_that_one_of_them_made(app: Flask, owner: User, again: int) -> None:
    def count(_: int) -> None:
        insert_or_lock(StorageUsage, "project_id", project_id=1, bytes=0)
        db.session.execute(update(StorageUsage).values(bytes=StorageUsage.bytes + 1))

    db.session.add(Project(name="web", owner=owner))
    db.session.commit()
    at_once(app, count)
    assert db.session.scalar(select(StorageUsage.bytes)) == 8


@pytest.mark.parametrize("again", range(5))
def test_many_wait_for_a_row_that_goes_again(app: Flask, again: int) -> None:
    def pass_by(_: int) -> None:
        assert lease("a")
        db.session.execute(delete(Lease))

    at_once(app, pass_by, 12)
    assert names() == []


@pytest.mark.parametrize("again", range(5))
def test_many_find_a_row_and_change_it(app: Flask, again: int) -> None:
    def count(_: int) -> None:
        lease("a", owner="0")
        db.session.execute(update(Lease).values(owner=Lease.owner + "1"))

    at_once(app, count, 12)
    assert db.session.scalar(select(Lease.owner)) == "0" + 12 * "1"


@pytest.mark.parametrize("again", range(3))
def test_one_of_many_has_a_lease(app: Flask, again: int) -> None:
    taken = at_once(app, lambda number: leases.take("a", 60, f"worker {number}"))
    assert sorted(taken) == [False] * (COUNT - 1) + [True]
    holder = db.session.scalar(select(Lease.owner))
    assert holder == f"worker {taken.index(True)}"


@pytest.mark.parametrize("again", range(3))
def test_an_event_that_comes_many_times_is_kept_once(app: Flask, again: int) -> None:
    at_once(app, lambda number: inbox.store("the same", "{}"))
    assert db.session.scalars(select(InboxEvent.event_id)).all() == ["the same"]


@pytest.mark.parametrize("again", range(3))
def test_one_of_many_settles_an_event(app: Flask, again: int) -> None:
    inbox.store("an event", "{}")
    db.session.commit()
    (event_id,) = db.session.scalars(select(InboxEvent.id))
    db.session.rollback()
    assert sorted(at_once(app, lambda number: inbox.settle(event_id, "done"))) == [False] * (COUNT - 1) + [True]


def test_who_holds_a_row_is_alone_with_it(app: Flask, owner: User) -> None:
    """Read, thought about, written: nothing that others write in between is lost."""
    project = Project(name="web", owner=owner, storage_limit=0)
    db.session.add(project)
    db.session.flush()
    project_id = project.id
    db.session.commit()

    def count(_: int) -> None:
        mine = db.session.get_one(Project, project_id)
        hold(mine)
        mine.storage_limit += 1

    for _ in range(3):
        at_once(app, count)
    assert db.session.scalar(select(Project.storage_limit)) == 3 * COUNT


def test_what_is_not_committed_is_nobodys_business(app: Flask) -> None:
    def look() -> list[str]:
        with app.app_context(), reading():
            return names()

    with ThreadPoolExecutor(1) as elsewhere:
        lease("a")
        assert elsewhere.submit(look).result() == []
        db.session.commit()
        assert elsewhere.submit(look).result() == ["a"]
        db.session.execute(delete(Lease))
        assert elsewhere.submit(look).result() == ["a"]
        db.session.rollback()
    assert names() == ["a"]


def test_a_reader_may_become_a_writer_though_somebody_wrote_in_between() -> None:
    """Who logs in by a GET writes that down; on SQLite what began as a reader would be refused at once."""
    token = read_only.set(True)
    try:
        assert names() == []
        with db.engine.connect() as other:
            read_only.set(False)
            with other.begin():
                other.execute(insert(Lease), {"name": "other", "owner": "me", "until": NOW})
            read_only.set(True)
        with transaction():
            lease("own")
        assert names() == ["other", "own"]
    finally:
        read_only.reset(token)
