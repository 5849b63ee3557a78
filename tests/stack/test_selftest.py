"""What a killed self-test has left behind goes with the next one; nothing of anybody else's does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.core.db import db, utcnow
from authsvc.projects import service as projects
from authsvc.stack.selftest import NAME, left_overs
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity
from authsvc.users.passwords import choose
from tests.support.world import PASSWORD, World

YESTERDAY = timedelta(days=1)


def made(name: str, *, ago: timedelta = YESTERDAY, password: str | None = None) -> User:
    """A user, and a project of his."""
    user = users.create("test", username=name, password=choose(password) if password else None, fits=True)
    user.creation_time = utcnow() - ago
    projects.create("test", user.id, name)
    db.session.flush()
    return user


def test_what_a_killed_run_has_left_is_known(world: World) -> None:
    with world.changes():
        killed = made(f"{NAME}-1a2b")
        assert [(user, [project.name for project in those]) for user, those in left_overs()] == [(killed, [f"{NAME}-1a2b"])]


@pytest.mark.parametrize("whose", ["of a person", "of a directory", "gone already", "still running", "named otherwise"])
def test_nothing_of_anybody_else_is_taken_for_it(world: World, whose: str) -> None:
    with world.changes():
        match whose:
            case "of a person":
                made(f"{NAME}-mine", password=PASSWORD)
            case "of a directory":
                user = made(f"{NAME}-theirs")
                db.session.add(UserIdentity(user_id=user.id, kind="ldap", source="default", subject="cn=x"))
            case "gone already":
                users.delete("test", made(f"{NAME}-1a2b"))
            case "still running":
                made(f"{NAME}-1a2b", ago=timedelta(minutes=1))
            case "named otherwise":
                made(f"my-{NAME}-1a2b")
        db.session.flush()
        assert left_overs() == []
