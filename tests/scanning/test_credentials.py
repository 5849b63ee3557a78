"""What a scanner pulls with: good for one repository, a short while, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from authsvc.scanning import credentials
from tests.scanning.conftest import Scanned
from tests.support.world import basic, granted_by

GATE = {"X-Real-IP": "192.0.2.7", "X-Gate-Method": "GET"}


def issued(scanned: Scanned, seconds: int = 60) -> str:
    with scanned.world.changes():
        return credentials.issue(scanned.project_id, scanned.repository, seconds)


def gate(scanned: Scanned, header: dict[str, str], repository: str, method: str = "GET", reference: str = "v1") -> int:
    """What the gate says."""
    told = GATE | header | {"X-Gate-Uri": f"/v2/{repository}/manifests/{reference}", "X-Gate-Method": method}
    answer = scanned.world.client.get("/internal/gate", headers=told)
    return int(answer.headers.get("X-Gate-Status", answer.status_code))


def test_what_a_scan_is_given_opens_its_repository(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scan("v1")
    scanned.work()
    header = {"Authorization": scanned.scanner.requests[0]["registry"]["authorization"]}
    assert gate(scanned, header, scanned.repository) == 204
    assert gate(scanned, header, f"{scanned.project}/other") == 403
    username, _, secret = base64.b64decode(header["Authorization"].removeprefix("Basic ")).decode().partition(":")
    scopes = [f"repository:{scanned.repository}:pull,push,delete", f"repository:{scanned.project}/other:pull"]
    query = {"service": "harbor-registry", "scope": scopes}
    answer = scanned.world.client.get("/service/token", query_string=query, headers=basic(username, secret))
    assert answer.status_code == 200, answer.text
    token = str(answer.get_json()["token"])
    assert granted_by(token) == {scanned.repository: ["pull"], f"{scanned.project}/other": []}
    bearer = {"Authorization": f"Bearer {token}"}
    assert gate(scanned, bearer, scanned.repository) == 204
    assert gate(scanned, bearer, f"{scanned.project}/other") == 403
    assert [gate(scanned, bearer, scanned.repository, method) for method in ("PUT", "DELETE")] == [403, 403]


def test_it_opens_no_other_door(scanned: Scanned) -> None:
    shown = basic("scanner", issued(scanned))
    for path in ("/users/current", f"/projects/{scanned.project}", "/projects"):
        answer = scanned.world.client.get(f"/api/v2.0{path}", headers=shown)
        assert answer.status_code == 403, path
    public = scanned.world.project("open", 1, public=True)
    assert public
    assert gate(scanned, shown, "open/app") == 403


def _other(secret: str) -> str:
    return secret[:-2] + ("A" if secret[-2] != "A" else "B") + secret[-1]


def _larger(secret: str) -> str:
    said, _, signed = secret.removeprefix(credentials.PREFIX).partition(".")
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(said).replace(b"/app", b"/all")).decode()
    return f"{credentials.PREFIX}{changed}.{signed}"


@pytest.mark.parametrize("forge", [_other, _larger, lambda secret: credentials.PREFIX, lambda secret: secret + "é"])
def test_one_that_we_have_not_made_is_worth_nothing(scanned: Scanned, forge: Callable[[str], str]) -> None:
    secret = issued(scanned)
    assert gate(scanned, basic("scanner", secret), scanned.repository) == 204
    assert gate(scanned, basic("scanner", forge(secret)), scanned.repository) == 401
    assert gate(scanned, basic("admin", forge(secret)), scanned.repository) == 401


def test_it_ends(scanned: Scanned) -> None:
    assert gate(scanned, basic("scanner", issued(scanned, -1)), scanned.repository) == 401


def test_it_is_nothing_in_a_project_of_the_same_name_that_came_later(scanned: Scanned) -> None:
    shown = basic("scanner", issued(scanned))
    assert gate(scanned, shown, scanned.repository) == 204
    assert scanned.world.api("DELETE", f"/projects/{scanned.project}", "admin").status_code == 200
    scanned.world.project(scanned.project, 1)
    assert gate(scanned, shown, scanned.repository) == 403


def test_its_pulls_do_not_count(scanned: Scanned) -> None:
    """They are known by the name that the registry reports, which no user can have."""
    assert credentials.NAME == "tidegate:scanner"
