"""Registry 3 in the place of registry 2.8: the same tokens, the same record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.rbac.roles import Role
from tests.live.test_recording import artifact, audit, pull_count
from tests.support import registry3
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient, Refused
from tests.support.stack import Stack
from tests.support.waiting import eventually

# A stack for each version, and minutes more where it must be built first.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", params=registry3.VERSIONS)
def stack3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack on registry 3; its own self-test has passed."""
    try:
        program = registry3.program(request.param)
    except registry3.NoGo as missing:
        pytest.skip(str(missing))
    running = Stack(tmp_path_factory.mktemp("stack3"))
    try:
        yield running.start(REGISTRY_PROGRAM=str(program))
    finally:
        running.stop()


@pytest.fixture(scope="module")
def team3(stack3: Stack) -> Team:
    return make_team(stack3)


def test_it_is_registry_3_that_runs(stack3: Stack) -> None:
    (pid,) = stack3.pids("registry")
    assert Path(str(Path(f"/proc/{pid}/exe").readlink())).is_relative_to(registry3.CACHE)
    assert stack3.api("GET", "/health", params={"strict": "true"}).status_code == 200


def test_push_pull_and_delete_are_recorded(team3: Team) -> None:
    repository = f"{team3.project}/app"
    digest = team3.client(Role.DEVELOPER).push(repository, "v1")
    found = eventually(lambda: artifact(team3, "v1"))
    assert (found["digest"], found["type"], found["extra_attrs"]["architecture"]) == (digest, "IMAGE", "amd64")
    guest = team3.client(Role.GUEST)
    assert guest.manifest(repository, "v1").headers["Docker-Content-Digest"] == digest
    assert guest.manifest(repository, "v1", "HEAD").status_code == 200
    eventually(lambda: pull_count(team3) == 1)
    assert team3.client(Role.MAINTAINER).delete(repository, digest).status_code == 202
    eventually(lambda: not artifact(team3, "v1") and not artifact(team3, digest))
    # Several entries may stand for one delete: the digest and each of its tags. Who did it is the same in all.
    deleted = eventually(lambda: audit(team3, "operation=delete"))
    assert {entry["username"] for entry in deleted} == {team3.names[Role.MAINTAINER]}
    (pull,) = audit(team3, "operation=pull")
    assert (pull["username"], pull["address"]) == (team3.names[Role.GUEST], "127.0.0.1")


def test_one_tag_of_several_is_deleted(team3: Team) -> None:
    """Registry 2.8 cannot; 3 can, and tells of it by an event that has a tag and no digest."""
    client, repository = team3.client(Role.MAINTAINER), f"{team3.project}/tags"
    digest = client.push(repository, "a")
    assert client.push(repository, "b") == digest
    eventually(lambda: artifact(team3, "a", "tags") and artifact(team3, "b", "tags"))
    assert client.delete(repository, "a").status_code == 202
    eventually(lambda: not artifact(team3, "a", "tags"))
    assert artifact(team3, "b", "tags")["digest"] == digest


def test_refusals(stack3: Stack, team3: Team) -> None:
    repository = f"{team3.project}/private"
    team3.client(Role.DEVELOPER).push(repository, "v1")
    assert RawClient(stack3).manifest(repository, "v1").status_code == 401
    assert team3.client(None).manifest(repository, "v1").status_code == 403
    with pytest.raises(Refused) as refused:
        team3.client(Role.GUEST).push(repository, "v2")
    assert refused.value.status == 403


def test_keys_rotate_and_the_reconciler_reads_its_pages(stack3: Stack, team3: Team) -> None:
    client, repository = team3.client(Role.DEVELOPER), f"{team3.project}/rotated"
    digest = client.push(repository, "v1")
    old = client.token(f"repository:{repository}:pull")
    stack3.cli("keys", "rotate")
    for token in (old, client.token(f"repository:{repository}:pull")):
        assert client.manifest(repository, "v1", token=token).status_code == 200
    eventually(lambda: artifact(team3, "v1", "rotated"))
    report = json.loads(stack3.cli("reconcile").stdout)
    assert (report["problems"], report["forgotten"]) == ([], 0)
    assert artifact(team3, "v1", "rotated")["digest"] == digest
