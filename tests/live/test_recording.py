"""Whatever reaches the registry shows up in the index, once, with who did it; and nothing else does."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.stopping import stopped
from tests.support.waiting import eventually
from tests.webhook.events import envelope, event


@pytest.fixture
def team(stack: Stack) -> Team:
    return make_team(stack)


def artifact(team: Team, reference: str, name: str = "app") -> dict[str, Any]:
    answer = team.stack.api("GET", f"/projects/{team.project}/repositories/{name}/artifacts/{reference}")
    return dict(answer.json()) if answer.status_code == 200 else {}


def pull_count(team: Team, name: str = "app") -> int:
    return int(team.stack.api("GET", f"/projects/{team.project}/repositories/{name}").json()["pull_count"])


def audit(team: Team, query: str) -> list[dict[str, Any]]:
    return list(team.stack.api("GET", f"/projects/{team.project}/auditlog-exts", params={"q": query, "page_size": 100}).json())


def test_a_push_a_pull_and_a_look(team: Team) -> None:
    client, repository = team.client(Role.DEVELOPER), f"{team.project}/app"
    digest = client.push(repository, "v1")
    found = eventually(lambda: artifact(team, "v1"))
    assert (found["digest"], found["type"], found["extra_attrs"]["architecture"]) == (digest, "IMAGE", "amd64")
    assert [tag["name"] for tag in found["tags"]] == ["v1"]
    assert found["pull_time"] == "0001-01-01T00:00:00.000Z"
    guest = team.client(Role.GUEST)
    spoofed = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Request-Id": f"{team.project}-42",
    }
    token = guest.token(f"repository:{repository}:pull")
    assert (
        guest.request(
            "GET", f"/v2/{repository}/manifests/v1", token=token, headers=spoofed | {"Accept": OCI_MANIFEST}
        ).status_code
        == 200
    )
    assert guest.manifest(repository, "v1", "HEAD").status_code == 200
    client.push(f"{team.project}/later", "v1")
    assert guest.manifest(f"{team.project}/later", "v1").status_code == 200
    eventually(lambda: pull_count(team, "later") == 1)  # so that whatever was to come of the look has come as well
    assert pull_count(team) == 1
    (pull,) = audit(team, f"operation=pull,resource={repository}:v1")
    assert (pull["username"], pull["address"], pull["resource"]) == (team.names[Role.GUEST], "127.0.0.1", f"{repository}:v1")
    assert pull["user_agent"] == requests.utils.default_user_agent()
    assert pull["request_id"] == f"{team.project}-42"
    assert f"{team.project}-42" in (team.stack.log_dir / "access.log").read_text()
    (push,) = audit(team, f"operation=create,resource_type=artifact,resource={repository}:v1")
    assert push["username"] == team.names[Role.DEVELOPER]


def test_what_the_registry_complains_of_has_the_same_id(team: Team) -> None:
    developer = team.client(Role.DEVELOPER)
    token = developer.token(f"repository:{team.project}/app:pull")
    nothing = f"/v2/{team.project}/app/manifests/sha256:{'0' * 64}"
    asked = developer.request("GET", nothing, token=token, headers={"X-Request-Id": f"{team.project}-43"})
    assert asked.status_code == 404
    eventually(lambda: f" tidegate-request/{team.project}-43" in (team.stack.log_dir / "registry.log").read_text())


def test_deleting_a_digest_removes_its_tags(team: Team) -> None:
    client, repository = team.client(Role.MAINTAINER), f"{team.project}/app"
    digest = client.push(repository, "a")
    assert client.push(repository, "b") == digest
    eventually(lambda: artifact(team, "a") and artifact(team, "b"))
    assert client.delete(repository, digest).status_code == 202
    eventually(lambda: not artifact(team, "a") and not artifact(team, "b") and not artifact(team, digest))


def test_deleting_by_the_api_deletes_in_the_registry(team: Team) -> None:
    client, repository = team.client(Role.MAINTAINER), f"{team.project}/app"
    digest = client.push(repository, "a")
    eventually(lambda: artifact(team, "a"))
    path = f"/projects/{team.project}/repositories/app/artifacts/{digest}"
    assert team.stack.api("DELETE", path, team.auth(Role.DEVELOPER)).status_code == 403
    assert team.stack.api("DELETE", path, team.auth(Role.MAINTAINER)).status_code == 200
    assert client.manifest(repository, digest).status_code == 404
    assert len(audit(team, "operation=delete")) == 1


def test_names_with_slashes_through_nginx(team: Team) -> None:
    team.client(Role.DEVELOPER).push(f"{team.project}/a/b", "v1")
    for encoded in ("a%252Fb", "a%2Fb"):
        eventually(lambda encoded=encoded: artifact(team, "v1", encoded))  # type: ignore[misc]


def _webhook(stack: Stack, data: bytes, secret: str | None = None) -> int:
    right = (stack.state_dir / "secrets" / "webhook").read_text().strip()
    url = f"http://127.0.0.1:{stack.ports['webhook']}/webhook/registry"
    headers = {"Authorization": f"Bearer {right if secret is None else secret}"}
    return requests.post(url, data=data, headers=headers, timeout=10).status_code


def test_forged_doubled_and_broken_events(team: Team) -> None:
    stack, repository = team.stack, f"{team.project}/app"
    digest = team.client(Role.DEVELOPER).push(repository, "v1")
    eventually(lambda: artifact(team, "v1"))
    pull = event("pull", repository, digest, "v1")
    assert _webhook(stack, envelope(pull), secret="wrong") == 401
    assert [_webhook(stack, envelope(pull)) for _ in range(3)] == [202] * 3
    absent = "sha256:" + "0" * 64
    poison = f"poison-{uuid.uuid4()}"
    lies = [event("push", repository, absent, "lie"), event("delete", repository, digest), {"id": poison, "action": "explode"}]
    assert _webhook(stack, envelope(*lies)) == 202
    assert _webhook(stack, b"x" * (6 * 1024 * 1024)) == 202
    eventually(lambda: pull_count(team) == 1)
    eventually(lambda: poison in stack.cli("quarantine", "list", "-o", "json").stdout)
    assert artifact(team, "v1")
    assert not artifact(team, "lie")
    listed = stack.api("GET", "/system/quarantine", params={"page_size": 100}).json()
    (entry,) = [one for one in listed if one["event_id"] == poison]
    assert "explode" in entry["reason"]
    assert stack.api("DELETE", f"/system/quarantine/{entry['id']}").status_code == 200


@contextmanager
def _database(stack: Stack) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(stack.state_dir / "tidegate.db", timeout=10)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def test_the_reconciler_mends_what_was_lost_and_what_was_never_there(team: Team) -> None:
    stack, repository = team.stack, f"{team.project}/app"
    digest = team.client(Role.DEVELOPER).push(repository, "v1")
    with _database(stack) as connection:  # the gate has recorded it; let its event come and go before it is taken away
        done = "SELECT count(*) FROM inbox WHERE status = 'done' AND body LIKE ? AND body LIKE ?"
        eventually(lambda: connection.execute(done, (f"%{digest}%", f"%{repository}%")).fetchone()[0])
    with _database(stack) as connection:
        row = connection.execute("SELECT id, repository_id, artifact_id FROM tags WHERE name = 'v1' ORDER BY id DESC").fetchone()
        connection.execute("DELETE FROM tags WHERE id = ?", (row[0],))
        connection.execute(
            "INSERT INTO tags (repository_id, artifact_id, name, push_time) VALUES (?, ?, 'ghost', '2026-01-01 00:00:00')",
            row[1:],
        )
    assert artifact(team, "ghost")
    report = json.loads(stack.cli("reconcile").stdout)
    assert (report["recorded"], report["forgotten"], report["problems"]) == (1, 1, [])
    assert artifact(team, "v1")["digest"] == digest
    assert not artifact(team, "ghost")


def test_a_registry_that_is_away_makes_the_reconciler_delete_nothing(own_stack: Stack) -> None:
    stack = own_stack.start()
    RawClient(stack, stack.admin).push("library/hello", "v1")

    def listed() -> object:
        return stack.api("GET", "/projects/library/repositories/hello/artifacts").json()

    eventually(lambda: isinstance(listed(), list))
    before = listed()
    with stopped(*stack.pids("registry")):
        compared = stack.cli("reconcile", "--timeout", "60", check=False)
    assert compared.returncode == 1
    assert "does not answer" in compared.stdout
    assert listed() == before
