"""Copies and tags made by the API: what the registry and the index have afterwards, and who may not."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from tests.support.shelf import LAYER_TYPE, Shelf

SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"


def copy(shelf: Shelf, source: str, target: str, who: str = "admin", project: str = "") -> Any:
    path = f"/projects/{project or shelf.project}/repositories/{target.replace('/', '%252F')}/artifacts?from={source}"
    return shelf.world.api("POST", path, who)


def manifest_of(shelf: Shelf, repository: str, reference: str) -> tuple[int, bytes]:
    url = f"{shelf.registry.url}/v2/{shelf.project}/{repository}/manifests/{reference}"
    answer = requests.get(url, headers={"Accept": f"{OCI_MANIFEST}, application/vnd.oci.image.index.v1+json"}, timeout=10)
    return answer.status_code, answer.content


def tags(shelf: Shelf, repository: str) -> dict[str, str]:
    return {tag["name"]: row["digest"] for row in shelf.get(repository, "?q=base=*&page_size=100") for tag in row.get("tags", [])}


def test_a_copy_has_all_tags_and_pulls(shelf: Shelf) -> None:
    digest = shelf.image("app", "v1")
    shelf.world.api("POST", shelf.path("app", "/v1/tags"), "admin", json={"name": "stable"})
    made = copy(shelf, f"{shelf.project}/app:v1", "deep/copy")
    assert (made.status_code, made.data) == (201, b""), made.text
    assert made.headers["Location"].endswith(f"/artifacts/{digest}")
    assert tags(shelf, "deep/copy") == {"v1": digest, "stable": digest}
    for reference in ("v1", "stable", digest):
        assert manifest_of(shelf, "deep/copy", reference)[0] == 200
    layer = json.loads(manifest_of(shelf, "deep/copy", "v1")[1])["layers"][0]["digest"]
    assert requests.head(f"{shelf.registry.url}/v2/{shelf.project}/deep/copy/blobs/{layer}", timeout=10).status_code == 200
    again = copy(shelf, f"{shelf.project}/app@{digest}", "deep/copy")
    assert again.status_code == 201
    assert tags(shelf, "deep/copy") == {"v1": digest, "stable": digest}
    logs = shelf.world.api("GET", f"/projects/{shelf.project}/logs?q=operation=create,resource=~copy", "admin").get_json()
    assert {(entry["username"], entry["resource"].rpartition("/")[2]) for entry in logs} == {
        ("admin", "copy:v1"), ("admin", "copy:stable"),
    }  # fmt: skip


def test_a_tag_that_points_elsewhere_is_moved_and_others_stay(shelf: Shelf) -> None:
    new, old = shelf.image("app", "v1", "new"), shelf.image("copy", "v1", "old")
    shelf.image("copy", "v0", "other")
    assert copy(shelf, f"{shelf.project}/app:v1", "copy").status_code == 201
    found = tags(shelf, "copy")
    assert (found["v1"], set(found)) == (new, {"v0", "v1"})
    assert shelf.get("copy", f"/{old}")["digest"] == old


def test_an_index_goes_with_its_children_without_their_tags(shelf: Shelf) -> None:
    index, children = shelf.index("app", "multi", "amd64", "arm64")
    assert shelf.world.api("POST", shelf.path("app", f"/{children[0]}/tags"), "admin", json={"name": "amd"}).status_code == 201
    assert copy(shelf, f"{shelf.project}/app:multi", "copy").status_code == 201
    assert tags(shelf, "copy") == {"multi": index}
    shown = shelf.get("copy", "/multi")
    assert [row["child_digest"] for row in shown["references"]] == children
    assert all("child_id" in row for row in shown["references"])
    assert [manifest_of(shelf, "copy", child)[0] for child in children] == [200, 200]
    assert shown["size"] == shelf.get("app", "/multi")["size"]


def test_what_is_attached_goes_along(shelf: Shelf) -> None:
    digest = shelf.image("app", "v1")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(manifest_of(shelf, "app", "v1")[1])}
    signed = shelf.manifest("app", f"{digest.replace(':', '-')}.sig", (b"{}", SIGNATURE), (b"s", LAYER_TYPE), subject=subject)
    assert copy(shelf, f"{shelf.project}/app:v1", "copy").status_code == 201
    (shown,) = shelf.get("copy", "?with_accessory=true")
    assert [(entry["digest"], entry["type"]) for entry in shown["accessories"]] == [(signed, "signature.cosign")]
    assert manifest_of(shelf, "copy", f"{digest.replace(':', '-')}.sig")[0] == 200


def test_who_may_copy(shelf: Shelf) -> None:
    world = shelf.world
    shelf.image("app", "v1")
    world.project("other", 1)
    for name, here, there in (
        ("both", Role.LIMITED_GUEST, Role.DEVELOPER),
        ("reader", Role.GUEST, Role.GUEST),
        ("writer", None, Role.PROJECT_ADMIN),
    ):
        world.user(name)
        world.member("other", name, there)
        if here:
            world.member(shelf.project, name, here)
    source = f"{shelf.project}/app:v1"
    assert copy(shelf, source, "app", "writer", "other").status_code == 403
    assert copy(shelf, "missing/app:v1", "app", "writer", "other").status_code == 403
    assert copy(shelf, source, "app", "reader", "other").status_code == 403
    assert copy(shelf, source, "app", "both", "other").status_code == 201
    assert world.api("POST", f"/projects/other/repositories/x/artifacts?from={source}").status_code == 401


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("{p}/app:v2", 404),
        ("{p}/nothing:v1", 404),
        ("missing/app:v1", 404),
        ("{p}/app@sha256:" + "0" * 64, 404),
        ("{p}/app@sha256:0", 400),
        ("{p}/app", 400),
        ("app:v1", 400),
        ("{p}/app:", 400),
        ("{p}/APP:v1", 400),
        ("", 422),
    ],
)
def test_sources_that_are_not_there(shelf: Shelf, source: str, status: int) -> None:
    shelf.image("app", "v1")
    assert copy(shelf, source.replace("{p}", shelf.project), "copy").status_code == status
    assert copy(shelf, f"{shelf.project}/app:v1", "NO").status_code == 400


def immutable(shelf: Shelf) -> None:
    selectors = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "copy"}]},
    }
    rule = {"action": "immutable", "template": "immutable_template", **selectors}
    assert shelf.world.api("POST", f"/projects/{shelf.project}/immutabletagrules", "admin", json=rule).status_code == 201


def test_immutable_tags_are_neither_moved_nor_deleted_by_the_api(shelf: Shelf) -> None:
    shelf.image("app", "v1", "new")
    index, _ = shelf.index("app", "v2", "amd64")
    old = shelf.image("copy", "v1", "old")
    immutable(shelf)
    refused = copy(shelf, f"{shelf.project}/app:v1", "copy")
    assert refused.status_code == 412
    assert refused.get_json()["errors"][0]["message"].startswith("the tag v1 configured as immutable, cannot be updated")
    assert copy(shelf, f"{shelf.project}/app:v2", "copy").status_code == 201  # a tag that is new
    assert copy(shelf, f"{shelf.project}/app:v2", "copy").status_code == 201  # nothing is moved
    assert tags(shelf, "copy") == {"v1": old, "v2": index}
    kept = shelf.world.api("DELETE", shelf.path("copy", "/v1/tags/v1"), "admin")
    assert kept.status_code == 412
    assert "configured as immutable, cannot be deleted" in kept.get_json()["errors"][0]["message"]
    assert manifest_of(shelf, "copy", "v1")[0] == 200


def test_a_copy_that_does_not_fit_leaves_nothing(shelf: Shelf) -> None:
    shelf.index("app", "multi", "amd64", "arm64")
    shelf.world.project("small", 1)
    assert shelf.world.api("PUT", "/quotas/2", "admin", json={"hard": {"storage": 900}}).status_code == 200
    refused = copy(shelf, f"{shelf.project}/app:multi", "app", project="small")
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (403, "DENIED")
    assert shelf.world.api("GET", "/projects/small/artifacts?q=base=*", "admin").get_json() == []


def test_tags_from_beginning_to_end(shelf: Shelf) -> None:
    digest, other = shelf.image("app", "v1", "1"), shelf.image("app", "v2", "2")

    def create(name: Any) -> int:
        return shelf.world.api("POST", shelf.path("app", f"/{digest}/tags"), "admin", json={"name": name}).status_code

    assert [create(name) for name in ("new", "new", "v2", "not a tag", "", "x" * 129, 7)] == [201, 409, 409, 400, 400, 400, 422]
    assert tags(shelf, "app") == {"v1": digest, "v2": other, "new": digest}
    assert manifest_of(shelf, "app", "new")[0] == 200

    def delete(reference: str, name: str) -> int:
        return shelf.world.api("DELETE", shelf.path("app", f"/{reference}/tags/{name}"), "admin").status_code

    assert [delete(digest, name) for name in ("v2", "nothing", "v1", "v1")] == [404, 404, 200, 404]
    assert [manifest_of(shelf, "app", reference)[0] for reference in ("v1", "new", digest)] == [404, 200, 200]
    assert delete("new", "new") == 200
    assert shelf.get("app", f"/{digest}").get("tags", []) == []  # untagged, and still there
    assert [row["name"] for row in shelf.get("app", f"/{other}/tags")] == ["v2"]


def test_of_many_who_create_one_tag_one_does(shelf: Shelf) -> None:
    digests = [shelf.image("app", f"v{number}", str(number)) for number in range(4)]
    answers: list[int] = []

    def create(digest: str) -> None:
        answers.append(shelf.world.api("POST", shelf.path("app", f"/{digest}/tags"), "admin", json={"name": "new"}).status_code)

    threads = [threading.Thread(target=create, args=(digest,)) for digest in digests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 409, 409, 409]
    indexed = tags(shelf, "app")["new"]
    assert shelf.registry.client.digest_of(f"{shelf.project}/app", "new") == indexed


def test_read_only_is_read_only(shelf: Shelf) -> None:
    shelf.image("app", "v1")
    assert shelf.world.api("PUT", "/configurations", "admin", json={"read_only": True}).status_code == 200
    assert copy(shelf, f"{shelf.project}/app:v1", "copy").status_code == 403
    assert shelf.world.api("POST", shelf.path("app", "/v1/tags"), "admin", json={"name": "x"}).status_code == 403
    assert tags(shelf, "app").keys() == {"v1"}
