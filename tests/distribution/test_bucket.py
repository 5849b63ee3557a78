"""A registry that stores in a bucket: what the operator says of it, and what is taken away there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from authsvc.core.errors import PreconditionFailed, Unavailable
from authsvc.distribution import driver, stores
from authsvc.distribution.bucket import Bucket
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.directory import ELSEWHERE, Directory
from tests.support.ports import free_ports
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.s3 import S3, s3

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def registry(store: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        with plain_registry(tmp_path_factory.mktemp("registry"), storage={"s3": store.parameters}) as running:
            yield running


@pytest.fixture
def bucket(store: S3, tmp_path: Path) -> Bucket:
    return Bucket(driver.read(store.described(tmp_path)))


def test_what_a_project_has_is_taken_away_and_nothing_else(registry: PlainRegistry, bucket: Bucket) -> None:
    for name in ("web/app", "web/deep/er", "web2/app", "we"):
        registry.image(name, "v1")
    assert all(bucket.has_manifests(name) for name in ("web", "web2", "we"))
    assert not bucket.has_manifests("w")
    assert bucket.take_project("web")
    assert [bucket.has_manifests(name) for name in ("web", "web2", "we")] == [False, True, True]
    for name, there in (("web/app", 404), ("web/deep/er", 404), ("web2/app", 200), ("we", 200)):
        assert (registry.client.manifest(name, "v1") is not None) == (there == 200), name


def test_layers_of_a_project_that_is_gone_are_nobodys(registry: PlainRegistry, bucket: Bucket) -> None:
    """Whoever knows their digests, and makes a project of that name, does not get them."""
    layer = registry.blob("gone/app", b"a secret layer", "application/octet-stream")
    assert not bucket.has_manifests("gone"), "layers alone are no images"
    assert registry.client.blob_size("gone/app", layer["digest"]) == len(b"a secret layer")
    assert bucket.take_project("gone")
    assert registry.client.blob_size("gone/app", layer["digest"]) is None


def test_its_single_blobs_are_elsewhere(bucket: Bucket, tmp_path: Path) -> None:
    assert stores.directory(bucket) is ELSEWHERE
    assert stores.directory(Directory(tmp_path)) == Directory(tmp_path)


def test_a_repository_is_taken_without_those_below_it(registry: PlainRegistry, bucket: Bucket) -> None:
    for name in ("tree/app", "tree/app/below"):
        registry.image(name, "v1")
    assert bucket.take_repository("tree/app")
    assert registry.client.manifest("tree/app", "v1") is None
    assert registry.client.manifest("tree/app/below", "v1") is not None


def test_one_that_is_away_is_said_and_nothing_is_taken_for_gone(store: S3, tmp_path: Path) -> None:
    away = store.parameters | {"forcepathstyle": True, "regionendpoint": f"http://127.0.0.1:{free_ports(1)[0]}"}
    bucket = Bucket(driver.Driver("s3", away, redirects=True))
    with pytest.raises(Unavailable, match="s3://images does not answer") as raised:
        bucket.has_manifests("web")
    assert "canary" not in str(raised.value)
    with capture_logs() as logged:
        assert not bucket.take_project("web")
    assert logged[0]["event"] == "not_removed"
    with pytest.raises(Unavailable, match="s3://images"):
        bucket.look()
    missing = Bucket(driver.Driver("s3", store.parameters | {"forcepathstyle": True, "bucket": "another"}, redirects=True))
    with pytest.raises(Unavailable, match=r"NoSuchBucket: The specified bucket does not exist$"):
        missing.look()


WRONG: list[tuple[Any, str]] = [
    ("", "holds no section such as s3, gcs or azure"),
    ("- s3", "holds no section such as s3, gcs or azure"),
    ("s3: [", "is no YAML: see line 1"),
    ("a: b\ns3: {secretkey: 'canary", "is no YAML: see line 2"),
    ({"filesystem": {"rootdirectory": "/x"}}, "one of s3, gcs and azure is expected, not filesystem"),
    ({"s3": {"region": "x", "bucket": "y"}, "delete": {"enabled": False}}, "not delete"),
    ({"s3": {"region": "x", "bucket": "y"}, "gcs": {"bucket": "y"}}, "one of s3, gcs and azure is expected"),
    ({"s3": {"region": "x"}}, "s3 needs bucket"),
    ({"s3": None}, "s3 and redirect have parameters"),
    ({"azure": {}}, "azure needs accountname and container"),
    ({"gcs": {"bucket": "y"}, "redirect": [1]}, "gcs and redirect have parameters"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_a_driver_is_said(tmp_path: Path, text: Any, said: str) -> None:
    file = tmp_path / "storage.yml"
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    file.chmod(0o600)
    with pytest.raises(PreconditionFailed, match=said) as raised:
        driver.read(file)
    assert "canary" not in str(raised.value)


def test_as_it_stands_in_the_registrys_own_file(tmp_path: Path) -> None:
    given = {"s3": {"region": "eu-central-1", "bucket": "images"}, "redirect": {"disable": True}}
    for number, text in enumerate((given, {"storage": given})):
        file = tmp_path / f"{number}.yml"
        file.write_text(yaml.safe_dump(text))
        file.chmod(0o600)
        found = driver.read(file)
        assert (found.name, found.parameters["bucket"], found.redirects, found.bucket) == ("s3", "images", False, "s3://images")
    with pytest.raises(PreconditionFailed, match="cannot be read"):
        driver.read(tmp_path / "nowhere.yml")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("s3", {"region": "eu-central-1", "bucket": "images"}),
        ("s3", {"region": "eu-central-1", "bucket": "images", "regionendpoint": "minio.example.com:9000", "secure": True}),
        ("azure", {"accountname": "account", "container": "images", "accountkey": "a2V5"}),
        ("gcs", {"bucket": "images"}),
    ],
)
def test_each_is_opened_without_asking_anybody(name: str, parameters: dict[str, Any]) -> None:
    assert driver.Driver(name, parameters, redirects=True).open()


def test_our_own_client_goes_where_it_is_sent(registry: PlainRegistry) -> None:
    """And shows nobody there what it shows the registry."""
    layer = registry.blob("sent/app", b"a layer in a bucket", "application/octet-stream")
    client = RegistryClient(registry.url, lambda scope: "Bearer canary")
    assert client.blob("sent/app", layer["digest"], 100) == b"a layer in a bucket"
    assert client.blob("sent/app", layer["digest"], 5) is None
    assert client.blob_size("sent/app", layer["digest"]) == len(b"a layer in a bucket")
