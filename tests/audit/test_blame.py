"""The audit log and the logs say who it was, at every door, and never somebody who was there before on the same thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from authsvc.rbac.roles import Role
from tests.support.world import PASSWORD, World, basic

GOOD = {"X-Real-Ip": "203.0.113.5", "User-Agent": "good-client", "X-Request-Id": "good" * 8}
BAD = {"X-Real-Ip": "198.51.100.9", "User-Agent": "attacker", "X-Request-Id": "bad0" * 8}
Door = Callable[[World, str, dict[str, str]], TestResponse]


def by_get(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    return world.client.get("/service/token?service=harbor-registry", headers=headers | basic("alice", password))


def by_post(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    form = {"grant_type": "password", "service": "harbor-registry", "username": "alice", "password": password}
    return world.client.post("/service/token", data=form, headers=headers)


def by_api(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    return world.client.get("/api/v2.0/users/current", headers=headers | basic("alice", password))


def by_page(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    form = {"principal": "alice", "password": password}
    return world.client.post("/c/login", data=form, headers=headers | {"Sec-Fetch-Site": "same-origin"})


def by_gate(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    asked = {"X-Gate-Method": "GET", "X-Gate-Uri": "/v2/web/app/manifests/v1"}
    return world.client.get("/internal/gate", headers=headers | asked | basic("alice", password))


def by_write(world: World, password: str, headers: dict[str, str]) -> TestResponse:
    return world.client.delete("/v2/web/app/manifests/v1", headers=headers | basic("alice", password))


DOORS: list[Door] = [by_get, by_post, by_api, by_page, by_gate, by_write]


@pytest.fixture
def alice(world: World) -> World:
    world.user("alice")
    world.project("web", 1)
    world.member("web", "alice", Role.GUEST)
    return world


@pytest.mark.parametrize("before", DOORS)
@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_password_is_the_one_who_showed_it(alice: World, before: Door, door: Door) -> None:
    before(alice, PASSWORD, GOOD)
    with capture_logs() as lines:
        assert door(alice, "wrong", BAD).status_code in (401, 403)
    (noted,) = failures(alice)
    assert (noted["address"], noted["user_agent"]) == ("198.51.100.9", "attacker")
    assert noted["request_id"] == BAD["X-Request-Id"]
    (line,) = [line for line in lines if line["event"] == "login_refused"]
    assert (line["account"], line["address"], line["user_agent"]) == ("alice", "198.51.100.9", "attacker")
    assert (line["code"], line["request_id"]) == ("UNAUTHORIZED", BAD["X-Request-Id"])
    assert "wrong" not in json.dumps(lines)


def failures(world: World) -> list[dict[str, Any]]:
    listed = world.api("GET", "/auditlog-exts?q=operation=login,operation_result=false", "admin").get_json()
    return list(listed)


def test_what_may_be_a_password_is_in_no_log(world: World) -> None:
    with capture_logs() as lines:
        world.client.get("/service/token?service=harbor-registry", headers=basic("hunter2-in-the-wrong-field", "x"))
    (line,) = [line for line in lines if line["event"] == "login_refused"]
    assert line["account"].startswith("unknown:")
    assert "hunter2" not in json.dumps(lines)


def test_a_robot_is_named(world: World) -> None:
    for name in ("robot$web+ci", "robot-web+ci"):
        with capture_logs() as lines:
            world.client.get("/service/token?service=harbor-registry", headers=basic(name, "x"))
        assert [line["account"] for line in lines if line["event"] == "login_refused"] == ["robot$web+ci"], name


@pytest.mark.parametrize("door", [by_gate, by_write])
def test_a_refusal_is_one_line_with_the_id_that_the_client_is_told(alice: World, door: Door) -> None:
    asked = {"X-Gate-Method": "DELETE", "X-Gate-Uri": "/v2/web/app/blobs/sha256:" + "0" * 64}
    with capture_logs() as lines:
        if door is by_gate:
            answer = alice.client.get("/internal/gate", headers=BAD | asked | basic("alice"))
            told = answer.headers["X-Gate-Body"]
        else:
            told = by_write(alice, PASSWORD, BAD).text
    (line,) = [line for line in lines if line["event"] == "refused"]
    assert line["decision"] in told
    assert (line["username"], line["repository"], line["status"]) == ("alice", "web/app", 403)
    assert (line["address"], line["user_agent"], line["request_id"]) == ("198.51.100.9", "attacker", BAD["X-Request-Id"])
    assert line["message"]
