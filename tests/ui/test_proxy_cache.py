"""Pages of a project that caches the images of another registry."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.rbac.roles import Role
from authsvc.registries.models import Registry
from tests.support.visitor import Visitor
from tests.support.world import World


@pytest.fixture
def hub(world: World) -> Visitor:
    """The administrator, where a registry is known, and no other project."""
    with world.changes():
        db.session.add(Registry(name="the <b>hub</b>", url="http://127.0.0.1:9", type="docker-registry"))
    admin = Visitor(world)
    admin.sign_in("admin")
    return admin


def test_an_administrator_makes_one(world: World, hub: Visitor) -> None:
    form = hub.get("/new-project").text
    assert "those of the &lt;b&gt;hub&lt;/b&gt;, fetched when somebody pulls them" in form
    assert hub.post("/new-project", name="hub", public="true", registry="1").headers["Location"] == "/projects/hub"
    shown = hub.get("/projects/hub").text
    assert "holds what is pulled through it from the &lt;b&gt;hub&lt;/b&gt;" in shown
    assert "docker pull" in shown
    assert "docker push" not in shown
    wrong = hub.post("/new-project", name="none", public="true", registry="99")
    assert wrong.status_code == 404
    assert "registry 99 not found" in wrong.text


def test_nobody_else_does(world: World, hub: Visitor) -> None:
    world.user("dora")
    dora = Visitor(world)
    dora.sign_in("dora")
    assert 'name="registry"' not in dora.get("/new-project").text
    refused = dora.post("/new-project", name="hub", public="true", registry="1")
    assert refused.status_code == 403
    assert world.api("HEAD", "/projects?project_name=hub", "admin").status_code == 404


def test_its_administrator_says_what_is_fetched_and_how_fast(world: World, hub: Visitor) -> None:
    hub.post("/new-project", name="hub", public="true", registry="1")
    world.user("dora")
    world.member("hub", "dora", Role.PROJECT_ADMIN)
    dora = Visitor(world)
    dora.sign_in("dora")
    form = dora.get("/projects/hub/settings").text
    assert 'value="**"' in form
    given: dict[str, Any] = {
        "public": "true",
        "proxy_speed_kb": "100",
        "max_upstream_conn": "5",
        "proxy_cache_filter_pattern": "library/**",
    }
    assert dora.post("/projects/hub/settings", **given).status_code == 303
    metadata = world.api("GET", "/projects/hub", "admin").get_json()["metadata"]
    assert given.items() <= metadata.items()
    assert metadata["proxy_cache_local_on_not_found"] == "false"
    assert 'value="library/**"' in dora.get("/projects/hub/settings").text
    wrong = dora.post("/projects/hub/settings", **given | {"proxy_cache_filter_pattern": "{a"})
    assert wrong.status_code == 400
    assert dora.post("/projects/hub/settings", public="true", proxy_cache_local_on_not_found="true").status_code == 303
    metadata = world.api("GET", "/projects/hub", "admin").get_json()["metadata"]
    assert (metadata["proxy_cache_local_on_not_found"], metadata["proxy_cache_filter_pattern"]) == ("true", "**")
