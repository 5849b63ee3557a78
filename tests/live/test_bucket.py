"""Blobs in a bucket: pushed, pulled by clients that are sent there, and gone with their project."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import requests

from tests.support import registry3
from tests.support.rawclient import RawClient
from tests.support.registry import digest_of
from tests.support.s3 import BUCKET, s3
from tests.support.stack import Stack


def _registry(version: str) -> str:
    try:
        return str(registry3.program(version)) if version else "docker-registry"
    except registry3.NoGo as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("version", ["", registry3.VERSIONS[-1]], ids=["registry 2", "registry 3"])
def test_a_stack_on_a_bucket(own_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with s3(tmp_path) as store:
        stack = own_stack.start(REGISTRY_STORAGE_FILE=str(store.described(tmp_path)), REGISTRY_PROGRAM=_registry(version))
        assert stack.api("GET", "/systeminfo").json()["registry_storage_provider_name"] == "s3"
        assert stack.api("GET", "/systeminfo/volumes").status_code == 404
        found = {
            one["name"]: one for one in json.loads(stack.cli("doctor", "-o", "json", "parts", "outside", check=False).stdout)
        }
        assert found["parts.storage"]["said"] == f"the registry stores in s3://{BUCKET}, which answers"
        assert [one for one in found.values() if one["status"] == "error"] == []
        _clients_are_sent_there(stack, tmp_path, store.url)
        _it_goes_with_its_project(stack)
        logs = "".join(path.read_text(errors="replace") for path in stack.log_dir.iterdir())
        assert "canary-of-the-bucket" not in logs


def _clients_are_sent_there(stack: Stack, tmp_path: Path, url: str) -> None:
    client = RawClient(stack, stack.admin)
    client.push("library/app", "v1", content="in a bucket")
    digest = digest_of(b"layer in a bucket")
    sent = client.request("GET", f"/v2/library/app/blobs/{digest}", "repository:library/app:pull")
    assert (sent.status_code, sent.headers["Location"].startswith(url)) == (307, True)
    assert requests.get(sent.headers["Location"], timeout=10).content == b"layer in a bucket"
    assert client.request("GET", f"/v2/library/app/blobs/{digest}").status_code == 401
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(stack.ca.read_bytes())
    image = f"docker://{stack.host}/library/app:v1"
    command = ["skopeo", "copy", "--quiet", f"--src-cert-dir={certificates}", image, f"dir:{tmp_path / 'pulled'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "pulled" / digest.partition(":")[2]).read_bytes() == b"layer in a bucket"


def _it_goes_with_its_project(stack: Stack) -> None:
    """Whoever makes a project of that name does not get it by its digest."""
    client, digest = RawClient(stack, stack.admin), digest_of(b"layer secret")
    for _ in range(2):
        assert stack.api("POST", "/projects", json={"project_name": "secret"}).status_code == 201
        found = client.request("HEAD", f"/v2/secret/app/blobs/{digest}", "repository:secret/app:pull")
        assert found.status_code == 404, "of the project that was"
        client.push("secret/app", "v1", content="secret")
        assert stack.api("DELETE", "/projects/secret/repositories/app").status_code == 200
        assert stack.api("DELETE", "/projects/secret").status_code == 200
