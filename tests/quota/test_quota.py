"""Storage quotas by Harbor's API, and the words for them."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.jobs.context import JobContext
from authsvc.projects.models import StorageUsage
from authsvc.quota import tasks
from authsvc.quota.rules import readable, refusal
from authsvc.rbac.roles import Role
from tests.support.world import World


def test_harbors_words() -> None:
    assert refusal(2 * 1024**2, int(9.1 * 1024**2), 10 * 1024**2) == (
        "adding 2.0 MiB of storage resource, which when updated to current usage of 9.1 MiB "
        "will exceed the configured upper limit of 10.0 MiB."
    )
    assert [readable(size) for size in (0, 1023, 1024, 1536, 1024**3, 2**60)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 KiB",
        "1.0 GiB",
        "1.0 EiB",
    ]


@pytest.mark.parametrize(("adding", "used", "limit", "fits"), [(1, 9, 10, True), (2, 9, 10, False), (9**9, 9**9, -1, True), (0, 10, 10, True), (0, 11, 10, False)])  # fmt: skip
def test_what_fits(adding: int, used: int, limit: int, fits: bool) -> None:
    assert (refusal(adding, used, limit) is None) is fits


def create(world: World, name: str, who: str = "admin", **changes: Any) -> dict[str, Any]:
    response = world.api("POST", "/projects", who, json={"project_name": name, **changes})
    assert response.status_code == 201, response.text
    project_id = response.headers["Location"].rpartition("/")[2]
    return dict(world.api("GET", f"/quotas/{project_id}", "admin").get_json())


def test_a_new_project_has_what_is_configured_or_asked_for(world: World) -> None:
    assert create(world, "a")["hard"] == {"storage": -1}
    assert world.api("PUT", "/configurations", "admin", json={"storage_per_project": 1000}).status_code == 200
    quota = create(world, "b")
    assert quota["ref"] == {"id": quota["id"], "name": "b", "owner_name": "admin"}
    assert (quota["hard"], quota["used"]) == ({"storage": 1000}, {"storage": 0})
    assert create(world, "c", storage_limit=0)["hard"] == {"storage": 1000}
    assert create(world, "d", storage_limit=-1)["hard"] == {"storage": -1}
    assert create(world, "e", storage_limit=77)["hard"] == {"storage": 77}
    assert world.api("POST", "/projects", "admin", json={"project_name": "f", "storage_limit": -2}).status_code == 400
    world.user("alice")
    assert create(world, "g", "alice", storage_limit=-1)["hard"] == {"storage": 1000}, "who is no administrator gets the default"


def test_only_system_administrators_change_a_limit(world: World) -> None:
    world.project("web", 1)
    world.user("alice")
    world.member("web", "alice", Role.PROJECT_ADMIN)
    assert (
        world.api("PUT", "/projects/web", "alice", json={"storage_limit": 5, "metadata": {"auto_scan": "true"}}).status_code
        == 200
    )
    assert world.api("PUT", "/quotas/1", "alice", json={"hard": {"storage": 5}}).status_code == 403
    assert world.api("GET", "/quotas/1", "admin").get_json()["hard"] == {"storage": -1}
    assert world.api("PUT", "/projects/web", "admin", json={"storage_limit": 5}).status_code == 200
    assert world.api("GET", "/quotas/1", "admin").get_json()["hard"] == {"storage": 5}
    assert world.api("PUT", "/quotas/1", "admin", json={"hard": {"storage": 2**40}}).status_code == 200
    (change, *_) = world.api("GET", "/auditlog-exts?q=resource_type=quota&sort=-op_time", "admin").get_json()
    assert change["operation_description"] == "5 B -> 1.0 TiB"


@pytest.mark.parametrize(("body", "status"), [({"hard": {"storage": 0}}, 400), ({"hard": {"storage": -2}}, 400), ({"hard": {"storage": 2**63}}, 422), ({"hard": {}}, 422), ({}, 422), ({"hard": {"storage": "x"}}, 422)])  # fmt: skip
def test_what_is_no_limit(world: World, body: dict[str, Any], status: int) -> None:
    world.project("web", 1)
    assert world.api("PUT", "/quotas/1", "admin", json=body).status_code == status
    assert world.api("PUT", "/quotas/99", "admin", json={"hard": {"storage": 1}}).status_code == 404


def use(world: World, project_id: int, size: int) -> None:
    with world.changes():
        db.session.get_one(StorageUsage, project_id).bytes = size


def test_the_list(world: World) -> None:
    for number, (name, limit, used) in enumerate((("a", 30, 3), ("b", 10, 5), ("c", 20, 0)), 1):
        create(world, name, storage_limit=limit)
        if used:
            use(world, number, used)

    def names(query: str) -> list[str]:
        return [quota["ref"]["name"] for quota in world.api("GET", f"/quotas?{query}", "admin").get_json()]

    assert names("sort=hard.storage") == ["b", "c", "a"]
    assert names("sort=-used.storage") == ["b", "a", "c"]
    assert names("") == ["c", "b", "a"]
    assert names("reference=project&reference_id=2") == ["b"]
    assert names("reference=system") == []
    page = world.api("GET", "/quotas?page_size=2", "admin")
    assert page.headers["X-Total-Count"] == "3"
    assert world.api("GET", "/quotas?reference_id=x", "admin").status_code == 422


def test_the_summary_of_a_project(world: World) -> None:
    world.project("web", 1)
    use(world, 1, 7)
    assert world.api("GET", "/projects/web/summary", "admin").get_json()["quota"] == {
        "hard": {"storage": -1},
        "used": {"storage": 7},
    }
    world.api("PUT", "/projects/web", "admin", json={"public": True})
    assert "quota" not in world.api("GET", "/projects/web/summary").get_json()
    world.api("PUT", "/configurations", "admin", json={"quota_per_project_enable": False})
    assert "quota" not in world.api("GET", "/projects/web/summary", "admin").get_json()


def test_the_job_mends_and_reports(world: World) -> None:
    """Nothing is pushed in these projects, so whatever is counted is drift."""
    for name in ("a", "b", "c"):
        world.project(name, 1)
    use(world, 1, 7)
    use(world, 2, -3)
    said: list[str] = []
    with world.front.flask.app_context():
        context = JobContext(
            world.front.flask.config["TIDEGATE"], world.front.flask.extensions["registry"], lambda: None, log=said.append
        )
        assert tasks.recompute(context) == {"projects": 3, "mended": 2}
        assert tasks.recompute(context) == {"projects": 3, "mended": 0}
    assert said[:3] == ["a: the usage was 7 bytes too large", "b: the usage was 3 bytes too small", "3 projects, 2 mended"]
