"""Signing in and out at the pages, registering, and passwords that somebody else made."""

from __future__ import annotations

import pytest

from authsvc.users import service as users
from authsvc.users.passwords import choose
from tests.support.visitor import Visitor, see
from tests.support.world import PASSWORD, World

OWN = "chosen by myself 1"


def test_whoever_may_not_see_a_page_signs_in_and_comes_back(world: World) -> None:
    world.project("web", 1)
    visitor = Visitor(world)
    there = visitor.get("/projects/web?search=a")
    assert (there.status_code, there.headers["Location"]) == (302, "/sign-in?next=/projects/web%3Fsearch%3Da")
    asked = visitor.page(there.headers["Location"])
    assert "Password" in asked.text
    come = visitor.sign_in("admin", back_to="/projects/web?search=a")
    assert (come.status_code, come.headers["Location"]) == (303, "/projects/web?search=a")
    cookie = come.headers["Set-Cookie"]
    for part in ("HttpOnly", "Secure", "SameSite=Lax"):
        assert part in cookie
    assert visitor.get("/projects/web").status_code == 200
    assert visitor.get("/sign-in?next=/projects").headers["Location"] == "/projects", "he is signed in"
    assert visitor.post("/sign-out").status_code == 303
    assert visitor.get("/projects/web").status_code == 302


@pytest.mark.parametrize(
    "back_to", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/" * 2000]
)
def test_nobody_is_sent_elsewhere(world: World, back_to: str) -> None:
    visitor = Visitor(world)
    assert visitor.sign_in("admin", back_to=back_to).headers["Location"] == "/"
    assert visitor.get(f"/sign-in?next={back_to}").headers["Location"] == "/"
    assert visitor.post("/look", language="en", next=back_to).headers["Location"] == "/"


def test_a_wrong_password_is_said(world: World) -> None:
    visitor = Visitor(world)
    refused = visitor.sign_in("<b>admin</b>", "wrong")
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers
    assert "b" not in see(refused).tags
    assert "alert" in refused.text
    assert visitor.sign_in("", "").status_code == 400


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/look", "/account/password", "/new-project", "/register"])
def test_other_sites_change_nothing(world: World, path: str) -> None:
    with world.changes():
        from authsvc.configuration import service as configuration

        configuration.change({"self_registration": True})
    visitor = Visitor(world)
    visitor.sign_in("admin")
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        answer = visitor.post(path, headers=headers, name="taken", principal="admin", password=PASSWORD)
        assert answer.status_code == 403, headers
        assert "own pages" in see(answer).text
    assert visitor.get("/projects/taken").status_code == 404
    assert visitor.page("/projects").text.count("admin"), "nobody has signed him out"


def test_a_password_that_somebody_else_made_is_changed_first(world: World) -> None:
    chosen = choose("made by somebody 1")
    with world.changes():
        users.create("test", username="alice", password=chosen, email="alice@example.com", temporary=True)
    visitor = Visitor(world)
    assert visitor.sign_in("alice", "made by somebody 1").headers["Location"] == "/account/password"
    assert visitor.get("/projects").headers["Location"] == "/account/password"
    assert "made by somebody else" in visitor.page("/account/password").text
    for old, new, again, status in (
        ("wrong", OWN, OWN, 403),
        ("made by somebody 1", OWN, "another", 400),
        ("made by somebody 1", "short", "short", 400),
    ):
        refused = visitor.post("/account/password", old=old, new=new, again=again)
        assert refused.status_code == status, refused.text
        assert "alert" in refused.text
    done = visitor.post("/account/password", old="made by somebody 1", new=OWN, again=OWN)
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert visitor.get("/projects").status_code == 200, "with a new session"
    assert Visitor(world).sign_in("alice", OWN).status_code == 303


def test_registering(world: World) -> None:
    visitor = Visitor(world)
    assert visitor.get("/register").status_code == 404
    assert "/register" not in visitor.page("/sign-in").links
    switched = {"self_registration": True, "self_registration_approval": False}
    assert world.api("PUT", "/configurations", "admin", json=switched).status_code == 200
    assert "/register" in visitor.page("/sign-in").links
    form = {"username": "newcomer", "email": "new@example.com", "realname": "New <b>Comer</b>", "password": "Xq7+"}
    refused = visitor.post("/register", form)
    assert refused.status_code == 400
    assert "New &lt;b&gt;Comer" in refused.text, "what was typed is still there"
    assert "Xq7+" not in refused.text
    made = visitor.post("/register", form | {"password": OWN})
    assert "Your account is made." in see(made).text
    assert visitor.sign_in("newcomer", OWN).status_code == 303
