"""Blobs of any size go straight through; a blob is mounted only by who may read where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from tests.support.people import make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually

CHUNK, CHUNKS = 1024 * 1024, 1024


def _stream() -> Iterator[bytes]:
    for number in range(CHUNKS):
        yield number.to_bytes(4) * (CHUNK // 4)


def _memory(stack: Stack) -> int:
    """Resident memory of our Python processes, in MB."""
    total = 0
    for program in ("token", "api", "webhook", "worker"):
        for pid in stack.pids(program):
            status = Path(f"/proc/{pid}/status").read_text()
            total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total // 1024


def test_a_gigabyte_passes_without_touching_python_or_nginx_disk(stack: Stack) -> None:
    client = RawClient(stack, stack.admin)
    repository = "library/large"
    digest = hashlib.sha256()
    for chunk in _stream():
        digest.update(chunk)
    name = f"sha256:{digest.hexdigest()}"
    token = client.token(f"repository:{repository}:pull,push")
    before = _memory(stack)
    started = client.request("POST", f"/v2/{repository}/blobs/uploads/", token=token)
    location = urljoin(stack.url, started.headers["Location"]).removeprefix(stack.url)
    patched = client.request("PATCH", location, token=token, data=_stream(), headers={"Content-Type": "application/octet-stream"})
    assert patched.status_code == 202, patched.text
    spilled = [path for path in (stack.state_dir / "nginx").rglob("*") if path.is_file()]
    assert spilled == []
    location = urljoin(stack.url, patched.headers["Location"]).removeprefix(stack.url)
    assert client.request("PUT", location, token=token, params={"digest": name}).status_code == 201
    pulled, length = hashlib.sha256(), 0
    with client.request("GET", f"/v2/{repository}/blobs/{name}", token=token, stream=True) as answer:
        for chunk in answer.iter_content(CHUNK):
            pulled.update(chunk)
            length += len(chunk)
    assert (pulled.hexdigest(), length) == (digest.hexdigest(), CHUNK * CHUNKS)
    assert _memory(stack) - before < 50
    for path in (stack.state_dir / "registry").rglob("data"):
        if path.stat().st_size == length:
            path.unlink()


def test_a_layer_whose_length_is_told_beforehand_may_be_as_large(stack: Stack) -> None:
    client = RawClient(stack, stack.admin)
    data = b"layer" * 2_000_000  # 10 MB, more than any other request may hold
    described = client.upload("library/told", data, "application/octet-stream", client.token("repository:library/told:pull,push"))
    pulled = client.request("GET", f"/v2/library/told/blobs/{described['digest']}", "repository:library/told:pull")
    assert pulled.content == data


def test_mounting_needs_the_right_to_read_the_source(stack: Stack) -> None:
    source, target = make_team(stack), make_team(stack)
    origin = source.client(Role.DEVELOPER)
    token = origin.token(f"repository:{source.project}/app:pull,push")
    digest = origin.upload(f"{source.project}/app", b"a layer to mount", "application/octet-stream", token)["digest"]
    mount = f"/v2/{target.project}/app/blobs/uploads/?mount={digest}&from={source.project}/app"
    both = f"repository:{target.project}/app:pull,push repository:{source.project}/app:pull"
    stranger = target.client(Role.DEVELOPER)
    refused = stranger.request("POST", mount, both)
    assert refused.status_code in (202, 401), "an upload to be done by oneself, or a refusal: never the blob"
    admin = RawClient(stack, stack.admin)
    mounted = admin.request("POST", mount, both)
    assert (mounted.status_code, mounted.headers["Docker-Content-Digest"]) == (201, digest)


def test_a_manifest_of_megabytes_passes(stack: Stack) -> None:
    """As root nginx's workers are another user, who could not write a file into our state directory."""
    client = RawClient(stack, stack.admin)
    token = client.token("repository:library/wide:pull,push")
    config = client.upload("library/wide", b"{}", "application/vnd.oci.image.config.v1+json", token)
    annotations = {f"key-{number}": "x" * 1000 for number in range(3000)}
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], "annotations": annotations}
    headers = {"Content-Type": OCI_MANIFEST}
    pushed = client.request(
        "PUT", "/v2/library/wide/manifests/v1", token=token, data=json.dumps(manifest).encode(), headers=headers
    )
    assert pushed.status_code == 201, pushed.text
    assert client.manifest("library/wide", "v1", token=token).json() == manifest

    def annotated() -> int:
        answer = stack.api("GET", "/projects/library/repositories/wide/artifacts/v1")
        return len(answer.json()["annotations"]) if answer.status_code == 200 else 0

    assert eventually(annotated) == 3000


def test_who_may_push_gives_up_an_upload_with_the_token_that_began_it(stack: Stack) -> None:
    team = make_team(stack)
    client, repository = team.client(Role.DEVELOPER), f"{team.project}/app"
    token = client.token(f"repository:{repository}:pull,push")
    started = client.request("POST", f"/v2/{repository}/blobs/uploads/", token=token)
    location = urljoin(stack.url, started.headers["Location"]).removeprefix(stack.url)
    assert team.client(Role.GUEST).request("DELETE", location, f"repository:{repository}:pull,push").status_code == 403
    assert client.request("GET", location, token=token).status_code == 204
    assert client.request("DELETE", location, token=token).status_code == 204
    assert client.request("GET", location, token=token).status_code == 404
    again = client.request("DELETE", location, token=token)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_that_an_image_needs_is_not_deleted(stack: Stack) -> None:
    team = make_team(stack)
    repository = f"{team.project}/app"
    client = team.client(Role.MAINTAINER)
    digest = client.push(repository, "v1")
    layer = client.manifest(repository, "v1").json()["layers"][0]["digest"]
    path = f"/v2/{repository}/blobs/{layer}"
    assert team.client(Role.DEVELOPER).request("DELETE", path, f"repository:{repository}:delete").status_code == 403
    refused = client.request("DELETE", path, f"repository:{repository}:delete")
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["code"]) == (412, "PRECONDITION")
    assert f"belongs to the artifact {repository}@{digest}" in error["message"]
    assert client.request("GET", path, f"repository:{repository}:pull").content == b"layer x"
    assert client.delete(repository, digest).status_code == 202
    assert client.request("DELETE", path, f"repository:{repository}:delete").status_code == 202
    assert client.request("GET", path, f"repository:{repository}:pull").status_code == 404


def test_questions_to_the_gate_announce_no_body(stack: Stack) -> None:
    """nginx sends none along, and whoever announced one would see the next question on the same connection taken for it."""
    client = RawClient(stack, stack.admin)
    token = client.token("repository:library/many:pull,push")

    def push(number: int) -> int:
        started = client.request("POST", "/v2/library/many/blobs/uploads/", token=token)
        location = urljoin(stack.url, started.headers["Location"]).removeprefix(stack.url)
        data = number.to_bytes(4) * 200
        name = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return client.request("PUT", location, token=token, params={"digest": name}, data=data).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(push, range(300))) == {201}
