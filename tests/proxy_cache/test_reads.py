"""Reads of what is here, what is not, what is no more, and what is not to be had."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db, utcnow
from authsvc.core.places import place
from authsvc.jobs.models import Task
from authsvc.proxy_cache import service
from authsvc.proxy_cache.models import UpstreamTag
from authsvc.proxy_cache.service import KIND
from authsvc.proxy_cache.upstreams import Silence, Upstreams, find
from authsvc.rbac.roles import Role
from authsvc.scanners.rules import Found
from tests.proxy_cache.conftest import Cached
from tests.support.findings import found_in
from tests.support.world import World


def later(world: World) -> None:
    """What was said of tags is believed no longer, and silences are over."""
    with world.changes():
        db.session.execute(update(UpstreamTag).values(until=utcnow() - timedelta(seconds=1)))
    world.own(Upstreams).silences.clear()


def test_what_is_not_here_is_fetched_and_then_is(cached: Cached) -> None:
    digest = cached.far.image("app", "v1")
    path = f"{cached.repository}/manifests"
    assert cached.gate(f"{path}/v1") == cached.gate(f"{path}/{digest}") == "upstream-manifest"
    looked = cached.manifest("v1", method="HEAD")
    assert (looked.status_code, looked.headers["Docker-Content-Digest"]) == (200, digest)
    assert cached.asked("GET", "/manifests/") == [], "registries count a GET"
    got = cached.manifest(digest)
    assert (got.status_code, got.headers["Docker-Content-Digest"], got.data) == (200, digest, cached.manifest(digest).data)
    assert len(looked.data) == 0
    assert looked.headers["Content-Length"] == str(len(got.data))
    assert looked.headers["Content-Type"] == got.headers["Content-Type"]
    for blob in [got.get_json(force=True)["config"], *got.get_json(force=True)["layers"]]:
        assert cached.gate(f"{cached.repository}/blobs/{blob['digest']}") == "upstream-blob"
        read = cached.blob(blob["digest"])
        assert (read.status_code, len(read.data), read.headers["Docker-Content-Digest"]) == (200, blob["size"], blob["digest"])
        assert cached.blob(blob["digest"], "HEAD").headers["Content-Length"] == str(blob["size"])
    cached.work()
    assert cached.tags() == {"v1": digest}, "the tag is known from the HEAD"
    for there in (f"{path}/v1", f"{path}/{digest}", f"{cached.repository}/blobs/{blob['digest']}"):
        assert cached.gate(there) == "pass"
    assert len(cached.asked("GET", "/manifests/")) == 1, "once for clients and worker"
    later(cached.world)
    assert cached.gate(f"{path}/v1") == "upstream-manifest", "it has to be asked for again"
    assert cached.gate(f"{path}/{digest}") == "pass"
    assert cached.manifest("v1").status_code == 200
    assert cached.gate(f"{path}/v1") == "pass"
    with cached.world.changes():
        assert db.session.query(Task).filter(Task.kind == KIND).count() == 1, "what is as it was is not brought again"


def test_a_tag_that_moves_there_moves_here(cached: Cached) -> None:
    first = cached.far.image("app", "latest", content="1")
    assert cached.manifest("latest").status_code == 200
    cached.work()
    second = cached.far.image("app", "latest", content="2")
    assert cached.gate(f"{cached.repository}/manifests/latest") == "pass", "for as long as the answer is believed"
    later(cached.world)
    assert cached.manifest("latest").headers["Docker-Content-Digest"] == second
    assert cached.gate(f"{cached.repository}/manifests/latest") == "upstream-manifest", "it is not here yet"
    cached.work()
    assert cached.tags() == {"latest": second}
    assert cached.gate(f"{cached.repository}/manifests/{first}") == "pass", "who wants that one has it"
    cached.far.image("app", "latest", content="1")
    later(cached.world)
    assert cached.manifest("latest").headers["Docker-Content-Digest"] == first
    cached.work()
    assert cached.tags() == {"latest": first}, "and back"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_registry_that_does_not_answer_is_not_needed_for_what_is_here(cached: Cached, status: int) -> None:
    digest = cached.far.image("app", "v1")
    assert cached.manifest("v1").status_code == 200
    cached.work()
    later(cached.world)
    cached.proxy.rule = lambda *_: (status, {"Retry-After": "7"})
    assert cached.manifest("v1").headers["Docker-Content-Digest"] == digest
    assert cached.gate(f"{cached.repository}/manifests/v1") == "pass", "and nobody waits for it again for a while"
    other = cached.manifest("v2")
    assert cached.code(other) == ((429, "TOOMANYREQUESTS") if status == 429 else (503, "UNAVAILABLE")), other.text
    assert "registry far" in other.text
    assert int(other.headers["Retry-After"]) > 0 or status == 500
    asked = len(cached.proxy.asked)
    cached.manifest("v3")
    assert len(cached.proxy.asked) == asked or status == 500, "it is left in peace"


def test_of_all_who_come_while_nothing_is_heard_one_waits(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has few threads."""
    digest, never = cached.far.image("app", "v1"), threading.Event()
    assert cached.manifest("v1").status_code == 200
    cached.work()
    later(cached.world)
    monkeypatch.setattr(service, "_PATIENCE", 0.5)
    cached.proxy.rule = lambda method, path, _: (503, {}) if "/manifests/" in path and never.wait(60) else None
    try:
        assert cached.manifest("v1").headers["Docker-Content-Digest"] == digest, "slow is as good as down"
        silences = cached.world.own(Upstreams).silences
        assert silences.keys() == {1}
        silences[1] = Silence(until=0.0)
        before = len(cached.proxy.asked)
        with ThreadPoolExecutor(8) as crowd:
            answers = list(crowd.map(lambda number: cached.manifest(f"none-{number}"), range(8)))
        assert {one.status_code for one in answers} == {503}
        assert len(cached.proxy.asked) == before + 1
    finally:
        never.set()
    monkeypatch.undo()
    silences[1] = Silence(until=0.0)
    cached.proxy.rule = lambda *_: None
    assert cached.manifest("v1").status_code == 200
    assert not silences, "and it is well again"


