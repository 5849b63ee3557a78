"""F4: an entry that was made anew, a name that is taken: what is in the way is said truly, with the command that mends it."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, Forbidden, NotFound
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.models import UserIdentity
from tests.support.console import runner
from tests.support.world import PASSWORD, World, basic


def login(world: World, name: str = "alice") -> tuple[int, str]:
    answer = world.client.get("/service/token?service=harbor-registry", headers=basic(name, PASSWORD))
    return answer.status_code, answer.text


def roles_step(world: World, name: str = "alice") -> dict[str, Any]:
    steps = world.api("POST", "/ldap/trace", "admin", json={"username": name, "password": PASSWORD}).get_json()
    return next(dict(step) for step in steps if step["name"] == "roles")


def command_in(text: str, verb: str) -> list[str]:
    found = re.search(rf"authsvc (users {verb} [^;]+?)(?=;|\"|$)", text.replace("\\u0027", "'"))
    assert found, text
    return shlex.split(found[1])


def test_an_entry_that_was_made_anew_is_linked(connected: World) -> None:
    """The same person, whose entry has another id than before; his roles stay."""
    assert login(connected)[0] == 200
    connected.project("web", 1)
    connected.member("web", "alice", Role.DEVELOPER)
    with connected.changes():
        db.session.execute(update(UserIdentity).values(subject="uuid:of-an-entry-that-was-deleted"))
        users.get_by_name("alice").epoch += 1  # no process remembers the password as right
    assert {login(connected)[0] for _ in range(15)} == {401}
    assert connected.api("GET", "/system/login-failures", "admin").get_json() == [], "the password is right"
    status, text = login(connected)
    assert (status, "another entry (uuid:of-an-entry-that-was-deleted)" in text) == (401, True)
    step = roles_step(connected)
    assert step["ok"] is False
    assert "another entry" in step["detail"]
    assert runner(connected)(*command_in(text, "link")).exit_code == 0
    assert login(connected)[0] == 200
    assert roles_step(connected)["ok"] is True
    assert connected.granted("repository:web/a:push", who="alice") == {"web/a": ["push"]}


def test_a_local_user_makes_room(connected: World) -> None:
    connected.user("alice", password="a local one of hers")
    with connected.changes():
        users.get_by_name("alice").password_hash = None
    step = roles_step(connected)
    assert (step["ok"], "is local" in step["detail"]) == (False, True)
    command = command_in(step["detail"], "rename")
    assert command == ["users", "rename", "alice", "NEW"]
    assert runner(connected)("users", "rename", "alice", "alice-local").exit_code == 0
    assert login(connected)[0] == 200
    assert connected.api("GET", "/users/current", headers=basic("alice-local", PASSWORD)).status_code == 401


def test_a_local_user_becomes_the_directorys(connected: World) -> None:
    """Whoever was there before the directory keeps roles and projects, and not the password."""
    connected.user("alice", password="a local one of hers")
    connected.project("web", 2)
    assert connected.api("GET", "/users/current", headers=basic("alice", "a local one of hers")).status_code == 200
    detail = roles_step(connected)["detail"]
    assert runner(connected)(*command_in(detail, "link")).exit_code == 0
    assert login(connected)[0] == 200
    assert connected.api("GET", "/users/current", headers=basic("alice", "a local one of hers")).status_code == 401
    assert connected.granted("repository:web/a:push", who="alice") == {"web/a": ["push"]}


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("rename", "alice", "admin"), Conflict),
        (("rename", "alice", "admin@example.com"), Conflict),
        (("rename", "alice", "not a name"), BadRequest),
        (("rename", "nobody", "x"), NotFound),
        (("link", "admin", "ldap:default", "x"), Forbidden),
        (("link", "alice", "ldap:typo", "x"), NotFound),
        (("link", "alice", "ldap", "x"), BadRequest),
        (("link", "alice", "http:default", "x"), BadRequest),
        (("link", "other", "ldap:default", "{subject}"), Conflict),
    ],
)
def test_what_cannot_be_moved(connected: World, command: tuple[str, ...], error: type[Exception]) -> None:
    assert login(connected)[0] == 200
    connected.user("other")
    with connected.changes():
        subject = db.session.query(UserIdentity).one().subject
    run = runner(connected)("users", *(part.format(subject=subject) for part in command))
    assert isinstance(run.exception, error), run.exception


def test_the_same_name_in_another_case_is_his(connected: World) -> None:
    assert login(connected)[0] == 200
    assert runner(connected)("users", "rename", "alice", "Alice").exit_code == 0
    assert connected.api("GET", "/users/current", "alice").get_json()["username"] == "Alice"
