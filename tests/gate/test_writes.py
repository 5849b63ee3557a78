"""Writes of manifests through the gate: what is answered, stored and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from authsvc.artifacts import journal
from authsvc.artifacts.models import Hold, Intent
from authsvc.core.db import db
from authsvc.core.errors import Unavailable
from authsvc.distribution.manifest import OCI_INDEX
from tests.gate.conftest import Site
from tests.support.registry import digest_of
from tests.support.world import basic


def left_over(site: Site) -> int:
    with site.world.front.flask.app_context():
        return db.session.query(Intent).count() + db.session.query(Hold).count()


def test_a_push_is_answered_stored_and_recorded_at_once(site: Site) -> None:
    data = site.manifest()
    answer = site.put("v1", data)
    assert answer.status_code == 201, answer.text
    digest = digest_of(data)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert answer.headers["Location"] == f"/v2/{site.repository}/manifests/{digest}"
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert site.registry.client.digest_of(site.repository, "v1") == digest
    assert site.artifacts() == {"v1": digest}
    entry = site.world.api("GET", f"/projects/{site.project}/repositories/app/artifacts/v1", "admin").get_json()
    assert entry["extra_attrs"]["architecture"] == "arm64"
    (noted,) = site.audit("create")
    assert (noted["username"], noted["resource"]) == ("developer", f"{site.repository}:v1")
    assert left_over(site) == 0


def test_an_index_by_digest_and_with_a_subject(site: Site) -> None:
    one, two = site.manifest("1"), site.manifest("2")
    for child in (one, two):
        assert site.put(digest_of(child), child).status_code == 201
    index = site.index(one, two)
    assert site.put("multi", index, media_type=OCI_INDEX).status_code == 201
    assert site.artifacts() == {"multi": digest_of(index)}
    subject = {"mediaType": OCI_INDEX, "digest": digest_of(index), "size": len(index)}
    answer = site.put("about", site.manifest("3", subject=subject))
    assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, digest_of(index))
    assert left_over(site) == 0


def test_what_the_registry_refuses_is_answered_in_its_words_and_not_recorded(site: Site) -> None:
    data = json.dumps(
        json.loads(site.manifest()) | {"layers": [{"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": 1}]}
    ).encode()
    answer = site.put("v1", data)
    assert answer.status_code in (400, 404)
    assert answer.get_json()["errors"][0]["code"] in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    unstorable = json.dumps(json.loads(site.manifest()) | {"artifactType": "\ud800"}).encode()
    for invalid in (b"{}", unstorable):
        answer = site.put("v1", invalid)
        assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")
    assert left_over(site) == 0
    assert site.audit("create") == []


def interrupted(act: Callable[..., Any], *, done: bool) -> Callable[..., Any]:
    """Fails the first time, before or after it was done."""
    times = count(1)

    def fails(*arguments: Any) -> Any:
        if next(times) > 1:
            return act(*arguments)
        if done:
            act(*arguments)
        raise Unavailable("interrupted")

    return fails


@pytest.mark.parametrize("what", ["the registry's answer", "our record"])
def test_a_write_that_was_done_is_a_success_whatever_was_lost_on_the_way(
    site: Site, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    client = site.world.front.flask.extensions["gate"].writer.client
    data = site.manifest()
    acts: list[tuple[Callable[[], Any], int]] = [
        (lambda: site.put("v1", data), 201),
        (lambda: site.delete(digest_of(data)), 202),
    ]
    for act, status in acts:
        with monkeypatch.context() as patch:
            if what == "our record":  # a database that is locked for too long, say
                patch.setattr(journal, "finish", interrupted(journal.finish, done=False))
            for name in ("put_manifest", "delete") if what == "the registry's answer" else ():
                patch.setattr(client, name, interrupted(getattr(client, name), done=True))
            assert act().status_code == status
        assert site.artifacts() == ({"v1": digest_of(data)} if status == 201 else {})
        assert left_over(site) == 0
    assert (len(site.audit("create")), len(site.audit("delete"))) == (1, 1)


def test_a_write_that_was_not_done_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = site.world.front.flask.extensions["gate"].writer.client
    with monkeypatch.context() as patch:
        patch.setattr(client, "put_manifest", interrupted(client.put_manifest, done=False))
        assert site.put("v1", site.manifest()).status_code == 503
    assert site.registry.client.digest_of(site.repository, "v1") is None
    assert (site.audit("create"), left_over(site)) == ([], 0)


def test_who_may_write(site: Site) -> None:
    data = site.manifest()
    for who, status in (("guest", 403), ("stranger", 403), ("limitedGuest", 403), ("developer", 201), ("admin", 201)):
        answer = site.put("v1", data, basic(who))
        assert answer.status_code == status, (who, answer.text)
    nobody = site.put("v1", data, {})
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"] == (
        f'Bearer realm="https://localhost:8443/service/token",service="harbor-registry",scope="repository:{site.repository}:pull,push"'
    )
    pull_only = site.put("v1", data, site.bearer(f"repository:{site.repository}:pull"))
    assert pull_only.status_code == 401
    assert pull_only.headers["WWW-Authenticate"].endswith(',error="insufficient_scope"')
    assert site.put("v1", data, site.bearer(f"repository:{site.repository}:pull,push")).status_code == 201
    assert site.put("v1", data, basic("developer", "wrong")).status_code == 401
    guest = site.put("v1", data, basic("guest")).get_json()["errors"][0]
    assert guest["code"] == "DENIED"
    assert "guest is guest in" in guest["message"]
    assert "developer or more" in guest["message"]


def test_a_stranger_learns_nothing(site: Site) -> None:
    data = site.manifest()
    known = site.put("v1", data, basic("stranger"))
    unknown = site.put("v1", data, basic("stranger"), repository="no-such/app")
    same = [answer.get_json()["errors"][0]["message"].rpartition("decision")[0] for answer in (known, unknown)]
    assert same[0].replace(site.project, "no-such") == same[1]
    assert (known.status_code, known.get_json()["errors"][0]["code"]) == (unknown.status_code, "DENIED")
    assert site.put("v1", data, basic("admin"), repository="no-such/app").get_json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_deleting_by_tag_and_by_digest(site: Site) -> None:
    data = site.manifest()
    for tag in ("a", "b", "c"):
        assert site.put(tag, data).status_code == 201
    assert site.delete("a", basic("developer")).status_code == 403
    assert site.delete("a").status_code == 202
    assert site.artifacts() == {"b": digest_of(data), "c": digest_of(data)}
    assert site.registry.client.digest_of(site.repository, "a") is None
    assert site.delete("a").status_code == 404
    assert site.delete(digest_of(data)).status_code == 202
    assert site.artifacts() == {}
    assert site.registry.client.digest_of(site.repository, "b") is None
    assert site.delete(digest_of(data)).status_code == 404
    assert [entry["username"] for entry in site.audit("delete")] == ["maintainer", "maintainer"]
    assert left_over(site) == 0


def test_read_only_mode(site: Site) -> None:
    data = site.manifest()
    assert site.put("v1", data).status_code == 201
    assert site.world.api("PUT", "/configurations", "admin", json={"read_only": True}).status_code == 200
    for answer in (site.put("v1", data), site.delete("v1")):
        error = answer.get_json()["errors"][0]
        assert (answer.status_code, error["code"]) == (403, "DENIED")
        assert error["message"].startswith("The system is in read only mode. Any modification is prohibited. (read-only mode; ")
    assert site.artifacts() == {"v1": digest_of(data)}
    assert left_over(site) == 0
    refused = site.world.api("POST", "/projects", "admin", json={"project_name": "new"})
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (403, "DENIED")
    assert site.world.api("PUT", "/configurations", "admin", json={"read_only": False}).status_code == 200
    assert site.world.api("POST", "/projects", "admin", json={"project_name": "new"}).status_code == 201


def test_bodies_that_are_too_large(site: Site) -> None:
    assert site.put("v1", b" " * (4 * 1024 * 1024 + 1)).status_code == 413
    large = site.manifest("large", annotations={"a": "x" * 2_000_000})
    assert site.put("v1", large).status_code == 201


def test_a_digest_that_is_none(site: Site) -> None:
    for answer in (site.put("sha256:short", site.manifest()), site.delete("md5:" + "0" * 32)):
        assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


def test_what_an_index_needs_stays_and_what_is_attached_goes(site: Site) -> None:
    child = site.manifest("child")
    site.put(digest_of(child), child)
    index = site.index(child)
    site.put("multi", index, media_type=OCI_INDEX)
    subject = {"mediaType": OCI_INDEX, "digest": digest_of(index), "size": len(index)}
    signature = site.manifest("signature", subject=subject)
    site.put("signature", signature)
    refused = site.delete(digest_of(child))
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert site.delete(digest_of(index)).status_code == 202
    for data in (child, index, signature):
        assert site.registry.client.digest_of(site.repository, digest_of(data)) is None
    assert site.artifacts() == {}
    assert left_over(site) == 0


def test_an_immutable_tag_on_what_is_attached_holds_its_subject(site: Site) -> None:
    image = site.manifest("image")
    site.put("v1", image)
    subject = {"mediaType": "x", "digest": digest_of(image), "size": len(image)}
    site.put("kept", site.manifest("kept", subject=subject))
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "kept"}
    scope = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
    rule = {"action": "immutable", "template": "immutable_template", "tag_selectors": [selector], "scope_selectors": scope}
    assert site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=rule).status_code == 201
    refused = site.delete(digest_of(image))
    assert refused.status_code == 412
    assert "the tag kept configured as immutable" in refused.text
    path = f"/projects/{site.project}/repositories/app/artifacts/{digest_of(image)}"
    assert site.world.api("DELETE", path, "admin").status_code == 412
    assert site.registry.client.digest_of(site.repository, "v1") == digest_of(image)
    assert left_over(site) == 0
