"""Proxy caches on a running stack: a plain registry's images by names of ours, with it, without it, and by many at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.support.between import Between, between
from tests.support.rawclient import RawClient
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry, plain_registry
from tests.support.stack import Stack
from tests.support.waiting import eventually

LARGE = 8 * 1024 * 1024
CLIENTS = 30


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("caching"))
    try:
        yield running.start(
            OUTGOING_ALLOW="127.0.0.1/32",
            PROXY_CACHE_SECONDS="0",
            MIRROR_HOSTS="127.0.0.1=mirrored",
            MIRROR_NAMESPACES="docker.io=mirrored,localhost:5000=mirrored",
        )
    finally:
        running.stop()


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    with plain_registry(tmp_path_factory.mktemp("upstream")) as running:
        yield running


def cache(ours: Stack, name: str, url: str, **metadata: str) -> None:
    made = ours.api("POST", "/registries", json={"name": name, "type": "docker-registry", "url": url})
    assert made.status_code == 201, made.text
    number = int(made.headers["Location"].rpartition("/")[2])
    made = ours.api("POST", "/projects", json={"project_name": name, "registry_id": number, "metadata": metadata})
    assert made.status_code == 201, made.text


def tags(ours: Stack, project: str, repository: str) -> dict[str, str]:
    answer = ours.api("GET", f"/projects/{project}/repositories/{repository}/artifacts?with_tag=true")
    rows = answer.json() if answer.status_code == 200 else []
    return {tag["name"]: row["digest"] for row in rows for tag in row.get("tags") or ()}


def large(registry: PlainRegistry, repository: str, tag: str) -> tuple[str, str]:
    """An image with a layer of some size: its digest, and the layer's."""
    layer = registry.blob(repository, (repository.encode() * LARGE)[:LARGE], LAYER_TYPE)
    config = registry.blob(repository, json.dumps({"author": repository}).encode(), CONFIG_TYPE)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    return registry.put(repository, tag, manifest), layer["digest"]


def pull(client: RawClient, repository: str, reference: str, token: str = "") -> str:
    """As docker does: a tag by HEAD, then all by digest. The digest."""
    token = token or client.token(f"repository:{repository}:pull")
    looked = client.manifest(repository, reference, "HEAD", token)
    assert looked.status_code == 200, looked.headers
    digest = looked.headers["Docker-Content-Digest"]
    answer = client.manifest(repository, digest, token=token)
    assert answer.status_code == 200, answer.text
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == digest
    document = answer.json()
    for blob in [document["config"], *document["layers"]]:
        read = client.request("GET", f"/v2/{repository}/blobs/{blob['digest']}", token=token)
        assert read.status_code == 200, read.text
        assert "sha256:" + hashlib.sha256(read.content).hexdigest() == blob["digest"]
    return digest


def blobs_read(proxy: Between) -> list[str]:
    return sorted(path.rpartition("/")[2] for method, path, _ in proxy.asked if method == "GET" and "/blobs/" in path)


def test_an_image_is_fetched_once_for_all_and_kept(ours: Stack, far: PlainRegistry) -> None:
    digest, layer = large(far, "team/app", "v1")
    client = RawClient(ours, ours.admin)
    with between(far) as proxy:
        cache(ours, "once", proxy.url)
        token = client.token("repository:once/team/app:pull")
        with ThreadPoolExecutor(CLIENTS) as crowd:
            found = set(crowd.map(lambda _: pull(client, "once/team/app", "v1", token), range(CLIENTS)))
        assert found == {digest}
        eventually(lambda: tags(ours, "once", "team%252Fapp") == {"v1": digest}, seconds=30)
        read = blobs_read(proxy)
        assert (len(read), read.count(layer)) == (2, 1), "by all clients and the worker together"
        got = [path for method, path, _ in proxy.asked if method == "GET" and "/manifests/" in path]
        assert len(got) <= 2, "once for each process"
        begun = len(proxy.asked)
        assert pull(client, "once/team/app", "v1") == digest
        since = [(method, path) for method, path, _ in proxy.asked[begun:]]
        assert since == [("HEAD", "/v2/team/app/manifests/v1")], "what is here is not asked for"


def test_what_is_here_needs_nobody(ours: Stack, far: PlainRegistry) -> None:
    client, digest = RawClient(ours, ours.admin), far.image("alone", "v1")
    with between(far) as proxy:
        cache(ours, "alone", proxy.url)
        assert pull(client, "alone/alone", "v1") == digest
        eventually(lambda: tags(ours, "alone", "alone") == {"v1": digest}, seconds=30)
        proxy.rule = lambda *_: (503, {})
        assert pull(client, "alone/alone", "v1") == digest, "as it was"
        answer = client.manifest("alone/alone", "v2")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
        assert "registry alone" in answer.json()["errors"][0]["message"], answer.text


