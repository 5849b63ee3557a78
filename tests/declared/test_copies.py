"""Other registries and replications as text: asked before they are made, and their secrets said nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.declared.house import error, write
from tests.support.console import Run, runner
from tests.support.registry import PlainRegistry
from tests.support.world import World

NIGHTLY = {
    "name": "nightly",
    "destination": "far",
    "filters": [{"type": "name", "value": "web/**"}, {"type": "label", "value": ["good"], "decoration": "excludes"}],
    "trigger": "scheduled",
    "cron": "0 0 3 * * *",
    "override": True,
    "speed": 100,
}


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture
def run(world: World) -> Run:
    return runner(world)


def far(registry: PlainRegistry, **changes: Any) -> dict[str, Any]:
    credential = {"type": "basic", "access_key": "puller", "access_secret": {"env": "FAR_SECRET"}}
    return {"name": "far", "type": "docker-registry", "url": registry.url, "credential": credential} | changes


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_SECRET", "said nowhere")


def test_what_is_made_is_exported_and_applied_again(world: World, run: Run, registry: PlainRegistry, tmp_path: Path) -> None:
    document = write(tmp_path, {"registries": [far(registry)], "replications": [NIGHTLY, {"name": "back", "source": "far"}]})
    told = run("diff", document)
    assert (told.exit_code, "+ replication policy nightly" in told.output, "said nowhere" in told.output) == (10, True, False)
    assert run("apply", document).exit_code == 0
    assert run("diff", document).exit_code == 0
    policies = {one["name"]: one for one in world.api("GET", "/replication/policies", "admin").get_json()}
    assert policies["nightly"]["dest_registry"]["name"] == policies["back"]["src_registry"]["name"] == "far"
    assert policies["nightly"]["trigger"] == {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 * * *"}}
    exported = run("export").output
    assert "said nowhere" not in exported
    found = yaml.safe_load(exported)
    assert found["replications"] == [{"name": "back", "source": "far"}, NIGHTLY]
    again = write(tmp_path, exported, "again.yml")
    assert run("diff", again).output == "", "a secret that is not said is the one that is known"
    assert run("apply", again).exit_code == 0
    (kept,) = world.api("GET", "/registries", "admin").get_json()
    assert kept["credential"]["access_secret"] == "*****"


def test_they_are_changed_and_taken_away(world: World, run: Run, registry: PlainRegistry, tmp_path: Path) -> None:
    run("apply", write(tmp_path, {"registries": [far(registry)], "replications": [NIGHTLY]}))
    changed = {"registries": [far(registry, description="d")], "replications": [NIGHTLY | {"enabled": False}]}
    told = run("diff", write(tmp_path, changed)).output
    assert "~ registry far  description: nothing -> d" in told
    assert "~ replication policy nightly  enabled: true -> false" in told
    assert run("apply", write(tmp_path, changed)).exit_code == 0
    (policy,) = world.api("GET", "/replication/policies", "admin").get_json()
    assert "enabled" not in policy
    nothing = write(tmp_path, {"replications": [], "registries": []})
    assert run("diff", nothing).exit_code == 0
    assert run("apply", nothing, "--prune").exit_code == 0, "what is needed goes last"
    for path in ("/replication/policies", "/registries"):
        assert world.api("GET", path, "admin").get_json() == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"replications": [NIGHTLY]}, "replication policy nightly: there is no registry far"),
        ({"replications": [{"name": "x"}]}, "either the source or the destination"),
        ({"replications": [NIGHTLY | {"cron": "x"}]}, "there is no registry far"),
        ({"replications": [NIGHTLY | {"colour": "red"}]}, "replications[0].colour: there is no such field"),
        ({"registries": [{"name": "x", "type": "harbor", "url": "http://127.0.0.1:9"}]}, "registry x: the registry is unhealthy"),
        ({"registries": [{"name": "x", "type": "ftp", "url": "http://127.0.0.1:9"}]}, "registry x: type must be one of"),
    ],
)
def test_what_cannot_be_changes_nothing(world: World, run: Run, tmp_path: Path, document: dict[str, Any], reason: str) -> None:
    assert reason in error(run("apply", write(tmp_path, {"labels": [{"name": "new"}]} | document)))
    for path in ("/labels?scope=g", "/registries", "/replication/policies"):
        assert world.api("GET", path, "admin").get_json() == []


def test_a_proxy_cache_comes_after_its_registry_and_goes_before_it(
    world: World, run: Run, registry: PlainRegistry, tmp_path: Path
) -> None:
    hub = {"name": "hub", "registry": "far", "metadata": {"public": True, "proxy_cache_filter_pattern": "library/**"}}
    document = write(tmp_path, {"registries": [far(registry)], "projects": [hub, {"name": "own"}]})
    assert run("apply", document).exit_code == 0
    assert run("diff", document).exit_code == 0
    project = world.api("GET", "/projects/hub", "admin").get_json()
    assert (project["registry_id"], project["metadata"]["proxy_cache_filter_pattern"]) == (1, "library/**")
    (exported,) = [one for one in yaml.safe_load(run("export").output)["projects"] if one["name"] == "hub"]
    assert exported["registry"] == "far"
    assert exported["retention"]["rules"][0]["template"] == "nDaysSinceLastPull"
    for name, wanted, said in (
        ("own", "far", "project own has images of its own; that is said once, when it is made"),
        ("hub", "other", "project hub caches the registry far; that is said once, when it is made"),
    ):
        refused = run("apply", write(tmp_path, {"projects": [{"name": name, "registry": wanted}]}))
        assert said in error(refused)
    missing = run("apply", write(tmp_path, {"projects": [{"name": "new", "registry": "none"}]}))
    assert "project new: registry none not found" in error(missing)
    assert world.api("HEAD", "/projects?project_name=new", "admin").status_code == 404
    assert run("apply", write(tmp_path, {"projects": [{"name": "hub"}]})).exit_code == 0, "what is not said stays"