def test_what_is_gone_there_is_gone_unless_the_project_says_otherwise(cached: Cached) -> None:
    digest = cached.far.image("app", "v1")
    stays = cached.make(proxy_cache_local_on_not_found="true")
    for project in (cached.project, stays):
        assert cached.get(f"{project}/app/manifests/v1").status_code == 200
    cached.work()
    cached.far.delete("app", digest)
    later(cached.world)
    assert cached.code(cached.manifest("v1")) == (404, "MANIFEST_UNKNOWN")
    assert cached.get(f"{stays}/app/manifests/v1").status_code == 200
    assert cached.gate(f"{stays}/app/manifests/v1") == "pass"
    assert cached.gate(f"{cached.repository}/manifests/{digest}") == "pass", "by digest it is what it is"
    assert cached.code(cached.manifest("none")) == (404, "MANIFEST_UNKNOWN")
    assert cached.blob("sha256:" + "0" * 64).status_code == 404


@pytest.mark.parametrize("status", [401, 403])
def test_what_it_does_not_give_us_is_not_there(cached: Cached, status: int) -> None:
    """Docker Hub says 401 of what is not there."""
    cached.proxy.rule = lambda method, path, _: (status, {}) if "/manifests/" in path else None
    answer = cached.manifest("v1")
    assert cached.code(answer) == (404, "MANIFEST_UNKNOWN")
    assert str(status) in answer.text


def test_a_pattern_says_what_may_be_had(cached: Cached) -> None:
    cached.far.image("team/app", "v1")
    cached.project = cached.make(proxy_cache_filter_pattern="team/**")
    assert cached.get(f"{cached.project}/team/app/manifests/v1").status_code == 200
    asked = len(cached.proxy.asked)
    refused = cached.get(f"{cached.project}/other/app/manifests/v1")
    assert cached.code(refused) == (404, "MANIFEST_UNKNOWN")
    assert "other/app" in refused.text
    assert cached.world.client.get(f"/internal/upstream/v2/{cached.project}/other/app/blobs/sha256:{'0' * 64}").status_code == 404
    assert len(cached.proxy.asked) == asked, "nobody is asked"


