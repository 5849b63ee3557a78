"""S7 S8 L6 and their kind: what was stored under a name is not the next owner's, and nothing comes late under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from authsvc.artifacts import journal, settling
from authsvc.artifacts.journal import Write
from authsvc.core.errors import NotFound
from authsvc.core.settings import Settings
from authsvc.distribution.directory import Directory
from authsvc.projects import service as projects
from authsvc.wsgi import Front
from tests.gate.conftest import Site
from tests.support.console import runner
from tests.support.registry import digest_of, plain_registry
from tests.support.s3 import s3
from tests.support.world import World, basic


@pytest.fixture(params=["disk", pytest.param("bucket", marks=pytest.mark.once)])
def stored(
    make_settings: Callable[..., Settings], tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A private project of whoever made it, in front of a registry that stores on disk, or in a bucket; bob is nobody there."""
    with ExitStack() as running:
        storage: dict[str, Any] = {"filesystem": {"rootdirectory": str(tmp_path / "state/registry")}}
        described: dict[str, Path] = {}
        if request.param == "bucket":
            monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
            store = running.enter_context(s3(tmp_path))
            storage = {"s3": store.parameters, "redirect": {"disable": True}}
            described["registry_storage_file"] = store.described(tmp_path)
        registry = running.enter_context(plain_registry(tmp_path, storage=storage))
        settings = make_settings(registry_address=registry.url.removeprefix("http://"), **described)
        world = World(Front(settings))
        world.user("admin", sysadmin=True)
        world.user("bob")
        yield Site(world, registry)
        world.close()


def blob(site: Site, digest: str, repository: str = "") -> int:
    """As the registry sees it, behind the gate."""
    return requests.head(f"{site.registry.url}/v2/{repository or site.repository}/blobs/{digest}", timeout=10).status_code


def remake(site: Site, who: str = "bob") -> int:
    return site.world.api("POST", "/projects", who, json={"project_name": site.project}).status_code


def test_layers_of_a_deleted_repository_are_nobodys(stored: Site) -> None:
    """S8: whoever knows a digest had them from the next owner of the name."""
    assert stored.put("v1", stored.manifest("secret")).status_code == 201
    unused = stored.registry.blob(stored.repository, b"uploaded, and in no manifest", "x")["digest"]
    layer = digest_of(b"layer secret")
    beside = f"{stored.repository}/beside"
    assert stored.put("v1", stored.manifest("secret", beside), repository=beside).status_code == 201
    assert (blob(stored, layer), blob(stored, unused)) == (200, 200)
    assert stored.world.api("DELETE", f"/projects/{stored.project}/repositories/app", "admin").status_code == 200
    assert (blob(stored, layer), blob(stored, unused)) == (404, 404)
    assert blob(stored, layer, beside) == 200, "another repository, though below it by name"
    assert stored.put("v1", stored.manifest("secret")).status_code == 201, "and it can be pushed again"


@pytest.mark.parametrize("by", ["API", "command"])
def test_what_was_uploaded_to_a_deleted_project_is_nobodys(stored: Site, by: str) -> None:
    layer = stored.registry.blob(f"{stored.project}/deep/below", b"a private layer", "x")["digest"]
    if by == "API":
        assert stored.world.api("DELETE", f"/projects/{stored.project}", "admin").status_code == 200
    else:
        run = runner(stored.world)
        assert run("projects", "delete", stored.project).exit_code == 0
    assert blob(stored, layer, f"{stored.project}/deep/below") == 404
    assert remake(stored) == 201
    assert blob(stored, layer, f"{stored.project}/deep/below") == 404


def test_a_project_with_images_that_nobody_has_recorded_stays(stored: Site) -> None:
    """S21: whatever is there and not in the index is somebody's."""
    stored.registry.image(stored.repository, "v1")
    refused = stored.world.api("DELETE", f"/projects/{stored.project}", "admin")
    assert (refused.status_code, "reconcile" in refused.text) == (412, True)
    told = stored.world.api("GET", f"/projects/{stored.project}/_deletable", "admin").get_json()
    assert (told.get("deletable", False), "reconcile" in told["message"]) == (False, True)


def test_what_was_planted_is_not_the_next_owners(stored: Site) -> None:
    """S7: by whatever way it has come below a name that is nobody's, only an administrator takes it over."""
    assert stored.world.api("DELETE", f"/projects/{stored.project}", "admin").status_code == 200
    stored.registry.image(stored.repository, "v1")
    assert remake(stored) == 412
    assert remake(stored, "admin") == 201


