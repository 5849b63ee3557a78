"""Immutable tags: the rules, their API, what they protect in lists and deletions, and what the gate is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.artifacts import intake
from authsvc.core.db import db, utcnow
from authsvc.core.patterns import Selector
from authsvc.core.settings import Settings
from authsvc.gate.checks import ManifestWrite, Refusal
from authsvc.immutability import check as gate
from authsvc.immutability.rules import Rule, protected
from authsvc.projects import service as projects
from authsvc.rbac.principal import ANONYMOUS
from authsvc.rbac.roles import Role
from authsvc.wsgi import Front
from tests.support.registry import PlainRegistry
from tests.support.world import World

RULES = "/projects/web/immutabletagrules"


def body(tags: str = "v*", repositories: str = "**", **changes: Any) -> dict[str, Any]:
    return {
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tags}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repositories}]},
    } | changes


def excluding(tags: str, repositories: str) -> dict[str, Any]:
    return body() | {
        "tag_selectors": [{"kind": "doublestar", "decoration": "excludes", "pattern": tags}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoExcludes", "pattern": repositories}]},
    }


@pytest.fixture
def web(world: World) -> World:
    world.project("web", 1)
    return world


def create(world: World, **changes: Any) -> int:
    response = world.api("POST", RULES, "admin", json=body(**changes))
    assert response.status_code == 201, response.text
    return int(response.headers["Location"].rpartition("/")[2])


def test_what_a_rule_protects() -> None:
    rules = [
        Rule(1, Selector("app/*"), Selector("v[0-9]*")),
        Rule(2, Selector("tmp", excludes=True), Selector("dev", excludes=True)),
    ]
    assert protected(rules, "web/app/api", ["v1"]) == ("v1", rules[0])
    assert protected(rules, "web/other", ["dev", "x"]) == ("x", rules[1])
    assert protected(rules, "web/tmp", ["v1", "x"]) is None, "the project's name is no part of it"
    assert protected([], "web/app/api", ["v1"]) is None


def test_the_life_of_a_rule(web: World) -> None:
    rule_id = create(web, tags="v*", repositories="app-**")
    listed = web.api("GET", RULES, "admin")
    assert listed.headers["X-Total-Count"] == "1"
    assert listed.get_json() == [body("v*", "app-**") | {"id": rule_id}]
    changed = excluding("dev", "tmp") | {"id": rule_id, "disabled": True, "priority": 3}
    assert web.api("PUT", f"{RULES}/{rule_id}", "admin", json=changed).status_code == 200
    assert web.api("GET", RULES, "admin").get_json() == [changed]
    assert web.api("PUT", f"{RULES}/{rule_id}", "admin", json=changed | {"id": rule_id + 1}).status_code == 400
    assert web.api("PUT", f"{RULES}/{rule_id}", "admin", json=body()).status_code == 400
    assert web.api("DELETE", f"{RULES}/{rule_id}", "admin").status_code == 200
    assert web.api("GET", RULES, "admin").get_json() == []
    for method in ("PUT", "DELETE"):
        assert web.api(method, f"{RULES}/{rule_id}", "admin", json=body(id=rule_id)).status_code == 404


def test_the_same_rule_twice_is_a_conflict(web: World) -> None:
    create(web, tags="a")
    second = create(web, tags="b")
    assert web.api("POST", RULES, "admin", json=body("a", priority=5)).status_code == 409
    assert web.api("PUT", f"{RULES}/{second}", "admin", json=body("a", id=second)).status_code == 409
    assert web.api("PUT", f"{RULES}/{second}", "admin", json=body("b", id=second, disabled=True)).status_code == 200
    web.project("other", 1)
    assert web.api("POST", "/projects/other/immutabletagrules", "admin", json=body("a")).status_code == 201


SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"tag_selectors": []}, 400),
        ({"tag_selectors": [SELECTOR, SELECTOR]}, 400),
        ({"tag_selectors": [SELECTOR | {"kind": "label"}]}, 400),
        ({"tag_selectors": [SELECTOR | {"decoration": "repoMatches"}]}, 400),
        ({"tag_selectors": [SELECTOR | {"pattern": "v["}]}, 400),
        ({"tag_selectors": [SELECTOR | {"pattern": "x" * 2000}]}, 422),
        ({"tag_selectors": "v*"}, 422),
        ({"scope_selectors": {"repository": [SELECTOR]}}, 400),
        ({"scope_selectors": {}}, 422),
        ({"action": "retain"}, 422),
    ],
)
def test_what_is_no_rule(web: World, changes: dict[str, Any], status: int) -> None:
    response = web.api("POST", RULES, "admin", json=body() | changes)
    assert response.status_code == status, response.text


def test_a_rule_of_another_project_stays_in_force(web: World) -> None:
    """T016: neither by its id nor by an id in the body."""
    web.project("mine", 1)
    web.user("eve")
    web.member("mine", "eve", Role.PROJECT_ADMIN)
    rule_id = create(web, tags="v*")
    for method in ("PUT", "DELETE"):
        path = f"/projects/mine/immutabletagrules/{rule_id}"
        assert web.api(method, path, "eve", json=body("nothing", id=rule_id)).status_code == 404
    assert web.api("GET", RULES, "admin").get_json()[0]["tag_selectors"][0]["pattern"] == "v*"


@pytest.fixture
def pushed(make_settings: Callable[..., Settings], registry: PlainRegistry) -> Iterator[World]:
    """`web/app` with two artifacts: v1 and latest on one, dev on the other."""
    world = World(Front(make_settings(registry_address=registry.url.removeprefix("http://"))))
    world.user("admin", sysadmin=True)
    world.project("web", 1)
    for tag, content in (("v1", "one"), ("latest", "one"), ("dev", "two")):
        registry.image("web/app", tag, content=content)
        with world.front.flask.app_context():
            fetched = intake.fetch(registry.client, "web/app", tag)
        assert fetched is not None
        with world.changes():
            intake.store("web/app", fetched, tag, utcnow())
    yield world
    world.close()


ARTIFACTS = "/projects/web/repositories/app/artifacts"


def test_lists_say_what_is_immutable(pushed: World) -> None:
    create(pushed, tags="v*")

    def seen(path: str) -> dict[str, bool]:
        answer = pushed.api("GET", path, "admin").get_json()
        tags = [tag for artifact in answer for tag in artifact.get("tags", [artifact])]
        return {tag["name"]: tag["immutable"] for tag in tags}

    expected = {"v1": True, "latest": False, "dev": False}
    assert seen(f"{ARTIFACTS}?with_immutable_status=true") == expected
    assert seen(ARTIFACTS) == dict.fromkeys(expected, False), "as Harbor: only who asks is told"
    assert seen(f"{ARTIFACTS}/v1/tags?with_immutable_status=true") == {"v1": True, "latest": False}
    (rule,) = pushed.api("GET", RULES, "admin").get_json()
    assert pushed.api("PUT", f"{RULES}/{rule['id']}", "admin", json=rule | {"disabled": True}).status_code == 200
    assert not any(seen(f"{ARTIFACTS}?with_immutable_status=true").values())


def test_what_holds_an_immutable_tag_is_not_deleted(pushed: World) -> None:
    create(pushed, tags="v*")
    digest = pushed.api("GET", f"{ARTIFACTS}/v1", "admin").get_json()["digest"]
    for path in (f"{ARTIFACTS}/v1", f"{ARTIFACTS}/latest", f"{ARTIFACTS}/{digest}", "/projects/web/repositories/app"):
        response = pushed.api("DELETE", path, "admin")
        assert response.status_code == 412, path
        (error,) = response.get_json()["errors"]
        assert error["code"] == "PRECONDITION"
        assert error["message"].startswith("the tag v1 configured as immutable, cannot be deleted")
    assert pushed.api("DELETE", f"{ARTIFACTS}/dev", "admin").status_code == 200
    assert pushed.api("GET", f"{ARTIFACTS}/v1", "admin").status_code == 200


def question(world: World, displaces: tuple[str, ...], method: Any = "PUT") -> Refusal | None:
    with world.front.flask.app_context():
        try:
            return gate.check(
                ManifestWrite(
                    principal=ANONYMOUS,
                    project=projects.get_by_name("web").ref,
                    repository="web/app",
                    reference=displaces[0] if displaces else "new",
                    method=method,
                    manifest=None,
                    displaces=displaces,
                    in_flight=0,
                    configured=lambda name: False,
                )
            )
        finally:
            db.session.rollback()


def test_what_the_gate_is_told(web: World) -> None:
    rule_id = create(web, tags="v*", repositories="app")
    refusal = question(web, ("latest", "v1"))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (412, "PRECONDITION")
    assert refusal.message == "Failed to process request due to 'app:v1' configured as immutable."
    assert refusal.rule == f"immutable tag rule {rule_id}"
    deletion = question(web, ("v1",), "DELETE")
    assert deletion is not None
    assert deletion.message == "the tag v1 configured as immutable, cannot be deleted"
    assert question(web, ()) is None, "the first push of a tag"
    assert question(web, ("latest",)) is None
    web.api("DELETE", f"{RULES}/{rule_id}", "admin")
    assert question(web, ("v1",)) is None


def test_who_cannot_look_cannot_allow(web: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T042: an error refuses, also where the gate does not expect it."""

    def broken(*_: object) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(db.session, "scalars", broken)
    with pytest.raises(RuntimeError):
        question(web, ("v1",))
