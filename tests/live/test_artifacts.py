"""Harbor's artifact operations against the real registry, behind nginx: what was copied can be pulled, byte for byte."""

from __future__ import annotations

import json

from authsvc.rbac.roles import Role
from tests.support.people import make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack


def test_a_copy_into_another_project_can_be_pulled_there(stack: Stack) -> None:
    source, target = make_team(stack), make_team(stack)
    digest = source.client(Role.DEVELOPER).push(f"{source.project}/deep/er", "v1", content="copied")
    grant = {"role_id": Role.GUEST.value, "member_user": {"username": target.names[Role.DEVELOPER]}}
    assert stack.api("POST", f"/projects/{source.project}/members", json=grant).status_code == 201
    developer = target.auth(Role.DEVELOPER)
    path = f"/projects/{target.project}/repositories/re%252Fnamed/artifacts"
    copied = stack.api("POST", f"{path}?from={source.project}/deep/er:v1", developer)
    assert copied.status_code == 201, copied.text
    assert copied.headers["Location"].endswith(f"/artifacts/{digest}")

    guest, repository = target.client(Role.GUEST), f"{target.project}/re/named"
    pulled = guest.manifest(repository, "v1")
    assert (pulled.status_code, pulled.headers["Docker-Content-Digest"]) == (200, digest)
    for blob in (pulled.json()["config"], *pulled.json()["layers"]):
        got = guest.request("GET", f"/v2/{repository}/blobs/{blob['digest']}", f"repository:{repository}:pull")
        assert (got.status_code, len(got.content)) == (200, blob["size"])

    assert stack.api("POST", f"{path}/v1/tags", developer, json={"name": "stable"}).status_code == 201
    assert guest.manifest(repository, "stable").headers["Docker-Content-Digest"] == digest
    assert stack.api("DELETE", f"{path}/v1/tags/v1", developer).status_code == 403
    assert stack.api("DELETE", f"{path}/v1/tags/v1", target.auth(Role.MAINTAINER)).status_code == 200
    assert [guest.manifest(repository, reference).status_code for reference in ("v1", "stable", digest)] == [404, 200, 200]
    (shown,) = stack.api("GET", path, target.auth(Role.GUEST)).json()
    assert [tag["name"] for tag in shown["tags"]] == ["stable"]


def test_what_the_registry_knows_of_an_artifact(stack: Stack) -> None:
    RawClient(stack, stack.admin).push("library/told", "v1")
    path = "/projects/library/repositories/told/artifacts/v1"
    shown = stack.api("GET", path).json()
    history = stack.api("GET", shown["addition_links"]["build_history"]["href"].removeprefix("/api/v2.0"))
    assert (history.status_code, json.loads(history.text)) == (200, [])
    (volume,) = stack.api("GET", "/systeminfo/volumes").json()["storage"]
    assert 0 < volume["free"] <= volume["total"]
    found = stack.api("GET", "/search?q=library/told").json()["repository"]
    assert [(row["repository_name"], row["artifact_count"]) for row in found] == [("library/told", 1)]