def test_so_many_ask_there_at_once(cached: Cached) -> None:
    cached.far.image("app", "v1")
    cached.project = cached.make(max_upstream_conn="1")
    with cached.world.front.flask.app_context():
        upstream = find(cached.repository)
        assert upstream is not None
    with place(upstream.places, 1, 0):
        refused = cached.manifest("v1")
        assert cached.code(refused) == (429, "TOOMANYREQUESTS"), refused.text
        assert refused.headers["Retry-After"] == "2"
    assert cached.manifest("v1").status_code == 200


def test_a_registry_that_is_elsewhere_now_is_asked_there(cached: Cached) -> None:
    cached.far.image("app", "v1")
    cached.proxy.rule = lambda *_: (503, {})
    assert cached.manifest("v1").status_code == 503
    assert cached.world.api("PUT", "/registries/1", "admin", json={"url": cached.far.url}).status_code == 200
    assert cached.manifest("v1").status_code == 200, "at once, whatever the old one did"


def test_who_may_not_pull_here_gets_nothing_from_there(cached: Cached) -> None:
    digest = cached.far.image("app", "v1")
    cached.world.user("stranger")
    cached.world.user("guest")
    cached.world.member(cached.project, "guest", Role.LIMITED_GUEST)
    layer = cached.far.client.manifest("app", digest)
    assert layer is not None
    for path in (f"manifests/{digest}", "manifests/v1", f"blobs/{digest}"):
        assert cached.gate(f"{cached.repository}/{path}", "stranger") == "403"
    assert cached.manifest("v1", "stranger").status_code == 403
    assert cached.world.client.get(f"/v2/{cached.repository}/manifests/v1").status_code == 401
    assert cached.asked(part="/app/") == []
    assert cached.manifest("v1", "guest").status_code == 200


def test_a_pull_is_noted_and_counted_once_it_is_here(cached: Cached) -> None:
    digest = cached.far.image("app", "v1")
    cached.world.user("reader")
    cached.world.member(cached.project, "reader", Role.GUEST)
    assert cached.manifest("v1", "reader").status_code == 200
    cached.work()

    def logs() -> list[dict[str, Any]]:
        found = cached.world.api("GET", f"/projects/{cached.project}/logs?page_size=100", "admin").get_json()
        return [entry for entry in found if entry["operation"] in ("pull", "create") and entry["resource_type"] == "artifact"]

    noted = {(entry["username"], entry["operation"], entry["resource"]) for entry in logs()}
    assert noted == {("reader", "pull", f"{cached.repository}:v1"), ("tidegate:proxy-cache", "create", f"{cached.repository}:v1")}
    there = cached.world.api("GET", f"/projects/{cached.project}/repositories/app/artifacts/{digest}", "admin").get_json()
    assert there["pull_time"] > "2026"
    repository = cached.world.api("GET", f"/projects/{cached.project}/repositories/app", "admin").get_json()
    assert repository["pull_count"] == 1


def test_what_may_not_be_pulled_may_not_be_by_another_tag(cached: Cached) -> None:
    """The tag is not known here, and what it stands for there is, and is refused."""
    cached.project = cached.make(prevent_vul="true", severity="high")
    cached.world.user("guest")
    cached.world.member(cached.project, "guest", Role.GUEST)
    digest = cached.far.image("app", "v1", content="bad")
    assert cached.manifest("v1", "guest").status_code == 200, "nobody could have looked at it"
    cached.work()
    found_in(cached.world.front.flask, digest, Found("CVE-2026-1", "zlib", "1.0", severity="Critical"))
    assert cached.gate(f"{cached.repository}/manifests/v1", "guest") == "412"
    cached.far.image("app", "v2", content="bad")
    assert cached.gate(f"{cached.repository}/manifests/v2", "guest") == "upstream-manifest"
    for method in ("GET", "HEAD"):
        assert cached.manifest("v2", "guest", method).status_code == 412
    good = cached.far.image("app", "v2", content="good")
    later(cached.world)
    assert cached.manifest("v2", "guest").headers["Docker-Content-Digest"] == good
