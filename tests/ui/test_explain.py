"""The pages that say why: a decision by its id, and whether somebody may do something."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.gate.conftest import Site
from tests.support.visitor import Visitor, see
from tests.support.world import basic

THERE = "/admin/explain"


def visitor(site: Site, name: str) -> Visitor:
    one = Visitor(site.world)
    one.sign_in(name)
    return one


@pytest.fixture
def refused(site: Site) -> str:
    """The page of what the guest was refused."""
    said = site.put("v1", site.manifest(), basic("guest")).get_json()["errors"][0]["message"]
    found = re.search(r"decision ([0-9a-f]{12})", said)
    assert found is not None
    return f"/decisions/{found[1]}"


def test_who_was_refused_reads_why(site: Site, refused: str) -> None:
    for name in ("guest", "projectAdmin", "admin"):
        text = visitor(site, name).page(refused).text
        assert f"PUT {site.repository} v1" in text
        assert text.count("refused") == 2
        assert "Now it would be" in text
    for name in ("developer", "stranger"):
        assert visitor(site, name).get(refused).status_code == 403
    assert Visitor(site.world).get(refused).headers["Location"].startswith("/sign-in")
    assert visitor(site, "admin").get("/decisions/0123456789ab").status_code == 404


def ask(one: Visitor, user: str, action: str, place: str) -> str:
    return one.page(f"{THERE}?user={quote(user)}&action={action}&place={quote(place)}").text


def test_whether_somebody_may(site: Site) -> None:
    admin = visitor(site, "admin")
    assert "allowed developer is developer in" in ask(admin, "developer", "push", site.repository)
    assert "role: developer by own membership" in ask(admin, "developer", "push", site.repository)
    assert "needs developer or more" in ask(admin, "guest", "push", site.repository)
    assert "needs projectAdmin" in ask(admin, "maintainer", "member:create", site.project)
    assert "which is private" in ask(admin, "anonymous", "pull", site.repository)
    assert "there is no project nothing" in ask(admin, "guest", "pull", "nothing/x")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("user=nobody&action=push&place=web", 404),
        ("user=admin&action=explode&place=web", 400),
        ("user=admin&action=push&place=Web/%20x", 400),
        ("user=%3Cimg%3E&action=push&place=web", 404),
        ("user=" + "x" * 513, 400),
        ("user=a%00", 400),
        ("decision=..%2F..%2F", 400),
        ("decision=%2F%2Fevil.example", 400),
    ],
)
def test_what_cannot_be_asked_is_said(site: Site, query: str, status: int) -> None:
    answer = visitor(site, "admin").get(f"{THERE}?{query}")
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert "img" not in see(answer).tags


def test_the_way_to_a_decision(site: Site, refused: str) -> None:
    admin = visitor(site, "admin")
    assert admin.get(f"{THERE}?decision={refused.rpartition('/')[2]}").headers["Location"] == refused
    guest = visitor(site, "guest")
    assert guest.get(f"{THERE}?user=admin&action=push&place=web").status_code == 403
