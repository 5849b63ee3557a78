"""The gate in the whole stack: what is taken away is gone at once; a full disk and a dead gate refuse with reasons."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from authsvc.stack.tree import children_of
from tests.live.test_failpoints import rows
from tests.support.people import make_team
from tests.support.rawclient import RawClient, Refused
from tests.support.registry import digest_of
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.stopping import stopped
from tests.support.waiting import eventually
from tests.support.world import basic

REVOCATIONS = rounds(40, 1000)


def test_what_is_taken_away_is_gone_at_the_next_request(stack: Stack) -> None:
    team = make_team(stack)
    repository = f"{team.project}/app"
    team.client(Role.DEVELOPER).push(repository, "v1")
    guest = team.client(Role.GUEST)
    scope = f"repository:{repository}:pull"
    token = guest.token(scope)
    members = stack.api("GET", f"/projects/{team.project}/members", params={"page_size": 100}).json()
    member = next(entry for entry in members if entry["entity_name"] == team.names[Role.GUEST])
    body = {"role_id": Role.GUEST.value, "member_user": {"username": team.names[Role.GUEST]}}
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            guest.manifest(repository, "v1", token=token)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        asker, path = RawClient(stack), f"/projects/{team.project}/members"
        for _ in range(REVOCATIONS):
            token = guest.token(scope)  # which `load` uses from now on; they last for minutes only
            assert asker.manifest(repository, "v1", token=token).status_code == 200
            assert stack.api("DELETE", f"{path}/{member['id']}").status_code == 200
            assert asker.manifest(repository, "v1", token=token).status_code == 403
            made = stack.api("POST", path, json=body)
            assert made.status_code == 201
            member["id"] = made.headers["Location"].rpartition("/")[2]
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextmanager
def no_gate(stack: Stack) -> Iterator[None]:
    """Meanwhile the processes that nginx asks are there, and do not answer."""
    (parent,) = stack.pids("token")[:1]
    with stopped(parent), stopped(*children_of(parent)):  # the parent first: it may be about to make another child
        yield


def test_without_the_gate_nothing_passes(own_stack: Stack) -> None:
    stack = own_stack.start()
    client = RawClient(stack, stack.admin)
    client.push("library/app", "v1")
    token = client.token("repository:library/app:pull,push")
    with no_gate(stack):
        refused = client.manifest("library/app", "v1", token=token)
        assert refused.status_code == 503
        assert refused.json()["errors"][0]["code"] == "UNAVAILABLE"
        assert "Retry-After" in refused.headers
    eventually(lambda: client.manifest("library/app", "v1", token=token).status_code == 200)


def test_with_a_grace_who_has_a_token_goes_on_pulling_and_nothing_else(own_stack: Stack) -> None:
    stack = own_stack.start(PULL_GRACE="true")
    team = make_team(stack)
    repository, developer, nobody = f"{team.project}/app", team.client(Role.DEVELOPER), RawClient(stack)
    developer.push(repository, "v1")
    token, elsewhere = developer.token(f"repository:{repository}:pull,push"), developer.token("repository:library/x:pull")
    layer = f"/v2/{repository}/blobs/{developer.manifest(repository, 'v1').json()['layers'][0]['digest']}"
    manifest = f"/v2/{repository}/manifests/v1"
    asked = [
        (200, "GET", manifest, {"token": token, "headers": {"Accept": OCI_MANIFEST}}),
        (200, "GET", layer, {"token": token}),
        (401, "GET", manifest, {"token": elsewhere}),  # the registry verifies what a token says
        (401, "GET", manifest, {"token": "forged"}),
        (401, "GET", layer, {}),
        (401, "GET", manifest, {"headers": basic(*team.auth(Role.DEVELOPER))}),  # a password is nothing to the registry
        (503, "POST", f"/v2/{repository}/blobs/uploads/", {"token": token}),
        (503, "DELETE", layer, {"token": token}),
    ]
    with no_gate(stack), ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda one: nobody.request(one[1], one[2], **one[3]), asked))
    assert [answer.status_code for answer in answers] == [status for status, *_ in asked]
    assert answers[1].content == b"layer x"
    assert answers[-1].json()["errors"][0]["code"] == "UNAVAILABLE"
    members = stack.api("GET", f"/projects/{team.project}/members", params={"page_size": 100}).json()
    member = next(entry for entry in members if entry["entity_name"] == team.names[Role.DEVELOPER])
    assert stack.api("DELETE", f"/projects/{team.project}/members/{member['id']}").status_code == 200
    eventually(lambda: developer.manifest(repository, "v1", token=token).status_code == 403)


def test_a_full_disk_is_said_and_nothing_is_half_recorded(own_stack: Stack, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a file system of our own needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], check=True)
    try:
        stack = own_stack.start(REGISTRY_STORAGE=str(small))
        client = RawClient(stack, stack.admin)
        acknowledged: dict[str, str] = {}
        said = ""
        for number in range(40):
            try:
                acknowledged[f"t{number}"] = client.push("library/app", f"t{number}", content=f"{number}" + "x" * 200_000)
            except Refused as refused:
                said = str(refused)
                break
        assert "503" in said
        assert "storage is full" in said
        index = "SELECT t.name, a.digest FROM tags t JOIN artifacts a ON a.id = t.artifact_id"
        eventually(lambda: rows(stack, "SELECT id FROM intents") == [])
        assert dict(rows(stack, index)) == acknowledged
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        acknowledged["later"] = client.push("library/app", "later", content="later" + "x" * 200_000)
        token = client.token("repository:library/app:pull")
        for tag, digest in acknowledged.items():
            pulled = client.manifest("library/app", tag, token=token)
            assert digest_of(pulled.content) == digest
            for blob in (pulled.json()["config"], *pulled.json()["layers"]):
                content = client.request("GET", f"/v2/library/app/blobs/{blob['digest']}", token=token).content
                assert digest_of(content) == blob["digest"]
    finally:
        own_stack.stop()
        subprocess.run(["umount", "-l", str(small)], check=True)
