"""Projects that cache: how they are made, that nothing is pushed to them, and what keeps things from being brought."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from authsvc.core.db import db
from authsvc.jobs.models import Task
from authsvc.proxy_cache.service import KIND
from authsvc.rbac.roles import Role
from tests.proxy_cache.conftest import Cached
from tests.support.console import runner
from tests.support.world import basic


def create(cached: Cached, who: str, **body: Any) -> tuple[int, str]:
    answer = cached.world.api("POST", "/projects", who, json={"project_name": "other"} | body)
    return answer.status_code, answer.get_json()["errors"][0]["message"]


def test_only_system_administrators_make_one_of_a_registry_that_there_is(cached: Cached) -> None:
    cached.world.user("somebody")
    assert create(cached, "somebody", registry_id=1) == (403, "Only system admin can create proxy cache project")
    assert create(cached, "admin", registry_id=99) == (404, "registry 99 not found")
    assert create(cached, "admin", registry_id=0)[0] == 400
    assert create(cached, "admin", registry_id=1, metadata={"proxy_cache_filter_pattern": "{a"})[0] == 400
    assert create(cached, "admin", registry_id=1, metadata={"proxy_cache_filter_kind": "regex"})[0] == 400


def test_by_the_command_line(cached: Cached) -> None:
    run = runner(cached.world)
    assert run("projects", "create", "cli", "--registry", "far").exit_code == 0
    assert cached.world.api("GET", "/projects/cli", "admin").get_json()["registry_id"] == 1
    missing = run("projects", "create", "other", "--registry", "none")
    assert missing.exit_code != 0
    assert "registry none not found" in str(missing.exception)
    assert cached.world.api("HEAD", "/projects?project_name=other", "admin").status_code == 404


def test_it_says_where_it_comes_from_and_keeps_what_is_pulled(cached: Cached) -> None:
    project = cached.world.api("GET", f"/projects/{cached.project}", "admin").get_json()
    assert project["registry_id"] == 1
    summary = cached.world.api("GET", f"/projects/{cached.project}/summary", "admin").get_json()
    assert (summary["registry"]["name"], summary["registry"]["status"]) == ("far", "healthy")
    assert "credential" not in summary["registry"]
    policy = cached.world.api("GET", f"/retentions/{project['metadata']['retention_id']}", "admin").get_json()
    assert policy["trigger"]["settings"]["cron"] == "0 0 0 * * *"
    assert [(rule["template"], rule["params"]) for rule in policy["rules"]] == [("nDaysSinceLastPull", {"nDaysSinceLastPull": 7})]
    assert cached.world.api("DELETE", "/registries/1", "admin").status_code == 412, "somebody needs it"
    plain = cached.world.api("POST", "/projects", "admin", json={"project_name": "plain"})
    assert plain.status_code == 201
    assert "registry_id" not in cached.world.api("GET", "/projects/plain", "admin").get_json()


def test_whoever_holds_whatever_role_pushes_nothing(cached: Cached) -> None:
    cached.far.image("app", "v1")
    assert cached.manifest("v1").status_code == 200
    cached.work()
    cached.world.user("maintainer")
    cached.world.member(cached.project, "maintainer", Role.MAINTAINER)
    stored = cached.here.client.manifest(cached.repository, "v1")
    assert stored is not None
    for who in ("maintainer", "admin"):
        for method, path in (
            ("POST", "blobs/uploads/"),
            ("PATCH", "blobs/uploads/x"),
            ("PUT", f"blobs/uploads/x?digest=sha256:{'0' * 64}"),
            ("POST", f"blobs/uploads/?mount=sha256:{'0' * 64}&from={cached.repository}"),
        ):
            assert cached.gate(f"{cached.repository}/{path}", who, method) == "403", (method, path)
        headers = basic(who) | {"Content-Type": stored.media_type}
        put = cached.world.client.put(f"/v2/{cached.repository}/manifests/v2", data=stored.data, headers=headers)
        assert cached.code(put) == (403, "DENIED")
        assert f"can not push artifact to a proxy project: {cached.project}" in put.text
        there = f"/projects/{cached.project}/repositories/app/artifacts"
        tagged = cached.world.api("POST", f"{there}/v1/tags", who, json={"name": "v2"})
        copied = cached.world.api("POST", f"{there}?from={cached.repository}:v1", who)
        assert (tagged.status_code, copied.status_code) == (405, 405), (tagged.text, copied.text)
    assert cached.tags().keys() == {"v1"}
    assert cached.world.api("DELETE", f"{there}/v1/tags/v1", "maintainer").status_code == 200
    assert cached.manifest("v1").status_code == 200, "and it comes back"
    cached.work()
    assert cached.tags().keys() == {"v1"}


def test_what_does_not_fit_is_served_and_not_kept(cached: Cached) -> None:
    digest = cached.far.image("app", "v1")
    quota = cached.world.api("GET", f"/quotas?reference=project&reference_id={_id(cached)}", "admin").get_json()[0]["id"]
    assert cached.world.api("PUT", f"/quotas/{quota}", "admin", json={"hard": {"storage": 10}}).status_code == 200
    for _ in range(2):
        assert cached.manifest("v1").headers["Docker-Content-Digest"] == digest
        cached.work()
    assert cached.tags() == {}
    with cached.world.changes():
        (reason,) = set(db.session.scalars(select(Task.status_message).where(Task.kind == KIND)))
    assert "will exceed the configured upper limit" in reason
    assert cached.gate(f"{cached.repository}/manifests/v1") == "upstream-manifest"


def test_while_nothing_may_change_nothing_is_kept(cached: Cached) -> None:
    cached.far.image("app", "v1")
    assert cached.world.api("PUT", "/configurations", "admin", json={"read_only": True}).status_code == 200
    assert cached.manifest("v1").status_code == 200
    cached.work()
    assert cached.tags() == {}
    assert cached.world.api("PUT", "/configurations", "admin", json={"read_only": False}).status_code == 200
    assert cached.manifest("v1").status_code == 200
    cached.work()
    assert cached.tags().keys() == {"v1"}


@pytest.mark.parametrize("times", range(3))
def test_many_at_once_get_it_and_it_is_fetched_once(cached: Cached, times: int) -> None:
    digest = cached.far.image("crowd", "v1", content=str(times))
    path = f"{cached.project}/crowd/manifests/v1"
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: cached.get(path), range(16)))
    assert {(one.status_code, one.headers.get("Docker-Content-Digest")) for one in answers} == {(200, digest)}
    assert cached.asked("GET", "/crowd/manifests/") == [f"/v2/crowd/manifests/{digest}"]
    cached.work()
    assert cached.gate(path) == "pass"
    assert len(cached.asked("GET", "/crowd/blobs/")) == 2


def test_an_index_comes_with_all_it_names_where_the_storage_is_out_of_reach(cached: Cached) -> None:
    amd, arm = (cached.far.image("many", None, content=one, architecture=one) for one in ("amd64", "arm64"))
    index = cached.far.index("many", "v1", {amd: "amd64", arm: "arm64"})
    path = f"{cached.project}/many/manifests"
    assert cached.get(f"{path}/v1").headers["Docker-Content-Digest"] == index
    cached.work()
    assert [cached.gate(f"{path}/{one}") for one in ("v1", index, amd, arm)] == ["pass"] * 4


def test_a_project_that_is_gone_leaves_nothing_to_do(cached: Cached) -> None:
    cached.far.image("app", "v1")
    assert cached.manifest("v1").status_code == 200
    assert cached.world.api("DELETE", f"/projects/{cached.project}", "admin").status_code == 200
    cached.work()
    assert cached.manifest("v1").status_code == 404


def _id(cached: Cached) -> int:
    return int(cached.world.api("GET", f"/projects/{cached.project}", "admin").get_json()["project_id"])
