"""Manifests that are put where the registry would put them, past it: it has them as if it had done so itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authsvc.core.errors import Unavailable
from authsvc.distribution import driver
from authsvc.distribution.bucket import Bucket
from authsvc.distribution.directory import ELSEWHERE, Directory
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from authsvc.distribution.storage import Storage
from tests.support import registry3
from tests.support.registry import PlainRegistry, digest_of, plain_registry
from tests.support.registry3 import VERSIONS, NoGo
from tests.support.s3 import s3

pytestmark = pytest.mark.once


@dataclass
class Place:
    registry: PlainRegistry
    storage: Storage


def _program(version: str) -> str:
    try:
        return str(registry3.program(version)) if version else ""
    except NoGo as error:
        pytest.skip(str(error))


@pytest.fixture(params=[(kind, version) for kind in ("directory", "bucket") for version in ("", VERSIONS[-1])], ids=str)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    kind, version = request.param
    program = _program(version)
    if kind == "directory":
        root = tmp_path / "root"
        with plain_registry(tmp_path, program=program, storage={"filesystem": {"rootdirectory": str(root)}}) as running:
            yield Place(running, Directory(root))
        return
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    (tmp_path / "s3").mkdir()
    with s3(tmp_path / "s3") as store, plain_registry(tmp_path, program=program, storage={"s3": store.parameters}) as running:
        yield Place(running, Bucket(driver.read(store.described(tmp_path))))


def test_an_index_of_which_only_some_is_there(place: Place) -> None:
    registry, storage = place.registry, place.storage
    child = registry.image("web/app", None)
    missing = digest_of(b"not there")
    manifests = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 10} for digest in (child, missing)]
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    digest = digest_of(data)
    assert storage.put_manifest("web/app", digest, data, "v1")
    for reference in ("v1", digest):
        found = registry.client.manifest("web/app", reference)
        assert found is not None, reference
        assert (found.data, found.media_type, found.digest) == (data, OCI_INDEX, digest)
    assert registry.client.tags("web/app") == ["v1"]
    assert registry.client.manifest("web/app", missing) is None
    assert registry.client.manifest("web/other", digest) is None, "of this repository alone"
    assert dict(storage.all_manifests())["web/app"] == {child, digest}
    other = registry.image("web/app", "v1", content="later")
    assert registry.client.digest_of("web/app", "v1") == other, "the registry moves the tag"
    assert storage.put_manifest("web/app", digest, data, "v1")
    assert registry.client.digest_of("web/app", "v1") == digest, "and so do we"
    registry.delete("web/app", digest)
    assert registry.client.manifest("web/app", digest) is None
    assert registry.client.manifest("web/app", "v1") is None
    assert registry.client.manifest("web/app", child) is not None


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    data = b"{}"
    assert not ELSEWHERE.put_manifest("web/app", digest_of(data), data)
    assert not Directory(tmp_path).put_manifest("web/app", digest_of(data), data), "no registry stores there"
    directory = Directory(tmp_path)
    directory.blobs.mkdir(parents=True)
    directory.repositories.write_text("in the way")
    with pytest.raises(Unavailable):
        directory.put_manifest("web/app", digest_of(data), data)


def test_it_is_as_open_to_nginx_as_what_is_above_it(tmp_path: Path) -> None:
    directory, data = Directory(tmp_path), b"{}"
    directory.blobs.mkdir(parents=True)
    for made in (directory.blobs, directory.tree):
        made.chmod(0o2750)
    assert directory.put_manifest("web/app", digest_of(data), data, "v1")
    file = directory.file(digest_of(data))
    assert {one.stat().st_mode & 0o7777 for one in (file.parent, file.parent.parent, directory.repositories / "web")} == {0o2750}
    assert file.stat().st_mode & 0o777 == 0o640
    assert not [one for one in tmp_path.rglob("*") if one.is_file() and one.name not in ("data", "link")], "nothing is left over"
