"""Images on their way to another registry and back: equal by digest at the end, and nothing done twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from authsvc.projects import service as projects
from authsvc.quota import service as quota
from tests.replication.conftest import Pair
from tests.support.between import between
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry, digest_of

TAG_V = {"type": "tag", "value": "v*"}


def named(pair: Pair, *more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "name", "value": f"{pair.project}/**"}, *more]


def attached(registry: PlainRegistry, repository: str, subject: str, media_type: str = OCI_MANIFEST) -> str:
    """Push something that has a subject; by digest."""
    config = registry.blob(repository, b"{}", "application/vnd.oci.empty.v1+json")
    about = {"mediaType": media_type, "digest": subject, "size": 1}
    signature = registry.blob(repository, f"signature of {subject}".encode(), "application/vnd.example.signature")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.signature",
        "config": config,
        "layers": [signature],
        "subject": about,
    }
    return registry.put(repository, None, manifest)


def test_a_project_goes_to_another_registry_and_comes_back(pair: Pair) -> None:
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    v2 = pair.push(pair.here, f"{pair.repository}/deep", "v2", "two")
    said = pair.run(pair.policy(dest_namespace=f"{pair.project}/of", dest_namespace_replace_count=1))
    assert (said["status"], said["total"], said["succeed"], said["trigger"]) == ("Succeed", 2, 2, "manual"), said
    assert said["status_text"].startswith("2 of 2 artifacts equal by digest at ")
    assert pair.far_tags(f"{pair.project}/of/app") == {"v1": v1}
    assert pair.far_tags(f"{pair.project}/of/app/deep") == {"v2": v2}
    (first, _) = sorted(pair.tasks(said["id"]), key=lambda task: task["src_resource"])
    assert first["src_resource"] == f"{pair.repository} [1 item(s) in total]"
    assert first["dst_resource"] == f"{pair.project}/of/app [1 item(s) in total]"
    assert (first["operation"], first["resource_type"], first["status"]) == ("copy", "image", "Succeed")
    assert "carried sha256:" in pair.log(said["id"])
    there = [{"type": "name", "value": f"{pair.project}/of/**"}]
    back = pair.policy(pull=True, filters=there, dest_namespace=f"{pair.project}-back", dest_namespace_replace_count=2)
    said = pair.run(back)
    assert said["status"] == "Succeed", (said, pair.log(said["id"]))
    assert pair.artifacts(f"{pair.project}-back/app") == {"v1": v1}
    assert pair.artifacts(f"{pair.project}-back/app/deep") == {"v2": v2}
    assert pair.world.api("GET", f"/projects/{pair.project}-back", "admin").get_json()["metadata"]["public"] == "false"
    again = pair.run(back)
    assert (again["status"], again["total"]) == ("Succeed", 0)
    assert again["status_text"].startswith("2 of 2 artifacts equal by digest at ")


@pytest.mark.parametrize("pull", [False, True])
def test_a_run_with_nothing_to_do_reads_no_manifest(pair: Pair, pull: bool) -> None:
    for tag in ("v1", "v2", "v3"):
        pair.push(pair.here, pair.repository, tag, tag)
    assert pair.run(pair.policy())["total"] == 1
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        proxy.asked.clear()
        said = pair.run(pair.policy(pull=pull))
        assert said["status_text"].startswith("3 of 3 artifacts equal"), said
        assert [
            path for method, path, _ in proxy.asked if method != "HEAD" and ("/manifests/" in path or "/blobs/" in path)
        ] == []


def test_an_index_takes_its_children_along_and_what_is_attached(pair: Pair) -> None:
    children = {pair.here.image(pair.repository, None, content=name, architecture=name): name for name in ("amd64", "arm64")}
    for child in children:
        pair.put(pair.repository, child, child)
    index = pair.put(pair.repository, "multi", pair.here.index(pair.repository, None, children))
    signature = pair.put(pair.repository, *[attached(pair.here, pair.repository, index, OCI_INDEX)] * 2)
    about = pair.put(pair.repository, *[attached(pair.here, pair.repository, signature)] * 2)
    said = pair.run(pair.policy(filters=named(pair, {"type": "tag", "value": "multi"})))
    assert said["status"] == "Succeed", pair.log(said["id"])
    assert said["status_text"].startswith("3 of 3 artifacts equal")
    for digest in (index, signature, about, *children):
        assert pair.far.client.digest_of(pair.repository, digest) == digest
    fallback = index.replace(":", "-")
    listed = pair.far.client.manifest(pair.repository, fallback)
    assert listed is not None, "a registry without referrers API is told of them by a tag"
    assert [one["digest"] for one in json.loads(listed.data)["manifests"]] == [signature]
    pulled = pair.run(pair.policy(pull=True, filters=named(pair), dest_namespace=f"{pair.project}-back"))
    assert pulled["status"] == "Succeed", pair.log(pulled["id"])
    back = pair.world.api("GET", f"/projects/{pair.project}-back/repositories/app/artifacts/multi/accessories", "admin")
    assert [one["digest"] for one in back.get_json()] == [signature]


def test_a_signature_that_only_a_tag_attaches_comes_along(pair: Pair) -> None:
    v1 = pair.push(pair.far, pair.repository, "v1")
    config = pair.far.blob(pair.repository, json.dumps({"author": "signer"}).encode(), CONFIG_TYPE)
    layer = pair.far.blob(pair.repository, b"payload", "application/vnd.dev.cosign.simplesigning.v1+json")
    tag = f"{v1.replace(':', '-')}.sig"
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    signature = pair.far.put(pair.repository, tag, manifest)
    said = pair.run(pair.policy(pull=True, filters=named(pair, TAG_V)))
    assert said["status"] == "Succeed", pair.log(said["id"])
    (row,) = pair.world.api("GET", f"/projects/{pair.project}/repositories/app/artifacts/v1/accessories", "admin").get_json()
    assert (row["digest"], row["type"]) == (signature, "signature.cosign")


def test_what_filters_leave_out_stays(pair: Pair) -> None:
    digests = {tag: pair.push(pair.here, pair.repository, tag, tag) for tag in ("v1", "v2", "test")}
    digest = pair.here.image(pair.repository, None, content="untagged")
    pair.put(pair.repository, digest, digest)
    label = pair.world.api("POST", "/labels", "admin", json={"name": "good", "scope": "g"}).headers["Location"]
    path = f"/projects/{pair.project}/repositories/app/artifacts/v2/labels"
    assert pair.world.api("POST", path, "admin", json={"id": int(label.rpartition("/")[2])}).status_code == 200
    good = {"type": "label", "value": ["good"]}
    for filters, expected in (
        ([TAG_V, good], {"v2"}),
        ([TAG_V, good | {"decoration": "excludes"}], {"v1", "v2"}),
        ([{"type": "tag", "value": "v*", "decoration": "excludes"}], {"v1", "v2", "test"}),
    ):
        said = pair.run(pair.policy(filters=named(pair, *filters)))
        assert said["status"] == "Succeed", pair.log(said["id"])
        assert pair.far_tags(pair.repository) == {tag: digests[tag] for tag in expected}
    assert pair.far.client.digest_of(pair.repository, digest) is None, "without a tag it is chosen by no tag"
    assert pair.run(pair.policy())["status"] == "Succeed"
    assert pair.far.client.digest_of(pair.repository, digest) == digest


def test_a_tag_is_moved_only_where_that_is_wanted(pair: Pair) -> None:
    old = pair.push(pair.far, pair.repository, "v1", "old")
    new = pair.push(pair.here, pair.repository, "v1", "new")
    said = pair.run(pair.policy(override=False))
    assert (said["status"], said["total"]) == ("Succeed", 0)
    assert "0 of 1 artifacts equal" in said["status_text"]
    assert f"except: {pair.repository}:v1 is something else there" in said["status_text"]
    assert pair.far_tags(pair.repository) == {"v1": old}
    assert "1 of 1 artifacts equal" in pair.run(pair.policy(override=True))["status_text"]
    assert pair.far_tags(pair.repository) == {"v1": new}


def test_what_one_repository_has_is_mounted_from_there(pair: Pair) -> None:
    layer = f"of both {pair.project}".encode()
    for name in ("one", "two"):
        repository = f"{pair.project}/{name}"
        config = pair.far.blob(repository, json.dumps({"author": name, "at": pair.project}).encode(), CONFIG_TYPE)
        shared = pair.far.blob(repository, layer, LAYER_TYPE)
        pair.far.put(repository, "v1", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [shared]})
    said = pair.run(pair.policy(pull=True, dest_namespace=f"{pair.project}-back"))
    assert said["status"] == "Succeed", pair.log(said["id"])
    assert pair.log(said["id"]).count(f"mounted {digest_of(layer)} from {pair.project}-back/") == 1


def test_a_layer_of_another_project_is_given_to_nobody_who_names_its_digest(pair: Pair) -> None:
    """A registry may name what it does not have; here it is that of somebody else."""
    pair.world.project(f"{pair.project}-other", 1)
    pair.push(pair.here, f"{pair.project}-other/app", "v1", "private")
    pair.push(pair.far, pair.repository, "v1", "private")
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        proxy.rule = lambda method, path, number: (404, {}) if method == "GET" and "/blobs/" in path else None
        said = pair.run(pair.policy(pull=True))
    assert (said["status"], pair.artifacts(pair.repository)) == ("Failed", {})
    assert "has no blob sha256:" in said["status_text"]


@pytest.mark.parametrize("rule", ["quota", "immutable"])
def test_one_that_is_not_taken_holds_up_no_other(pair: Pair, rule: str) -> None:
    """And the reason is the one that a client would be told."""
    pair.push(pair.here, pair.repository, "v1", "old")
    if rule == "quota":
        with pair.world.changes():
            quota.set_limit("test", projects.get_by_name(pair.project), 2000)
        pair.far.image(pair.repository, "v1", content="large " * 1000)
        why = "will exceed the configured upper limit"
    else:
        selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v1"}
        scope = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
        body = {"action": "immutable", "template": "immutable_template", "tag_selectors": [selector], "scope_selectors": scope}
        made = pair.world.api("POST", f"/projects/{pair.project}/immutabletagrules", "admin", json=body)
        assert made.status_code == 201, made.text
        pair.push(pair.far, pair.repository, "v1", "new")
        why = "configured as immutable"
    v2 = pair.push(pair.far, pair.repository, "v2", "two")
    said = pair.run(pair.policy(pull=True))
    assert said["status"] == "Failed", pair.log(said["id"])
    assert f"{pair.repository} v1: " in said["status_text"]
    assert pair.artifacts(pair.repository)["v2"] == v2
    assert why in said["status_text"]
    with pair.world.front.flask.app_context():
        assert db.session.execute(db.text("SELECT COUNT(*) FROM intents")).scalar() == 0