def test_layers_that_were_planted_are_gone(stored: Site) -> None:
    assert stored.world.api("DELETE", f"/projects/{stored.project}", "admin").status_code == 200
    layer = stored.registry.blob(stored.repository, b"planted", "x")["digest"]
    assert remake(stored) == 201
    assert blob(stored, layer) == 404


def test_a_project_that_is_being_written_to_stays(stored: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """L6: an image that is on its way would be there without a project."""
    monkeypatch.setattr(settling, "WAIT", 0.1)
    with writing(stored, "v1"):
        refused = stored.world.api("DELETE", f"/projects/{stored.project}", "admin")
        assert (refused.status_code, "somebody else is writing to the same project" in refused.text) == (503, True)
    assert stored.world.api("DELETE", f"/projects/{stored.project}", "admin").status_code == 200
    with pytest.raises(NotFound), writing(stored, "v2"):
        pass


def test_what_ends_in_a_moment_is_waited_for(stored: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a late notification's look at a tag that is gone again."""
    monkeypatch.setattr(settling, "WAIT", 60.0)
    looked, wait_for = writing(stored, "v1"), settling._wait_for
    looked.__enter__()

    def ending(intent_id: int, deadline: float) -> bool:
        looked.__exit__(None, None, None)
        return wait_for(intent_id, deadline)

    monkeypatch.setattr(settling, "_wait_for", ending)
    assert stored.world.api("DELETE", f"/projects/{stored.project}", "admin").status_code == 200


def test_a_repository_that_is_being_written_to_keeps_its_layers(stored: Site) -> None:
    assert stored.put("v1", stored.manifest("first")).status_code == 201
    layer = stored.registry.blob(stored.repository, b"of what is on its way", "x")["digest"]
    with writing(stored, "v2"):
        assert stored.world.api("DELETE", f"/projects/{stored.project}/repositories/app", "admin").status_code == 200
        assert blob(stored, layer) == 200


@contextmanager
def writing(site: Site, tag: str) -> Iterator[None]:
    """Somebody else has been let in to write a tag, and is not done yet."""
    with site.world.changes():
        project = projects.find(site.project, is_name=True)
        write = Write(project.id if project else site.project_id, site.repository, "PUT", tag, "", "somebody")
        intent_id = journal.begin(write).id
    try:
        yield
    finally:
        with site.world.changes():
            journal.end(intent_id)


def test_what_was_taken_away_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Also while others take away: nothing stays in the registry's sight."""
    storage = Directory(tmp_path)
    for name in ("web", "other"):
        (tmp_path / "docker/registry/v2/repositories" / name / "app/_layers/sha256/x").mkdir(parents=True)
    assert storage.take_project("web")
    assert len(list((tmp_path / "removed").iterdir())) == 1
    storage.clear_removed()
    assert list((tmp_path / "removed").iterdir()) == []
    assert storage.take_repository("other/app")
    assert not (tmp_path / "docker/registry/v2/repositories/other/app/_layers").exists()
    assert (tmp_path / "docker/registry/v2/repositories/other/app").exists()


def test_nothing_is_done_to_a_storage_elsewhere() -> None:
    elsewhere = Directory(None)
    assert not elsewhere.has_manifests("web")
    assert elsewhere.take_project("web")
    assert elsewhere.take_repository("web/app")


def test_a_project_by_command_is_gone_whole(stored: Site) -> None:
    """D4: robots, rules and labels as well, and nothing is broken afterwards."""
    world, project = stored.world, stored.project
    entry = {"kind": "project", "namespace": project, "access": [{"resource": "repository", "action": "pull"}]}
    robot = {"name": "ci", "level": "project", "duration": -1, "permissions": [entry]}
    made = world.api("POST", "/robots", "admin", json=robot).get_json()
    rule = {
        "name": "r",
        "issuer": "https://ci.example",
        "audience": "a",
        "claims": {"a": "b"},
        "project": project,
        "actions": ["pull"],
    }
    assert world.api("POST", "/system/trust-rules", "admin", json=rule).status_code == 201
    run = runner(world)
    assert run("projects", "delete", project).exit_code == 0
    assert world.api("GET", "/system/trust-rules", "admin").get_json() == []
    assert world.api("GET", "/users/current", headers=basic(made["name"], made["secret"])).status_code == 401
    assert world.api("GET", f"/robots/{made['id']}", "admin").status_code == 404
