"""Blobs that lie on the gateway's disk come from there, and nobody can tell but by the time: same headers, ranges, rights."""

from __future__ import annotations

import pytest
import requests

from authsvc.rbac.roles import Role
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.stopping import stopped

TYPE = "application/octet-stream"


@pytest.fixture(scope="module")
def team(stack: Stack) -> Team:
    return make_team(stack)


@pytest.fixture(scope="module")
def path(team: Team) -> str:
    """Of a blob in a private repository."""
    repository = f"{team.project}/app"
    client = team.client(Role.DEVELOPER)
    blob = client.upload(repository, b"0123456789" * 1000, TYPE, client.token(f"repository:{repository}:pull,push"))
    return f"/v2/{repository}/blobs/{blob['digest']}"


def _pull(team: Team, path: str, method: str = "GET", **headers: str) -> requests.Response:
    repository = path.removeprefix("/v2/").partition("/blobs/")[0]
    return team.client(Role.GUEST).request(method, path, f"repository:{repository}:pull", headers=headers)


def test_they_come_without_the_registry(stack: Stack, team: Team, path: str) -> None:
    with stopped(*stack.pids("registry")):
        whole, part, head = _pull(team, path), _pull(team, path, Range="bytes=10-14"), _pull(team, path, "HEAD")
    assert (whole.status_code, whole.content) == (200, b"0123456789" * 1000)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"01234", "bytes 10-14/10000")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "10000")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-0"}, 206),
        ("GET", {"If-None-Match": "*"}, 304),
        ("GET", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 200),
    ],
)
def test_answers_are_the_registrys(
    stack: Stack, team: Team, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    token = team.client(Role.GUEST).token(f"repository:{team.project}/app:pull")
    registry = f"http://127.0.0.1:{stack.ports['registry']}"
    theirs = requests.request(method, registry + path, headers=headers | {"Authorization": f"Bearer {token}"}, timeout=10)
    ours = _pull(team, path, method, **headers)
    assert (ours.status_code, theirs.status_code) == (status, status)
    assert ours.content == theirs.content
    told = ("Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest", "Etag", "Cache-Control")
    for name in (*told, "Last-Modified", "Docker-Distribution-Api-Version"):
        assert ours.headers.get(name) == theirs.headers.get(name), name


def test_a_range_behind_the_end_is_refused(team: Team, path: str) -> None:
    """The registry's own answer to it breaks off."""
    assert _pull(team, path, Range="bytes=20000-").status_code == 416


def test_rights_are_looked_at(stack: Stack, team: Team, path: str) -> None:
    token = team.client(Role.GUEST).token(f"repository:{team.project}/app:pull")
    assert RawClient(stack).request("GET", path).status_code == 401
    stranger = RawClient(stack, team.auth(None)).request("GET", path, f"repository:{team.project}/app:pull")
    assert stranger.status_code == 403
    assert stranger.json()["errors"][0]["code"] == "DENIED"
    elsewhere = path.replace("/app/", "/other/")
    missing = team.client(Role.GUEST).request("GET", elsewhere, f"repository:{team.project}/other:pull")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "BLOB_UNKNOWN"), "it is in app only"
    assert RawClient(stack).request("GET", "/blob-on-disk", token=token).status_code == 404


def test_what_is_deleted_is_gone(stack: Stack, team: Team) -> None:
    repository = f"{team.project}/gone"
    client = team.client(Role.PROJECT_ADMIN)
    blob = client.upload(repository, b"to be deleted", TYPE, client.token(f"repository:{repository}:pull,push"))
    gone = f"/v2/{repository}/blobs/{blob['digest']}"
    assert _pull(team, gone).status_code == 200
    assert client.request("DELETE", gone, f"repository:{repository}:delete").status_code == 202
    assert _pull(team, gone).status_code == 404
