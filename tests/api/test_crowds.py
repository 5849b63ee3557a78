"""Two at once never answer 5xx: each operation of the API many times at the same time, and whatever else changes the same thing."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

import pytest

from tests.api.objects import Place
from tests.api.operations import IMMUTABLE, OPERATIONS, WEBHOOK, Operation
from tests.support.registry import PlainRegistry
from tests.support.rounds import rounds
from tests.support.world import World

EACH = rounds(4, 16)
ROBOT = {
    "name": "same",
    "level": "system",
    "duration": -1,
    "permissions": [{"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}],
}
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")
# Operations by the thing that they change: a path, and what is below it that is no thing of its own.
CHANGES = {
    path: list(operations)
    for path, operations in groupby(
        sorted((one for one in OPERATIONS if one.method in _CHANGES and one.path != "/configurations"), key=lambda one: one.path),
        key=lambda one: one.path,
    )
}


@pytest.fixture
def crowded(empty: World) -> World:
    for name in ("admin", "owner", "newcomer"):
        empty.user(name, sysadmin=name == "admin")
    return empty


def call(place: Place, operation: Operation) -> tuple[str, str, str, Any]:
    query = f"?{place.fill(operation.query)}" if operation.query else ""
    return operation.method, place.fill(operation.path) + query, "admin", place.body(operation.body)


def test_many_who_change_the_same_thing(crowded: World, registry: PlainRegistry) -> None:
    wrong = []
    for number, (path, operations) in enumerate(CHANGES.items()):
        place = Place(crowded, registry, f"p{number}")
        crowded.project(place.project, 2)
        asked = [call(place, operation) for operation in operations for _ in range(EACH)]
        wrong += [(path, answer.status_code, answer.text) for answer in crowded.crowd(*asked) if answer.status_code >= 500]
    assert not wrong, "\n".join(map(str, wrong))


USER = {"username": "same", "password": "long enough", "email": "same@example.com"}
MADE_ONCE = [
    ("/projects", {"project_name": "same"}),
    ("/users", USER),
    ("/robots", ROBOT),
    ("/projects/web/members", {"role_id": 3, "member_user": {"username": "newcomer"}}),
    ("/projects/web/metadatas/", {"auto_scan": "true"}),
    ("/labels", {"name": "same", "scope": "g"}),
    ("/usergroups", {"group_type": 3, "group_name": "same"}),
    ("/projects/web/immutabletagrules", IMMUTABLE),
    ("/projects/web/webhook/policies", WEBHOOK),
]


@pytest.mark.parametrize(("path", "body"), MADE_ONCE, ids=[path for path, _ in MADE_ONCE])
def test_of_many_who_make_the_same_one_does(crowded: World, path: str, body: Any) -> None:
    crowded.project("web", 2)
    for _ in range(rounds(1, 5)):
        answers = crowded.crowd(*[("POST", path, "admin", body)] * 16)
        refused = [answer for answer in answers if answer.status_code == 409]
        made = [answer for answer in answers if answer.status_code in (200, 201)]
        assert (len(made), len(refused)) == (1, 15), [(answer.status_code, answer.text) for answer in answers]
        location = made[0].headers.get("Location", f"/api/v2.0{path}auto_scan")
        assert crowded.api("DELETE", location.removeprefix("/api/v2.0"), "admin").status_code == 200


def test_settings_of_a_project_that_many_change_are_all_kept(crowded: World) -> None:
    crowded.project("web", 2)
    keys = ("auto_scan", "prevent_vul", "auto_sbom_generation", "enable_content_trust", "enable_content_trust_cosign")
    asked = [("PUT", f"/projects/web/metadatas/{key}", "admin", {key: "true"}) for key in keys]
    assert {answer.status_code for answer in crowded.crowd(*asked)} == {200}
    assert crowded.api("GET", "/projects/web/metadatas/", "admin").get_json() == {"public": "false"} | dict.fromkeys(keys, "true")


def test_a_robot_has_never_more_secrets_than_it_may(crowded: World) -> None:
    made = crowded.api("POST", "/robots", "admin", json=ROBOT).get_json()
    path = f"/robots/{made['id']}/secrets"
    answers = crowded.crowd(*[("POST", path, "admin", None)] * 12)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 412: 11}
    assert len(crowded.api("GET", path, "admin").get_json()) == 2
