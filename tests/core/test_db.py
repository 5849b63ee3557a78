"""What every database must do alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from authsvc.core.db import db, read_only, transaction
from authsvc.core.inserts import insert_ignore, insert_or_lock, upsert
from authsvc.inbox.models import InboxEvent
from authsvc.jobs.models import Lease
from authsvc.projects.models import Project, StorageUsage
from authsvc.users.models import User, UserIdentity

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("context")


def lease(name: str, **changes: Any) -> bool:
    return insert_ignore(Lease, **({"name": name, "owner": "me", "until": NOW} | changes))


def names() -> list[str]:
    return list(db.session.scalars(select(Lease.name).order_by(Lease.name)))


def test_a_row_is_inserted_once_and_the_transaction_goes_on() -> None:
    assert lease("a")
    assert not lease("a", owner="you")
    assert lease("b")
    db.session.commit()
    assert names() == ["a", "b"]
    assert db.session.scalar(select(Lease.owner).where(Lease.name == "a")) == "me"


def test_names_are_the_same_when_their_bytes_are() -> None:
    different = ["a", "A", "a ", "\u00e4", "a\u0308", "\u00df", "ss"]
    assert [lease(name) for name in different] == [True] * len(different)
    assert db.session.scalars(select(Lease.name).where(Lease.name == "A")).all() == ["A"]


@pytest.mark.parametrize("text", ["\U0001f419", "\\'\"%s%(x)s", "line\nline", "{}", "\\"])
def test_text_comes_back_as_it_was(text: str) -> None:
    lease(text)
    db.session.commit()
    assert names() == [text]
    found = select(Lease.name).where(Lease.name.icontains(text, autoescape=True))
    assert db.session.scalars(found).all() == [text]


def test_contains_does_not_mind_case_and_takes_signs_as_they_are() -> None:
    for name in ("Web-App", "web%app", "web_app"):
        lease(name)

    def matching(text: str) -> list[str]:
        return sorted(db.session.scalars(select(Lease.name).where(Lease.name.icontains(text, autoescape=True))))

    assert matching("EB-A") == ["Web-App"]
    assert matching("%") == ["web%app"]
    assert matching("_") == ["web_app"]


def test_times_keep_their_microseconds_and_zone() -> None:
    lease("a")
    lease("b", until=NOW.astimezone(timezone(timedelta(hours=5))))
    db.session.commit()
    assert db.session.scalars(select(Lease.until)).all() == [NOW, NOW]


def test_a_duplicate_is_all_that_is_ignored() -> None:
    with pytest.raises(DBAPIError):
        insert_ignore(UserIdentity, user_id=7, kind="ldap", source="s", subject="x")  # there is no such user
    db.session.rollback()
    with pytest.raises(DBAPIError):
        insert_ignore(InboxEvent, event_id=None, body="", status="pending", attempts=0, reason="")
    db.session.rollback()


def test_what_is_too_long_is_never_cut() -> None:
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps whatever it is given")
    with pytest.raises(DBAPIError):
        lease("x" * 65)
    db.session.rollback()


def test_a_duplicate_of_something_else_is_not_taken_for_this_row() -> None:
    lease("a")
    db.session.commit()
    db.session.add(Lease(name="a", owner="", until=NOW))
    with pytest.raises(DBAPIError):
        lease("b")
    db.session.rollback()


def test_bodies_of_a_megabyte_fit() -> None:
    body = "ä" * 500_000
    insert_ignore(InboxEvent, event_id="e", body=body, received_at=NOW, due_at=NOW, status="pending", attempts=0, reason="")
    db.session.commit()
    assert db.session.scalar(select(InboxEvent.body)) == body


def test_upsert_inserts_and_updates() -> None:
    lease("a")
    upsert(Lease, [{"name": name, "owner": "you", "until": NOW} for name in ("a", "b", "c")])
    db.session.commit()
    assert db.session.execute(select(Lease.name, Lease.owner).order_by(Lease.name)).all() == [
        ("a", "you"),
        ("b", "you"),
        ("c", "you"),
    ]


def at_once(app: Flask, work: Callable[[], None], count: int = 8) -> None:
    """That many threads, each in a transaction of its own; what one of them raises is raised."""

    def alone() -> None:
        with app.app_context(), transaction():
            work()

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(alone) for _ in range(count)]:
            future.result()


@pytest.mark.parametrize("again", range(5))
def test_many_count_in_a_row_that_one_of_them_made(app: Flask, again: int) -> None:
    def count() -> None:
        insert_or_lock(StorageUsage, "project_id", project_id=1, bytes=0)
        db.session.execute(update(StorageUsage).values(bytes=StorageUsage.bytes + 1))

    db.session.add(Project(name="web", owner=User(username="owner", name_key="owner")))
    db.session.commit()
    at_once(app, count)
    assert db.session.scalar(select(StorageUsage.bytes)) == 8


@pytest.mark.parametrize("again", range(5))
def test_many_wait_for_a_row_that_goes_again(app: Flask, again: int) -> None:
    def pass_by() -> None:
        assert lease("a")
        db.session.execute(delete(Lease))

    at_once(app, pass_by, 12)
    assert names() == []


@pytest.mark.parametrize("again", range(5))
def test_many_find_a_row_and_change_it(app: Flask, again: int) -> None:
    def count() -> None:
        lease("a", owner="0")
        db.session.execute(update(Lease).values(owner=Lease.owner + "1"))

    at_once(app, count, 12)
    assert db.session.scalar(select(Lease.owner)) == "0" + 12 * "1"


def test_ids_are_not_used_again() -> None:
    def add(name: str) -> User:
        user = User(username=name, name_key=name)
        db.session.add(user)
        db.session.commit()
        return user

    add("first")
    second = add("second")
    old = second.id
    db.session.delete(second)
    db.session.commit()
    assert add("third").id > old


def test_an_update_to_the_same_value_counts_as_found() -> None:
    lease("a")
    db.session.commit()
    same: Any = db.session.execute(db.update(Lease).where(Lease.name == "a").values(owner="me"))
    assert same.rowcount == 1


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
