"""Another Harbor that replicates to us and from us: what it asks, in its order, and what it makes of the answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from authsvc.rbac.roles import Role
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack


@pytest.fixture
def team(stack: Stack) -> Team:
    return make_team(stack)


def pages(stack: Stack, path: str) -> list[dict[str, Any]]:
    """All pages of a list, by the links from one to the next."""
    found: list[dict[str, Any]] = []
    while path:
        answer = stack.api("GET", path)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        following = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        path = following[1].removeprefix("/api/v2.0") if following else ""
    return found


def test_we_are_a_healthy_harbor(stack: Stack) -> None:
    version = requests.get(f"{stack.url}/api/version", verify=str(stack.ca), timeout=30)
    assert version.json() == {"version": "v2.0"}
    assert stack.api("GET", "/health").json()["status"] == "healthy"
    assert isinstance(stack.api("GET", "/labels?scope=g").json(), list)


def test_it_makes_the_projects_that_are_missing(team: Team) -> None:
    stack, new = team.stack, f"{team.project}-new"
    asked = {"q": f"name={{'{team.project}' '{new}'}}", "with_detail": "false"}
    there = stack.api("GET", "/projects", params=asked)
    assert [(project["name"], project.get("registry_id", 0)) for project in there.json()] == [(team.project, 0)]
    for status in (201, 409):
        made = stack.api("POST", "/projects", json={"project_name": new, "metadata": {"public": "true"}})
        assert made.status_code == status
    made = stack.api("POST", "/projects", json={"project_name": f"{new}er", "metadata": None})
    assert made.status_code == 201, made.text


def test_a_blob_is_mounted_from_where_we_say(team: Team) -> None:
    """It does not look whether the mount happened: a manifest with a blob that is not there would be refused."""
    stack, client = team.stack, RawClient(team.stack, team.stack.admin)
    client.push(f"{team.project}/decoy", "v1", content="other")
    client.push(f"{team.project}/deep/source", "v1", content="shared")
    manifest = client.manifest(f"{team.project}/deep/source", "v1").json()
    target = f"{team.project}/target"
    for blob in (manifest["config"], *manifest["layers"]):
        head = client.request("HEAD", f"/v2/{target}/blobs/{blob['digest']}", f"repository:{target}:pull")
        assert head.status_code == 404
        query = f"q=blob_digest={blob['digest']}&page_size=1&page_number=1"
        (found,) = stack.api("GET", f"/repositories?{query}").json()
        assert found["name"] == f"{team.project}/deep/source"
        token = _token(client, f"repository:{found['name']}:pull", f"repository:{target}:pull,push")
        mount = f"/v2/{target}/blobs/uploads/?mount={blob['digest']}&from={found['name']}"
        assert client.request("POST", mount, token=token).status_code == 201
    sent: dict[str, Any] = {"data": json.dumps(manifest), "headers": {"Content-Type": manifest["mediaType"]}}
    assert client.request("PUT", f"/v2/{target}/manifests/v1", f"repository:{target}:pull,push", **sent).status_code == 201


def _token(client: RawClient, *scopes: str) -> str:
    query = {"service": "harbor-registry", "scope": list(scopes)}
    answer = requests.get(
        f"{client.stack.url}/service/token", params=query, auth=client.auth, verify=str(client.stack.ca), timeout=30
    )
    return str(answer.json()["token"])


def test_it_finds_what_there_is_to_fetch(team: Team) -> None:
    stack, client = team.stack, team.client(Role.DEVELOPER)
    digests = {f"v{number}": client.push(f"{team.project}/a/b", f"v{number}", content=str(number)) for number in range(12)}
    for number in range(11):
        client.push(f"{team.project}/one-{number:02}", "v1")
    (project,) = pages(stack, f"/projects?name={team.project}")
    names = {repository["name"] for repository in pages(stack, f"/projects/{project['name']}/repositories")}
    assert names == {f"{team.project}/a/b", *(f"{team.project}/one-{number:02}" for number in range(11))}
    path = f"/projects/{team.project}/repositories/a%252Fb/artifacts"
    artifacts = pages(stack, f"{path}?with_label=true&with_accessory=true")
    assert {tag["name"]: one["digest"] for one in artifacts for tag in one["tags"]} == digests
    assert {one["type"] for one in artifacts} == {"IMAGE"}
    assert [tag["name"] for tag in pages(stack, f"{path}/{digests['v3']}/tags")] == ["v3"]
    assert stack.api("DELETE", f"{path}/v3/tags/v3").status_code == 200
