"""Writing to a real registry: manifests, blobs, mounts, and one tag of several."""

from __future__ import annotations

import json
import uuid

import pytest

from authsvc.core.errors import Unavailable
from authsvc.distribution.client import Refused, RegistryClient
from authsvc.distribution.manifest import OCI_MANIFEST, parse
from authsvc.distribution.untag import finish, is_throw_away, untag
from tests.support.registry import CONFIG_TYPE, PlainRegistry, digest_of


def name() -> str:
    return f"web/{uuid.uuid4().hex[:12]}"


def image(client: RegistryClient, repository: str, content: bytes) -> bytes:
    client.put_blob(repository, content)
    config = {"mediaType": CONFIG_TYPE, "digest": digest_of(content), "size": len(content)}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}).encode()


def test_a_manifest_with_its_blob(registry: PlainRegistry) -> None:
    client, repository = registry.client, name()
    manifest = image(client, repository, b'{"a":1}')
    assert client.put_manifest(repository, "v1", manifest, OCI_MANIFEST) == digest_of(manifest)
    stored = client.manifest(repository, "v1")
    assert stored is not None
    assert (stored.data, stored.media_type) == (manifest, OCI_MANIFEST)
    assert client.blob(repository, digest_of(b'{"a":1}'), 100) == b'{"a":1}'


def test_what_the_registry_will_not_have_is_no_outage(registry: PlainRegistry) -> None:
    manifest = image(registry.client, name(), b"{}")
    with pytest.raises(Refused) as refused:
        registry.client.put_manifest(name(), "v1", manifest, OCI_MANIFEST)
    assert refused.value.status == 404 or "MANIFEST_BLOB_UNKNOWN" in refused.value.message
    with pytest.raises(Unavailable):
        RegistryClient("http://127.0.0.1:1", lambda _: "").put_blob("web/app", b"x")


def test_a_mount_copies_nothing_and_says_when_there_is_nothing(registry: PlainRegistry) -> None:
    client, source, target = registry.client, name(), name()
    digest = client.put_blob(source, b"shared")
    assert client.mount_blob(target, digest, source)
    assert client.blob(target, digest, 100) == b"shared"
    assert not client.mount_blob(target, digest_of(b"nobody has it"), source)


def test_one_tag_of_several_goes_alone(registry: PlainRegistry) -> None:
    client, repository = registry.client, name()
    digest = registry.image(repository, "a")
    assert registry.image(repository, "b") == digest
    untag(client, repository, "a")
    assert client.digest_of(repository, "a") is None
    assert client.digest_of(repository, "b") == client.digest_of(repository, digest) == digest
    assert client.tags(repository) == ["b"]
    untag(client, repository, "a")
    untag(client, repository, "b")
    assert client.tags(repository) == []
    assert client.digest_of(repository, digest) == digest, "without a tag it is still there"


def test_half_a_deletion_is_finished_and_nothing_else_is_taken_for_one(registry: PlainRegistry) -> None:
    client, repository = registry.client, name()
    digest = registry.image(repository, "a")

    class Dies(RegistryClient):
        def delete(self, repository: str, digest: str) -> bool:
            raise Unavailable("killed")

    with pytest.raises(Unavailable):
        untag(Dies(registry.url, lambda _: ""), repository, "a")
    left = client.manifest(repository, "a")
    assert left is not None
    assert is_throw_away(parse(left.data, left.media_type))
    assert not finish(client, repository, digest)
    assert finish(client, repository, left.digest)
    assert client.digest_of(repository, "a") is None
    assert client.digest_of(repository, digest) == digest
    named_like_one = json.loads(left.data) | {"layers": [registry.blob(repository, b"payload", "application/x")]}
    kept = registry.put(repository, "fake", named_like_one)
    assert not finish(client, repository, kept)
    assert client.digest_of(repository, "fake") == kept
