"""The pages of system administrators: users, the whole log, health; and that nobody else has them."""

from __future__ import annotations

import re

import pytest

from authsvc.rbac.roles import Role
from authsvc.users import service as users
from tests.support.visitor import Visitor, see
from tests.support.world import World

USERS = "/admin/users"


@pytest.fixture
def boss(world: World) -> Visitor:
    world.user("root", sysadmin=True)
    visitor = Visitor(world)
    visitor.sign_in("root")
    return visitor


def user_id(world: World, name: str) -> int:
    with world.changes():
        return users.get_by_name(name).id


def of(world: World, name: str) -> dict[str, object]:
    return dict(world.api("GET", f"/users/{user_id(world, name)}", "root").get_json())


def password_on(page: str) -> str:
    found = re.search(r'id="secret">([^<]+)<', page)
    assert found is not None
    return found[1]


def test_a_user_is_made_and_changes_the_password_first(world: World, boss: Visitor) -> None:
    form = {"username": "alice", "email": "alice@example.com", "realname": "<b>Alice</b>"}
    made = boss.post(USERS, form)
    assert (made.status_code, made.cache_control.no_store) == (200, True)
    password = password_on(made.text)
    assert password not in boss.get(USERS).text
    assert "b" not in boss.page(USERS).tags
    alice = Visitor(world)
    assert alice.sign_in("alice", password).headers["Location"] == "/account/password"
    assert of(world, "alice")["email"] == "alice@example.com"


def test_rights_are_given_and_taken(world: World, boss: Visitor) -> None:
    world.user("alice")
    path = f"{USERS}/{user_id(world, 'alice')}"
    alice = Visitor(world)
    alice.sign_in("alice")
    assert alice.get(USERS).status_code == 403
    assert boss.post(path, action="promote").headers["Location"] == path
    assert alice.get(USERS).status_code == 200
    assert USERS in alice.page("/projects").links
    assert boss.post(path, action="demote").status_code == 303
    assert alice.get(USERS).status_code == 403
    assert boss.post(path, action="disable").status_code == 303
    assert alice.get("/account/password").status_code == 403
    assert Visitor(world).sign_in("alice").status_code == 403
    assert boss.post(path, action="enable").status_code == 303
    assert Visitor(world).sign_in("alice").status_code == 303
    renewed = password_on(boss.post(path, action="password").text)
    assert Visitor(world).sign_in("alice").status_code == 401
    done = Visitor(world).sign_in("alice", renewed)
    assert (done.status_code, done.headers.get("Location")) == (303, "/account/password"), done.text


def test_a_user_is_deleted_by_who_writes_the_name(world: World, boss: Visitor) -> None:
    world.user("alice")
    path = f"{USERS}/{user_id(world, 'alice')}"
    for wrong in ({}, {"confirmation": "Alice"}, {"confirmation": "root"}):
        refused = boss.post(path, {"action": "delete"} | wrong)
        assert (refused.status_code, "nothing was deleted" in refused.text) == (400, True)
    assert boss.post(path, action="delete", confirmation="alice").headers["Location"] == USERS
    assert boss.get(path).status_code == 404
    assert Visitor(world).sign_in("alice").status_code == 401


def test_nobody_locks_himself_out(world: World, boss: Visitor) -> None:
    with world.changes():
        users.set_sysadmin("test", users.get(1), False)
    own = f"{USERS}/{user_id(world, 'root')}"
    for action in ("demote", "disable", "delete", "password"):
        refused = boss.post(own, action=action, confirmation="root")
        assert refused.status_code in (400, 403, 409, 412), action
        assert "alert" in refused.text
    assert boss.get(USERS).status_code == 200


def test_what_cannot_be_is_said(world: World, boss: Visitor) -> None:
    for form, status in (
        ({"username": ""}, 400),
        ({}, 400),
        ({"username": "ROOT"}, 409),
        ({"username": "x" * 256}, 400),
        ({"username": "a\0b"}, 400),
        ({"username": "alice", "email": "nothing"}, 400),
        ({"username": "robot$x"}, 400),
    ):
        refused = boss.post(USERS, form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), form
        assert "alert" in refused.text
    assert boss.post(f"{USERS}/{user_id(world, 'root')}", action="explode").status_code == 400
    assert boss.post(f"{USERS}/999999", action="disable").status_code == 404


def test_users_are_searched_and_shown_with_their_roles(world: World, boss: Visitor) -> None:
    for number in range(60):
        world.user(f"user-{number:02}")
    world.project("web", 1)
    world.member("web", "user-07", Role.DEVELOPER)
    assert "1 to 50 of 6" in boss.page(USERS).text
    assert "1 to 10 of 10" in boss.page(f"{USERS}?search=R-1").text
    assert "Nobody is called anything like" in boss.page(f"{USERS}?search=%25").text
    shown = boss.page(f"{USERS}/{user_id(world, 'user-07')}")
    assert "web: developer" in shown.text
    assert "Member of no project by name." in boss.page(f"{USERS}/{user_id(world, 'user-08')}").text


@pytest.mark.parametrize("path", [USERS, f"{USERS}/1", "/admin/log", "/admin/health"])
def test_nobody_else_has_them(world: World, boss: Visitor, path: str) -> None:
    world.user("alice")
    alice = Visitor(world)
    assert alice.get(path).headers["Location"].startswith("/sign-in")
    alice.sign_in("alice")
    assert alice.get(path).status_code == 403
    assert USERS not in alice.page("/projects").links
    if path.startswith(USERS):
        for form in ({"username": "mallory"}, {"action": "promote"}, {"action": "password"}):
            assert alice.post(path, form).status_code == 403
            assert Visitor(world).post(path, form).status_code == 401
    assert boss.get(path).status_code == 200


def test_the_log_is_narrowed_down(world: World, boss: Visitor) -> None:
    world.project("web", 1)
    world.user("alice")
    assert (
        world.api("POST", "/projects/web/members", "root", json={"role_id": 3, "member_user": {"username": "alice"}}).status_code
        == 201
    )
    assert Visitor(world).sign_in("alice", "wrong").status_code == 401
    there = "/admin/log"
    assert "guest in web" in boss.page(there).text
    assert "web" in boss.page(f"{there}?kind=member&operation=create&user=root&result=done").text
    assert "Nothing like this is noted." in boss.page(f"{there}?kind=member&user=alice").text
    refused = boss.page(f"{there}?result=refused").text
    assert "wrong password" in refused
    assert "guest in web" not in refused
    for wrong in ("result=perhaps", "user=" + "x" * 256, "operation=%00", "sort=changes", "kind=" + "x" * 300):
        assert boss.get(f"{there}?{wrong}").status_code == 400, wrong
    hostile = boss.get(f"{there}?user=%3Cscript%3E&search=%22%3E%3Cimg%3E")
    assert (hostile.status_code, see(hostile).foul, "img" in see(hostile).tags) == (200, [], False)


def test_health_says_what_is_wrong(boss: Visitor) -> None:
    text = boss.page("/admin/health").text
    assert "jobservice unhealthy no worker is running" in text
    assert "database healthy" in text
