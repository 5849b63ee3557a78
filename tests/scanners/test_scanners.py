"""Scanners: asked for real before they are stored; credentials that go nowhere else; who may see what."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs.context import JobContext
from authsvc.rbac.roles import Role
from authsvc.scanners import tasks
from authsvc.scanners.models import Scanner as Row
from authsvc.wsgi import Front
from tests.support.scanner import METADATA, NAME, Scanner, scanner
from tests.support.world import World

SECRET = "scanner secret"


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    made.user("owner")
    yield made
    made.close()


@pytest.fixture
def probe() -> Iterator[Scanner]:
    with scanner() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Scanner]:
    with scanner() as running:
        yield running


def create(world: World, probe: Scanner, name: str = "probe", who: str = "admin", **changes: Any) -> Any:
    return world.api("POST", "/scanners", who, json={"name": name, "url": probe.url} | changes)


def created(world: World, probe: Scanner, name: str = "probe", **changes: Any) -> str:
    made = create(world, probe, name, **changes)
    assert made.status_code == 201, made.text
    assert made.headers["Location"].startswith("/api/v2.0/scanners/")
    return str(made.headers["Location"].rpartition("/")[2])


def get(world: World, uuid: str) -> dict[str, Any]:
    said: dict[str, Any] = world.api("GET", f"/scanners/{uuid}", "admin").get_json()
    return said


def test_a_scanner_from_its_begin_to_its_end(world: World, probe: Scanner) -> None:
    uuid = created(world, probe, description="ours", skip_certVerify=True)
    said = get(world, uuid)
    assert {name: said[name] for name in ("name", "description", "url", "adapter", "vendor", "version", "health")} == {
        "name": "probe",
        "description": "ours",
        "url": probe.url,
        "adapter": "Probe",
        "vendor": "Tests",
        "version": "1.0",
        "health": "healthy",
    }
    assert (said["is_default"], said["disabled"], said["skip_certVerify"], said["auth"]) == (True, False, True, "")
    assert said["capabilities"] == {"support_vulnerability": True, "support_sbom": False}
    listed = world.api("GET", "/scanners?q=name=probe", "admin")
    assert ([row["uuid"] for row in listed.get_json()], listed.headers["X-Total-Count"]) == ([uuid], "1")
    assert world.api("GET", f"/scanners/{uuid}/metadata", "admin").get_json() == METADATA
    body = {"name": "renamed", "url": probe.url, "disabled": True}
    assert world.api("PUT", f"/scanners/{uuid}", "admin", json=body).status_code == 400, "it is the default one"
    assert world.api("PUT", f"/scanners/{uuid}", "admin", json=body | {"disabled": False}).status_code == 200
    assert get(world, uuid)["name"] == "renamed"
    gone = world.api("DELETE", f"/scanners/{uuid}", "admin")
    assert (gone.status_code, gone.get_json()["uuid"]) == (200, uuid)
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/metadata")):
        assert world.api(method, f"/scanners/{uuid}{rest}", "admin").status_code == 404
    logged = world.api("GET", "/audit-logs?q=resource_type=scanner&sort=id", "admin").get_json()
    assert [(row["operation"], row["resource"]) for row in logged] == [
        ("create", "probe"),
        ("update", "renamed"),
        ("delete", "renamed"),
    ]


def test_names_and_addresses_are_there_once(world: World, probe: Scanner, other: Scanner) -> None:
    uuid = created(world, probe)
    assert [create(world, other).status_code, create(world, probe, "else").status_code] == [409, 409]
    second = created(world, other, "else")
    body = {"name": "probe", "url": other.url}
    assert world.api("PUT", f"/scanners/{second}", "admin", json=body).status_code == 409
    assert get(world, uuid)["name"] == "probe"


def test_many_at_once(world: World, probe: Scanner) -> None:
    asked = [("POST", "/scanners", "admin", {"name": f"s{number}", "url": probe.url}) for number in range(6)]
    assert sorted(answer.status_code for answer in world.crowd(*asked)) == [201, *[409] * 5]
    defaults = [row["is_default"] for row in world.api("GET", "/scanners", "admin").get_json()]
    assert defaults == [True]


@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"url": "http://scanner.example.com"}, {"name": 1, "url": "http://x"}])
def test_a_body_that_lacks_something(world: World, body: dict[str, Any]) -> None:
    assert world.api("POST", "/scanners", "admin", json=body).status_code == 422


@pytest.mark.parametrize("changes", [{"name": " x"}, {"name": ""}, {"auth": "Digest"}, {"auth": "Basic"}, {"url": "scanner"}])
def test_what_cannot_be(world: World, probe: Scanner, changes: dict[str, Any]) -> None:
    assert create(world, probe, **changes).status_code == 400


@pytest.mark.parametrize(
    ("auth", "name", "shown"),
    [
        ("Basic", "Authorization", "Basic " + base64.b64encode(b"user:" + SECRET.encode()).decode()),
        ("Bearer", "Authorization", f"Bearer {SECRET}"),
        ("X-ScannerAdapter-API-Key", "X-ScannerAdapter-API-Key", SECRET),
    ],
)
def test_how_a_credential_is_shown(world: World, probe: Scanner, auth: str, name: str, shown: str) -> None:
    probe.wants = (name, shown)
    secret = f"user:{SECRET}" if auth == "Basic" else SECRET
    wrong = create(world, probe, auth=auth, access_credential="wrong")
    assert wrong.status_code == 400
    assert "401" in wrong.text
    uuid = created(world, probe, auth=auth, access_credential=secret)
    said = get(world, uuid)
    assert (said["auth"], said["access_credential"]) == (auth, "*****")
    body = {"name": "probe", "url": probe.url, "auth": auth, "access_credential": "*****"}
    assert world.api("PUT", f"/scanners/{uuid}", "admin", json=body).status_code == 200
    assert world.api("POST", "/scanners/ping", "admin", json=body).status_code == 200
    with world.changes():
        row = db.session.query(Row).one()
        assert SECRET not in json.dumps([str(value) for value in vars(row).values()])
    logged = world.api("GET", "/audit-logs", "admin").text
    assert SECRET not in logged


def test_a_credential_goes_to_its_own_address_only(world: World, probe: Scanner, other: Scanner) -> None:
    probe.wants = ("Authorization", f"Bearer {SECRET}")
    uuid = created(world, probe, auth="Bearer", access_credential=SECRET)
    body = {"name": "probe", "url": other.url, "auth": "Bearer", "access_credential": "*****"}
    assert world.api("PUT", f"/scanners/{uuid}", "admin", json=body).status_code == 400
    assert world.api("POST", "/scanners/ping", "admin", json=body).status_code == 400
    assert SECRET not in json.dumps(other.asked)
    assert get(world, uuid)["url"] == probe.url


def test_one_is_the_default_one(world: World, probe: Scanner, other: Scanner) -> None:
    first, second = created(world, probe), created(world, other, "other")
    assert world.api("PATCH", f"/scanners/{second}", "admin", json={"is_default": True}).status_code == 200
    assert [get(world, uuid)["is_default"] for uuid in (first, second)] == [False, True]
    assert world.api("PATCH", f"/scanners/{second}", "admin", json={"is_default": False}).status_code == 200
    assert get(world, second)["is_default"] is True
    body = {"name": "probe", "url": probe.url, "disabled": True}
    assert world.api("PUT", f"/scanners/{first}", "admin", json=body).status_code == 200
    assert world.api("PATCH", f"/scanners/{first}", "admin", json={"is_default": True}).status_code == 400


def test_a_project_chooses(world: World, probe: Scanner, other: Scanner) -> None:
    default, chosen = created(world, probe), created(world, other, "other")
    world.project("team", 2)
    world.user("dev")
    world.member("team", "dev", Role.DEVELOPER)

    def of_project(who: str = "admin") -> Any:
        return world.api("GET", "/projects/team/scanner", who).get_json()["uuid"]

    assert of_project() == default
    path = "/projects/team/scanner"
    assert world.api("PUT", path, "dev", json={"uuid": chosen}).status_code == 403
    assert world.api("PUT", path, "owner", json={"uuid": "no-such"}).status_code == 404
    assert world.api("PUT", path, "owner", json={"uuid": chosen}).status_code == 200
    assert of_project("dev") == chosen
    candidates = world.api("GET", f"{path}/candidates", "owner").get_json()
    assert [row["name"] for row in candidates] == ["probe", "other"]
    assert [row.get("url") for row in candidates] == [None, None], "where they are is for administrators"
    world.api("DELETE", f"/scanners/{chosen}", "admin")
    assert of_project() == default


def test_only_administrators_manage_scanners(world: World, probe: Scanner) -> None:
    uuid = created(world, probe)
    body = {"name": "probe", "url": probe.url}
    asked = [
        ("GET", "/scanners"),
        ("POST", "/scanners"),
        ("POST", "/scanners/ping"),
        ("GET", f"/scanners/{uuid}"),
        ("PUT", f"/scanners/{uuid}"),
        ("PATCH", f"/scanners/{uuid}"),
        ("DELETE", f"/scanners/{uuid}"),
        ("GET", f"/scanners/{uuid}/metadata"),
    ]
    for method, path in asked:
        options: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": body}
        assert world.api(method, path, "owner", **options).status_code == 403, path
        assert world.api(method, path, **options).status_code == 401, path


def test_looking_after_them(world: World, probe: Scanner, other: Scanner) -> None:
    first, second = created(world, probe), created(world, other, "other")
    probe.metadata = METADATA | {"scanner": NAME | {"version": "2.0"}}
    other.rule = lambda method, path: (503, {}, b"")
    settings: Settings = world.front.flask.config["TIDEGATE"]
    lines: list[str] = []
    with world.front.flask.app_context():
        context = JobContext(settings, None, lambda: None, log=lines.append)  # type: ignore[arg-type]
        assert tasks.check_health(context) == {"checked": 2, "unhealthy": 1}
    assert (get(world, first)["version"], get(world, first)["health"]) == ("2.0", "healthy")
    assert (get(world, second)["version"], get(world, second)["health"]) == ("1.0", "unhealthy")
    assert "503" in lines[0]