def test_of_an_index_only_what_is_asked_for_is_kept(ours: Stack, far: PlainRegistry) -> None:
    client = RawClient(ours, ours.admin)
    amd, arm = (far.image("many", None, content=one, architecture=one) for one in ("amd64", "arm64"))
    index = far.index("many", "v1", {amd: "amd64", arm: "arm64"})
    with between(far) as proxy:
        cache(ours, "many", proxy.url)
        assert client.manifest("many/many", "v1").json()["manifests"][0]["digest"] == amd
        assert pull(client, "many/many", amd) == amd
        eventually(lambda: tags(ours, "many", "many") == {"v1": index}, seconds=30)
        eventually(lambda: _is_here(ours, "many", amd), seconds=30)
        manifests = [path.rpartition("/")[2] for method, path, _ in proxy.asked if method == "GET" and "/manifests/" in path]
        assert sorted(manifests) == sorted([index, amd]), "each once, and not the other platform"
        assert not _is_here(ours, "many", arm)
        proxy.rule = lambda *_: (503, {})
        assert client.manifest("many/many", "v1").headers["Docker-Content-Digest"] == index
        assert pull(client, "many/many", amd) == amd
        assert client.manifest("many/many", arm).status_code == 503
        proxy.rule = lambda *_: None
        ours.cli("reconcile")
        assert tags(ours, "many", "many") == {"v1": index}, "the registry has it, too"
        ours.cli("gc")
        assert pull(client, "many/many", amd) == amd, "and needs what is here"
        copied = ours.api("POST", "/projects/library/repositories/copied/artifacts?from=many/many:v1")
        assert copied.status_code == 412, copied.text
        assert arm in copied.text, "which is said to be missing"
        assert ours.cli("damages", check=False).stdout.strip() in ("", "nothing is damaged"), ours.cli(
            "damages", check=False
        ).stdout


def _is_here(ours: Stack, project: str, digest: str) -> bool:
    return ours.api("GET", f"/projects/{project}/repositories/{project}/artifacts/{digest}").status_code == 200


def test_nothing_is_pushed_to_it_and_what_is_there_can_be_deleted(ours: Stack, far: PlainRegistry) -> None:
    client, digest = RawClient(ours, ours.admin), far.image("kept", "v1")
    cache(ours, "kept", far.url)
    assert pull(client, "kept/kept", "v1") == digest
    eventually(lambda: tags(ours, "kept", "kept") == {"v1": digest}, seconds=30)
    token = client.token("repository:kept/kept:pull,push")
    begun = client.request("POST", "/v2/kept/kept/blobs/uploads/", token=token)
    put = client.request("PUT", "/v2/kept/kept/manifests/v2", token=token, data=b"{}", headers={"Content-Type": OCI_MANIFEST})
    for answer in (begun, put):
        assert answer.status_code in (400, 403), answer.text
    assert "can not push artifact to a proxy project: kept" in begun.json()["errors"][0]["message"]
    assert ours.api("DELETE", "/projects/kept/repositories/kept").status_code == 200
    assert pull(client, "kept/kept", "v1") == digest, "and comes back"
    assert ours.api("GET", "/projects/kept/summary").json()["registry"]["name"] == "kept"


def test_bytes_that_are_not_what_they_should_be_are_kept_by_nobody(ours: Stack, far: PlainRegistry) -> None:
    """A registry that lies once is believed never: neither nginx nor our own registry keeps what its digest does not say."""
    client = RawClient(ours, ours.admin)
    digest, layer = large(far, "liar", "v1")
    with between(far) as proxy:
        cache(ours, "liar", proxy.url)
        token = client.token("repository:liar/liar:pull")
        other = far.blob("liar", b"x" * LARGE, LAYER_TYPE)["digest"]
        proxy.path = lambda path: path.replace(layer, other)
        with pytest.raises(requests.RequestException):
            client.request("GET", f"/v2/liar/liar/blobs/{layer}", token=token)
        proxy.path = lambda path: path
        assert pull(client, "liar/liar", "v1") == digest


def test_a_part_of_a_blob_is_sent_whether_it_is_here_or_not(ours: Stack, far: PlainRegistry) -> None:
    client = RawClient(ours, ours.admin)
    _, layer = large(far, "parts", "v1")
    cache(ours, "parts", far.url)
    token = client.token("repository:parts/parts:pull")
    for _ in range(2):
        read = client.request("GET", f"/v2/parts/parts/blobs/{layer}", token=token, headers={"Range": "bytes=1000000-1000009"})
        assert (read.status_code, read.content) == (206, (b"parts" * LARGE)[1_000_000:1_000_010])
    looked = client.request("HEAD", f"/v2/parts/parts/blobs/{layer}", token=token)
    assert (looked.status_code, looked.headers["Content-Length"]) == (200, str(LARGE))


