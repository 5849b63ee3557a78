"""What every database must do alike: rows and their values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from authsvc.core.db import db
from authsvc.core.inserts import insert_ignore, upsert
from authsvc.core.query import ByBytes
from authsvc.inbox.models import InboxEvent
from authsvc.jobs.models import Execution, Lease
from authsvc.projects.models import Project
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


@pytest.mark.parametrize("number", [2**31, 2**53 + 1, 2**62])
def test_numbers_have_64_bits(number: int) -> None:
    owner = User(id=number, username="owner", name_key="owner")
    db.session.add(Project(id=number, name="web", owner=owner, storage_limit=number))
    db.session.commit()
    db.session.expunge_all()
    found = db.session.execute(select(Project.id, Project.owner_id, Project.storage_limit)).one()
    assert tuple(found) == (number, number, number)
    db.session.add(User(username="next", name_key="next"))
    db.session.flush()


def test_what_is_counted_may_be_more_than_32_bits() -> None:
    owner = User(username="owner", name_key="owner")
    db.session.add_all(Project(name=f"p{number}", owner=owner, storage_limit=2**40) for number in range(3))
    db.session.flush()
    assert db.session.scalar(select(func.sum(Project.storage_limit))) == 3 * 2**40


def test_objects_come_back_as_they_were() -> None:
    value = {"a": [1, 2.5, None, True, "ä\U0001f419"], "": {}, "b": {"c": []}}
    db.session.add(Execution(vendor_type="X", trigger="MANUAL", extra_attrs=value))
    db.session.commit()
    db.session.expunge_all()
    assert db.session.scalar(select(Execution.extra_attrs)) == value


def test_names_stand_in_the_order_of_their_bytes() -> None:
    """Where a list says so; a server's locale would put them elsewhere, and others on the next page."""
    given = ["B", "a", "Z", "_", "ä", "é", "z", "-", "0", "a-b", "a_b", "ab", "\U0001f419"]
    owner = User(username="owner", name_key="owner")
    db.session.add_all(Project(name=name, owner=owner) for name in given)
    db.session.commit()
    assert list(db.session.scalars(select(Project.name).order_by(ByBytes(Project.name)))) == sorted(given, key=str.encode)


@pytest.mark.parametrize("text", ["\0", "a\0b"])
def test_a_nul_is_refused_or_kept_and_never_cut(text: str) -> None:
    """Some databases cannot hold one. Nothing with one gets as far as here (`core.web`), and nothing is lost if it did."""
    try:
        lease(text)
        db.session.commit()
    except (DBAPIError, ValueError):
        db.session.rollback()
        assert names() == []
    else:
        assert names() == [text]
