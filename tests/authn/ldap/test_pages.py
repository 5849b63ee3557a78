"""A login to a directory step by step, on a page."""

from __future__ import annotations

import pytest

from tests.support import slapd
from tests.support.visitor import Visitor
from tests.support.world import PASSWORD, World

THERE = "/admin/directories"


@pytest.fixture
def admin(connected: World) -> Visitor:
    visitor = Visitor(connected)
    visitor.sign_in("admin")
    return visitor


def test_a_login_is_tried_step_by_step(admin: Visitor) -> None:
    page = admin.get(THERE)
    assert "default" in page.text
    assert slapd.READER_PASSWORD not in page.text
    tried = admin.post(THERE, source="default", username="alice", password=slapd.PASSWORD)
    assert tried.text.count(">fine<") >= 10
    assert ">failed<" not in tried.text
    assert slapd.PASSWORD not in tried.text
    for form in ({"username": "alice", "password": "wrong"}, {"username": "nobody", "password": ""}):
        failed = admin.post(THERE, {"source": "default"} | form)
        assert failed.text.count(">failed<") == 1
    for wrong, status in (
        ({"source": "nowhere"}, 404),
        ({}, 404),
        ({"source": "default", "username": "x" * 2000}, 400),
        ({"source": "a\0"}, 400),
    ):
        assert admin.post(THERE, wrong).status_code == status


def test_nobody_else_tries_anything(connected: World, admin: Visitor) -> None:
    connected.user("eve")
    eve = Visitor(connected)
    for visitor, seen, done in ((Visitor(connected), 302, 401), (eve, 403, 403)):
        if done == 403:
            eve.sign_in("eve", PASSWORD)
        assert visitor.get(THERE).status_code == seen
        assert visitor.post(THERE, source="default", username="alice", password="x").status_code == done
    assert admin.get(THERE).status_code == 200