def test_at_a_mirrors_host_names_stand_without_the_project(ours: Stack, far: PlainRegistry) -> None:
    """As docker asks a `registry-mirrors`: the token by the name that it knows, at the address that it is sent to."""
    digest, layer = large(far, "library/alone", "v1")
    cache(ours, "mirrored", far.url, public="true")
    there = f"https://127.0.0.1:{ours.ports['https']}"
    session = requests.Session()
    session.trust_env, session.verify = False, str(ours.ca)
    greeted = session.get(f"{there}/v2/", timeout=10)
    assert greeted.status_code == 401
    realm = f'realm="{there}/service/token"'
    assert realm in greeted.headers["WWW-Authenticate"]
    scope = "repository:library/alone:pull"
    asked = session.get(f"{there}/service/token", params={"service": "harbor-registry", "scope": scope}, timeout=10).json()
    session.headers.update({"Authorization": f"Bearer {asked['token']}", "Accept": OCI_MANIFEST})
    for _ in range(2):
        got = session.get(f"{there}/v2/library/alone/manifests/v1", timeout=10)
        assert (got.status_code, got.headers["Docker-Content-Digest"]) == (200, digest), got.text
        read = session.get(f"{there}/v2/library/alone/blobs/{layer}", timeout=10)
        assert "sha256:" + hashlib.sha256(read.content).hexdigest() == layer
        eventually(lambda: tags(ours, "mirrored", "library%252Falone") == {"v1": digest}, seconds=30)
    listed = session.get(f"{there}/v2/library/alone/tags/list?n=0", timeout=10)
    assert listed.json() == {"name": "mirrored/library/alone", "tags": []}
    assert session.get(f"{there}/v2/library/none/manifests/v1", timeout=10).status_code == 401, "of which the token is not"
    assert session.get(f"{ours.url}/v2/library/alone/manifests/v1", timeout=10).status_code in (401, 404), (
        "at our own host it is none"
    )


@pytest.mark.parametrize("namespace", ["docker.io", "localhost:5000"])
def test_containerds_namespace_stands_for_a_project(ours: Stack, far: PlainRegistry, namespace: str) -> None:
    digest = far.image("library/spaced", "v1")
    if ours.api("HEAD", "/projects?project_name=mirrored").status_code != 200:
        cache(ours, "mirrored", far.url, public="true")
    session = requests.Session()
    session.trust_env, session.verify = False, str(ours.ca)
    path, query = f"{ours.url}/v2/library/spaced/manifests/v1", {"ns": namespace}
    greeted = session.get(path, params=query, timeout=10)
    assert 'scope="repository:mirrored/library/spaced:pull"' in greeted.headers["WWW-Authenticate"], greeted.text
    token = ours.token("repository:mirrored/library/spaced:pull").json()["token"]
    session.headers.update({"Authorization": f"Bearer {token}", "Accept": OCI_MANIFEST})
    got = session.get(path, params=query, timeout=10)
    assert (got.status_code, got.headers["Docker-Content-Digest"]) == (200, digest), got.text
    assert session.get(path, timeout=10).status_code in (401, 404)
    assert session.get(path, params={"ns": "quay.io"}, timeout=10).status_code in (401, 404)


def test_only_the_worker_comes_in_behind(ours: Stack, far: PlainRegistry) -> None:
    digest = far.image("inner", "v1")
    cache(ours, "inner", far.url)
    inner = f"http://127.0.0.1:{ours.ports['cache']}/1/v2/inner/inner/manifests/{digest}"
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp4"}):
        assert requests.get(inner, headers=headers, timeout=10).status_code == 404
    assert (
        requests.get(
            f"{ours.url}/internal/upstream/v2/inner/inner/manifests/{digest}", verify=str(ours.ca), timeout=10
        ).status_code
        == 404
    )
    direct = f"http://127.0.0.1:{ours.ports['api']}/internal/upstream/v2/inner/inner/manifests/{digest}"
    assert requests.get(direct, timeout=10).status_code == 404
    nobody = requests.get(f"{ours.url}/v2/inner/inner/manifests/{digest}", verify=str(ours.ca), timeout=10)
    assert nobody.status_code == 401
    for path in (f"manifests/{digest}", f"blobs/{digest}"):
        other = requests.get(f"http://127.0.0.1:{ours.ports['api']}/v2/inner/inner/{path}", timeout=10)
        assert other.status_code in (401, 404), other.text
