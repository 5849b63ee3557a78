"""Blobs at the gate: what an artifact needs is not deleted, and who may upload may give up an upload."""

from __future__ import annotations

import json

import pytest

from authsvc.artifacts import journal
from authsvc.artifacts.journal import Write
from authsvc.projects import service as projects
from tests.gate.conftest import Site
from tests.gate.test_decisions import decision_in, look
from tests.gate.test_reads import Answer, ask
from tests.support.registry import digest_of
from tests.support.world import basic, claims_of, granted_by

UPLOAD = "5c1e0f3e-6d1a-4f0e-9a53-2f1c3f2f0a11?_state=signed"


def delete(site: Site, digest: str, who: str | None = "maintainer", repository: str = "") -> Answer:
    headers = basic(who) if who else {}
    return ask(site.world, "DELETE", f"/v2/{repository or site.repository}/blobs/{digest}", headers)


def blobs_of(data: bytes) -> list[str]:
    document = json.loads(data)
    return [document["config"]["digest"], *(layer["digest"] for layer in document["layers"])]


def test_what_an_artifact_needs_stays_until_it_goes(site: Site) -> None:
    one, two = site.manifest("one"), site.manifest("two")
    assert site.put("v1", one).status_code == 201
    for digest in blobs_of(one):
        refused = delete(site, digest)
        assert (refused.status, refused.code) == (412, "PRECONDITION")
        assert f"{digest} belongs to the artifact {site.repository}@{digest_of(one)}; delete that one first" in refused.message
        assert "blobs in use" in refused.message
        assert delete(site, digest, "admin").status == 412
        assert delete(site, digest, repository=f"{site.project}/other").status == 0, "there nothing needs it"
    for digest in blobs_of(two):
        assert delete(site, digest).status == 0, "pushed, and needed by nothing"
    assert site.delete("v1").status_code == 202
    assert delete(site, blobs_of(one)[1]).status == 412, "the artifact is there still, without a tag"
    assert site.delete(digest_of(one)).status_code == 202
    for digest in blobs_of(one):
        assert delete(site, digest).status == 0


def test_a_blob_that_two_artifacts_share_stays_as_long_as_one_of_them(site: Site) -> None:
    one = site.manifest("one")
    two = json.dumps(json.loads(one) | {"annotations": {"number": "2"}}).encode()
    assert site.put("one", one).status_code == site.put("two", two).status_code == 201
    layer = blobs_of(one)[1]
    assert site.delete(digest_of(one)).status_code == 202
    assert f"@{digest_of(two)}" in delete(site, layer).message
    assert site.delete(digest_of(two)).status_code == 202
    assert delete(site, layer).status == 0


def test_while_a_manifest_is_pushed_no_blob_of_its_repository_goes(site: Site) -> None:
    data = site.manifest()
    with site.world.changes():
        project = projects.get_by_name(site.project)
        intent_id = journal.begin(Write(project.id, site.repository, "PUT", "v1", digest_of(data), "developer")).id
    refused = delete(site, blobs_of(data)[0])
    assert (refused.status, refused.code) == (503, "UNAVAILABLE")
    assert delete(site, blobs_of(data)[0], repository=f"{site.project}/other").status == 0
    with site.world.changes():
        journal.end(intent_id)
    assert delete(site, blobs_of(data)[0]).status == 0


def test_who_may_delete_a_blob(site: Site) -> None:
    digest = blobs_of(site.manifest())[0]
    for who, status in (
        ("developer", 403),
        ("guest", 403),
        ("stranger", 403),
        ("maintainer", 0),
        ("projectAdmin", 0),
        (None, 401),
    ):
        assert delete(site, digest, who).status == status, who
    assert granted_by(delete(site, digest).authorization.removeprefix("Bearer ")) == {site.repository: ["delete"]}
    assert site.world.granted(f"repository:{site.repository}:pull,push,delete", who="developer") == {
        site.repository: ["pull", "push"]
    }


def test_a_refused_deletion_is_asked_again(site: Site) -> None:
    data = site.manifest()
    site.put("v1", data)
    said = delete(site, blobs_of(data)[0])
    site.world.front._gate._recorder.flush()
    found = look(site, decision_in(said.message))
    assert (found["method"], found["reference"]) == ("DELETE", blobs_of(data)[0])
    assert (found["then"]["rule"], found["now"]["rule"]) == ("blobs in use", "blobs in use")
    site.delete(digest_of(data))
    assert look(site, found["id"])["now"] == {"allowed": True}


def cancel(site: Site, headers: dict[str, str]) -> Answer:
    return ask(site.world, "DELETE", f"/v2/{site.repository}/blobs/uploads/{UPLOAD}", headers)


@pytest.mark.parametrize("way", ["token", "password"])
def test_who_may_upload_may_give_up(site: Site, way: str) -> None:
    """The registry wants the right to delete for that; it is shown a token that has it, and the client is not."""
    push = f"repository:{site.repository}:pull,push"
    headers = site.bearer(push) if way == "token" else basic("developer")
    start = ask(site.world, "POST", f"/v2/{site.repository}/blobs/uploads/", headers)
    answer = cancel(site, headers)
    assert start.status == answer.status == 0
    token = answer.authorization.removeprefix("Bearer ")
    assert (claims_of(token)["sub"], granted_by(token)) == ("developer", {site.repository: ["delete"]})
    assert cancel(site, headers).authorization == answer.authorization, "one signature serves many requests"
    if way == "password":
        assert granted_by(start.authorization.removeprefix("Bearer ")) == {site.repository: ["pull", "push"]}
    else:
        assert start.authorization == "", "the client's own token goes on"
    stolen = {"Authorization": answer.authorization}
    assert ask(site.world, "DELETE", f"/v2/{site.repository}/blobs/{'sha256:' + 'a' * 64}", stolen).status == 403


def test_who_may_not_upload_gives_up_nothing(site: Site) -> None:
    nobody = cancel(site, {})
    assert nobody.status == 401
    assert nobody.challenge.endswith(f'scope="repository:{site.repository}:pull,push"')
    assert cancel(site, basic("guest")).status == cancel(site, basic("stranger")).status == 403
    assert cancel(site, site.bearer(f"repository:{site.repository}:pull")).challenge.endswith('error="insufficient_scope"')
    assert ask(site.world, "DELETE", f"/v2/{site.repository}/blobs/uploads/", basic("developer")).status == 403, "that is none"
    assert site.world.api("PUT", "/configurations", "admin", json={"read_only": True}).status_code == 200
    assert cancel(site, basic("developer")).code == "DENIED"
