"""Lists of what is here and what is there, and who is told of a pull."""

from __future__ import annotations

import json

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.proxy_cache.conftest import Cached
from tests.support.hook import hook
from tests.support.registry import CONFIG_TYPE


def tags(cached: Cached, query: str = "", repository: str = "lists") -> list[str]:
    answer = cached.get(f"{cached.project}/{repository}/tags/list{query}")
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.get_json()["tags"]
    return found


def test_tags_of_both_are_listed_in_pages(cached: Cached) -> None:
    for tag in ("b", "d"):
        cached.far.image("lists", tag)
    assert tags(cached) == ["b", "d"], "nothing is here yet"
    assert cached.get(f"{cached.project}/lists/manifests/b").status_code == 200
    cached.work()
    cached.far.image("lists", "a", content="new")
    assert tags(cached) == ["a", "b", "d"]
    assert tags(cached, "?n=2") == ["a", "b"]
    following = cached.get(f"{cached.project}/lists/tags/list?n=2").headers["Link"]
    assert "last=b&n=2" in following
    assert tags(cached, "?n=2&last=b") == ["d"]
    cached.proxy.rule = lambda *_: (503, {})
    assert tags(cached) == ["b"], "what is here is listed whatever they say there"
    assert cached.code(cached.get(f"{cached.project}/none/tags/list")) == (404, "NAME_UNKNOWN")


def test_what_is_attached_there_is_listed_if_the_project_wants_it(cached: Cached) -> None:
    subject = cached.far.image("signed", "v1")
    config = cached.far.blob("signed", b"{}", CONFIG_TYPE)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x.signature",
        "config": config,
        "layers": [config],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1},
    }
    data = json.dumps(manifest).encode()
    digest = cached.far.put("signed", None, manifest)
    listed = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(data), "artifactType": "application/x.signature"}
    wrong = [{"digest": "x"}, {"digest": digest, "size": "1"}, "no object", {"mediaType": 1}]

    wants = cached.make(proxy_referrer_api="true")
    body = json.dumps({"schemaVersion": 2, "manifests": [*wrong, listed]}).encode()
    # Registry 2.8 has no referrers API.
    cached.proxy.body = lambda path: body if "/referrers/" in path else None
    for project, expected in ((cached.project, []), (wants, [digest])):
        answer = cached.get(f"{project}/signed/referrers/{subject}")
        assert answer.status_code == 200
        assert [one["digest"] for one in json.loads(answer.data)["manifests"]] == expected
    filtered = cached.get(f"{wants}/signed/referrers/{subject}?artifactType=other")
    assert json.loads(filtered.data)["manifests"] == []
    assert cached.get(f"{wants}/signed/manifests/{digest}").data == data, "and is to be had"


def test_webhooks_are_told_of_a_pull(cached: Cached) -> None:
    cached.far.image("told", "v1")
    with hook() as heard:
        policy = {
            "name": "pulls",
            "enabled": True,
            "event_types": ["PULL_ARTIFACT", "PUSH_ARTIFACT"],
            "targets": [{"type": "http", "address": heard.url}],
        }
        made = cached.world.api("POST", f"/projects/{cached.project}/webhook/policies", "admin", json=policy)
        assert made.status_code == 201, made.text
        assert cached.get(f"{cached.project}/told/manifests/v1").status_code == 200
        cached.work()
        kinds = [one.json["type"] for one in heard.told]
    assert kinds == ["PULL_ARTIFACT", "PUSH_ARTIFACT"]
