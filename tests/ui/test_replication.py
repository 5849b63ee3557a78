"""The pages of other registries, and of what is copied to them and from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT
from authsvc.replication import service
from authsvc.wsgi import Front
from tests.support.registry import PlainRegistry
from tests.support.visitor import Visitor, see
from tests.support.world import World

REGISTRIES, REPLICATION = "/admin/registries", "/admin/replication"


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture
def boss(world: World) -> Visitor:
    made = Visitor(world)
    made.sign_in("admin")
    return made


def add(boss: Visitor, registry: PlainRegistry, **changes: str) -> Any:
    form = {"name": "far", "type": "docker-registry", "url": registry.url, "access_key": "puller", "access_secret": "a secret"}
    return boss.post(REGISTRIES, form | changes)


def known(world: World) -> list[dict[str, Any]]:
    return list(world.api("GET", "/registries", "admin").get_json())


def policies(world: World) -> list[dict[str, Any]]:
    return list(world.api("GET", "/replication/policies", "admin").get_json())


def test_a_registry_is_asked_added_changed_and_deleted(world: World, boss: Visitor, registry: PlainRegistry) -> None:
    assert "No other registry is known yet." in boss.page(REGISTRIES).text
    assert add(boss, registry).headers["Location"] == REGISTRIES
    (far,) = known(world)
    assert far["credential"] == {"type": "basic", "access_key": "puller", "access_secret": "*****"}
    there = f"{REGISTRIES}/{far['id']}"
    shown = boss.get(there).text
    assert "a secret" not in shown
    assert "Empty: it stays" in shown
    form = {"name": "near", "url": registry.url, "access_key": "other", "access_secret": "", "action": "save"}
    assert boss.post(there, form).status_code == 303
    (near,) = known(world)
    assert (near["name"], near["credential"]["access_key"], near["credential"]["access_secret"]) == ("near", "other", "*****")
    refused = boss.post(there, form | {"url": "http://127.0.0.1:9"})
    assert (refused.status_code, "the registry is unhealthy" in see(refused).text) == (400, True)
    assert boss.post(there, {"action": "explode"}).status_code == 400
    assert boss.post(there, {"action": "delete"}).status_code == 303
    assert known(world) == []


@pytest.mark.parametrize("changes", [{"name": ""}, {"type": "ftp"}, {"url": "http://127.0.0.1:9"}, {"ca_certificate": "x"}])
def test_what_is_no_registry_is_refused_and_not_forgotten(
    world: World, boss: Visitor, registry: PlainRegistry, changes: dict[str, str]
) -> None:
    refused = add(boss, registry, **changes)
    assert (refused.status_code, "alert-danger" in refused.text) == (400, True)
    assert 'value="puller"' in refused.text
    assert "a secret" not in refused.text
    assert known(world) == []


def test_a_replication_is_added_run_switched_off_and_deleted(world: World, boss: Visitor, registry: PlainRegistry) -> None:
    assert "name one first" in boss.page(REPLICATION).text
    add(boss, registry)
    (far,) = known(world)
    form = {
        "name": "nightly",
        "direction": "pull",
        "registry": f"{far['id']}",
        "names": "library/**",
        "tags": "v*",
        "namespace": "mirror",
        "levels": "1",
        "trigger": "scheduled",
        "cron": "0 0 3 * * *",
        "speed": "100",
        "override": "true",
    }
    assert boss.post(REPLICATION, form).headers["Location"] == REPLICATION
    (policy,) = policies(world)
    assert (policy["src_registry"]["id"], policy["dest_namespace"], policy["dest_namespace_replace_count"]) == (
        far["id"],
        "mirror",
        1,
    )
    assert policy["trigger"] == {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 * * *"}}
    assert policy["filters"] == [{"type": "name", "value": "library/**"}, {"type": "tag", "value": "v*"}]
    assert (policy["speed"], policy["override"], policy["single_active_replication"]) == (100, True, True)
    assert "library/**" in boss.page(REPLICATION).text
    there = f"{REPLICATION}/{policy['id']}"
    assert "It has not run yet." in boss.page(there).text
    assert boss.post(there, {"action": "run"}).headers["Location"] == there
    assert boss.post(there, {"action": "run"}).status_code == 303
    assert service.SKIPPED in boss.page(there).text
    assert boss.post(there, {"action": "delete"}).status_code == 412, "it runs"
    assert boss.post(there, {"action": "disable"}).status_code == 303
    assert not policies(world)[0].get("enabled")
    assert boss.post(there, {"action": "run"}).status_code == 412
    assert boss.post(there, {"action": "enable"}).status_code == 303
    for run in world.api("GET", "/replication/executions", "admin").get_json():
        assert world.api("PUT", f"/replication/executions/{run['id']}", "admin").status_code == 200
    assert boss.post(there, {"action": "delete"}).headers["Location"] == REPLICATION
    assert policies(world) == []
    assert boss.get(there).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"registry": "99"},
        {"registry": "x"},
        {"levels": "-2"},
        {"trigger": "now"},
        {"trigger": "scheduled"},
        {"tags": "[a"},
    ],
)
def test_what_is_no_replication_is_refused_and_not_forgotten(
    world: World, boss: Visitor, registry: PlainRegistry, changes: dict[str, str]
) -> None:
    add(boss, registry)
    form = {"name": "copies", "registry": f"{known(world)[0]['id']}", "namespace": "kept", "trigger": "manual"}
    refused = boss.post(REPLICATION, form | changes)
    assert (refused.status_code, 'value="kept"' in refused.text) == (400, True)
    assert policies(world) == []


def test_how_a_run_went_is_said(world: World, boss: Visitor, registry: PlainRegistry) -> None:
    add(boss, registry)
    boss.post(REPLICATION, {"name": "copies", "registry": f"{known(world)[0]['id']}", "trigger": "event_based"})
    (policy,) = policies(world)
    with world.changes():
        said = {"artifacts": 3, "equal": 2, "excepted": ["a/b:v1 is something else there"]}
        jobs.conclude(jobs.begin(service.KIND, EVENT, policy["id"], said))
    seen = boss.page(f"{REPLICATION}/{policy['id']}").text
    assert "2 of 3 artifacts equal by digest at" in seen
    assert "except: a/b:v1 is something else there" in seen


def test_they_are_for_system_administrators(world: World, boss: Visitor, registry: PlainRegistry) -> None:
    add(boss, registry)
    (far,) = known(world)
    boss.post(REPLICATION, {"name": "copies", "registry": f"{far['id']}", "trigger": "manual"})
    (policy,) = policies(world)
    world.user("alice")
    visitor = Visitor(world)
    visitor.sign_in("alice")
    for path in (REGISTRIES, f"{REGISTRIES}/{far['id']}", REPLICATION, f"{REPLICATION}/{policy['id']}"):
        assert visitor.get(path).status_code == 403
        assert visitor.post(path, {"name": "mine", "action": "delete", "url": registry.url}).status_code == 403
    assert (len(known(world)), len(policies(world))) == (1, 1)
