"""Replication on a running stack: to another Harbor, which is this one under another name, and to plain registries; and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.distribution.blobs import Way
from authsvc.distribution.client import RegistryClient
from tests.support import registry3
from tests.support.between import between
from tests.support.rawclient import RawClient
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.registry3 import VERSIONS
from tests.support.stack import Stack
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("replicating"))
    try:
        yield running.start(OUTGOING_ALLOW="127.0.0.1/32")
    finally:
        running.stop()


def registry(ours: Stack, **body: Any) -> int:
    made = ours.api("POST", "/registries", json=body)
    assert made.status_code == 201, made.text
    return int(made.headers["Location"].rpartition("/")[2])


def policy(ours: Stack, **body: Any) -> int:
    made = ours.api("POST", "/replication/policies", json={"enabled": True, "override": True} | body)
    assert made.status_code == 201, made.text
    return int(made.headers["Location"].rpartition("/")[2])


def run(ours: Stack, number: int) -> dict[str, Any]:
    """Start a policy, and see it through."""
    return ended(ours, start(ours, number))


def start(ours: Stack, number: int) -> str:
    made = ours.api("POST", "/replication/executions", json={"policy_id": number})
    assert made.status_code == 201, made.text
    return made.headers["Location"].rpartition("/")[2]


def ended(ours: Stack, execution: str) -> dict[str, Any]:
    """What became of an execution: all is equal."""

    def look() -> dict[str, Any]:
        said: dict[str, Any] = ours.api("GET", f"/replication/executions/{execution}").json()
        return said if said["status"] != "InProgress" else {}

    said = eventually(look, seconds=60)
    assert said["status"] == "Succeed", (said, logs(ours, execution))
    return said


def logs(ours: Stack, execution: str) -> str:
    tasks = ours.api("GET", f"/replication/executions/{execution}/tasks").json()
    return "\n".join(ours.api("GET", f"/replication/executions/{execution}/tasks/{task['id']}/log").text for task in tasks)


def tags(ours: Stack, project: str, repository: str) -> dict[str, str]:
    answer = ours.api("GET", f"/projects/{project}/repositories/{repository}/artifacts?with_tag=true")
    rows = answer.json() if answer.status_code == 200 else []
    return {tag["name"]: row["digest"] for row in rows for tag in row.get("tags") or ()}


def test_to_another_harbor_and_from_it(ours: Stack) -> None:
    """A robot of that Harbor is all that it takes."""
    client = RawClient(ours, ours.admin)
    made = ours.api("POST", "/projects", json={"project_name": "from", "metadata": {"public": "true"}})
    assert made.status_code == 201, made.text
    digests = {tag: client.push("from/deep/app", tag, content=tag) for tag in ("v1", "v2")}
    access = [
        ("repository", ("list", "pull", "push")),
        ("artifact", ("list", "read", "delete")),
        ("tag", ("list", "delete")),
        ("project", ("read",)),
    ]
    wanted = [{"resource": resource, "action": action} for resource, actions in access for action in actions]
    robot = ours.api(
        "POST",
        "/robots",
        json={
            "name": "copies",
            "level": "system",
            "duration": -1,
            "permissions": [
                {"kind": "project", "namespace": "*", "access": wanted},
                {"kind": "system", "namespace": "/", "access": [{"resource": "project", "action": "create"}]},
            ],
        },
    ).json()
    credential = {"type": "basic", "access_key": robot["name"], "access_secret": robot["secret"]}
    there = registry(ours, name="harbor", type="harbor", url=ours.url, ca_certificate=ours.ca.read_text(), credential=credential)
    onward = policy(
        ours,
        name="onward",
        dest_registry={"id": there},
        dest_namespace="to",
        dest_namespace_replace_count=1,
        filters=[{"type": "name", "value": "from/**"}],
        trigger={"type": "event_based"},
        replicate_deletion=True,
    )
    said = run(ours, onward)
    assert (said["total"], said["status_text"][:22]) == (1, "2 of 2 artifacts equal")
    assert tags(ours, "to", "deep%252Fapp") == digests, "in a project that the robot has made"
    back = policy(
        ours,
        name="back",
        src_registry={"id": there},
        dest_namespace="back",
        filters=[{"type": "name", "value": "to/**"}, {"type": "tag", "value": "v1"}],
    )
    said = run(ours, back)
    assert tags(ours, "back", "app") == {"v1": digests["v1"]}
    assert ours.api("GET", "/projects/back").json()["metadata"]["public"] == "true", "as it is there"
    digests["v3"] = client.push("from/deep/app", "v3", content="v3")
    eventually(lambda: tags(ours, "to", "deep%252Fapp") == digests)
    gone = digests.pop("v2")
    assert ours.api("DELETE", "/projects/from/repositories/deep%252Fapp/artifacts/v2/tags/v2").status_code == 200
    eventually(lambda: tags(ours, "to", "deep%252Fapp") == digests)
    digests.pop("v1")
    assert ours.api("DELETE", "/projects/from/repositories/deep%252Fapp/artifacts/v1").status_code == 200
    eventually(lambda: tags(ours, "to", "deep%252Fapp") == digests)
    assert ours.api("GET", f"/projects/to/repositories/deep%252Fapp/artifacts/{gone}").status_code == 200, (
        "its tag went, not more"
    )


@pytest.mark.parametrize("version", ["2.8", VERSIONS[-1]])
def test_to_a_plain_registry_and_from_it(ours: Stack, version: str, tmp_path: Path) -> None:
    client, name = RawClient(ours, ours.admin), f"plain{version.replace('.', '')}"
    assert ours.api("POST", "/projects", json={"project_name": name}).status_code == 201
    digest = client.push(f"{name}/app", "v1", content=version)
    with plain_registry(tmp_path, program=_program(version)) as far:
        there = registry(ours, name=name, type="docker-registry", url=far.url)
        run(ours, policy(ours, name=name, dest_registry={"id": there}, filters=[{"type": "name", "value": f"{name}/**"}]))
        assert far.client.digest_of(f"{name}/app", "v1") == digest
        _tagged_there(far, f"{name}/app", digest)
        from_there = policy(ours, name=f"{name} back", src_registry={"id": there}, dest_namespace=f"{name}-back")
        run(ours, from_there)
        assert tags(ours, f"{name}-back", "app") == {"v1": digest, "v2": digest}
        again = run(ours, from_there)
        assert (again["total"], again["status_text"][:22]) == (0, "1 of 1 artifacts equal")


def test_a_killed_worker_s_copy_goes_on(ours: Stack, tmp_path: Path) -> None:
    """In the next one, at once, and nothing of it is done twice."""
    with plain_registry(tmp_path) as far:
        digest = far.image("killed/app", "v1", content="x" * 4_000_000)
        there = registry(ours, name="killed", type="docker-registry", url=far.url)
        slow = policy(
            ours, name="killed", src_registry={"id": there}, filters=[{"type": "name", "value": "killed/**"}], speed=2000
        )
        execution = start(ours, slow)

        def has_begun() -> bool:
            tasks = ours.api("GET", f"/replication/executions/{execution}/tasks").json()
            return any(not task["start_time"].startswith("0001") for task in tasks)

        eventually(has_begun)
        assert ours.kill("worker") == 1
        said = ended(ours, execution)
    assert (said["total"], said["status_text"][:22]) == (1, "1 of 1 artifacts equal")
    assert tags(ours, "killed", "app") == {"v1": digest}


@pytest.mark.parametrize("version", ["2.8", VERSIONS[-1]])
def test_an_upload_that_breaks_off_goes_on_where_the_registry_knows_where(version: str, tmp_path: Path) -> None:
    """Registry 3 does; 2.8 has forgotten it, and gets it anew."""
    size, half, passed = 2 * 1024 * 1024, 1024 * 1024, list[int]()
    for name in ("near", "far"):
        (tmp_path / name).mkdir()
    with plain_registry(tmp_path / "near") as near, plain_registry(tmp_path / "far", program=_program(version)) as far:
        digest = near.blob("a/b", b"x" * size, "layer")["digest"]
        with between(far) as proxy:
            cut = [-half]
            proxy.rule = lambda method, path, number: cut.pop() if method == "PATCH" and cut else None
            target = RegistryClient(proxy.url, lambda scope: "")
            assert not Way(near.client, "a/b", target, "a/b", digest, size, passed.append, pause=0.0).carry()
        assert far.client.blob_size("a/b", digest) == size
    assert sum(passed) == size + (half if version != "2.8" else size)


def _program(version: str) -> str:
    if version == "2.8":
        return shutil.which("docker-registry") or ""
    try:
        return str(registry3.program(version))
    except registry3.NoGo as missing:
        pytest.skip(str(missing))


def _tagged_there(far: PlainRegistry, repository: str, digest: str) -> None:
    stored = far.client.manifest(repository, digest)
    assert stored is not None
    far.client.put_manifest(repository, "v2", stored.data, stored.media_type)
