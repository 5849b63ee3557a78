"""A real registry without authentication, in memory, for tests of what listens to it and reads from it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from tests.support.certificates import Authority
from tests.support.ports import free_ports
from tests.support.waiting import until_up

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class PlainRegistry:
    """Pushes and deletes by raw HTTP; `client` is the product's own."""

    url: str

    def __post_init__(self) -> None:
        self.client = RegistryClient(self.url, lambda scope: "")

    def blob(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        started = requests.post(f"{self.url}/v2/{repository}/blobs/uploads/", timeout=10)
        location = requests.compat.urljoin(self.url, started.headers["Location"])
        done = requests.put(location, params={"digest": digest_of(data)}, data=data, timeout=10)
        assert done.status_code == 201, done.text
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def image(self, repository: str, reference: str | None, *, content: str = "x", architecture: str = "amd64") -> str:
        """Push an image that differs by `content`; by tag, or by digest if there is none. Returns its digest."""
        config = json.dumps({"architecture": architecture, "os": "linux", "author": content, "config": {"Env": ["A=b"]}}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(repository, config, CONFIG_TYPE),
            "layers": [self.blob(repository, f"layer {content}".encode(), LAYER_TYPE)],
            "annotations": {"made.by": "tests"},
        }
        return self.put(repository, reference, manifest)

    def index(self, repository: str, reference: str | None, children: dict[str, str]) -> str:
        """Push an index of digest -> architecture."""
        manifests = []
        for child, architecture in children.items():
            size = len(
                requests.get(
                    f"{self.url}/v2/{repository}/manifests/{child}", headers={"Accept": OCI_MANIFEST}, timeout=10
                ).content
            )
            platform = {"architecture": architecture, "os": "linux"}
            manifests.append({"mediaType": OCI_MANIFEST, "digest": child, "size": size, "platform": platform})
        return self.put(repository, reference, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})

    def put(self, repository: str, reference: str | None, manifest: dict[str, Any]) -> str:
        data = json.dumps(manifest).encode()
        url = f"{self.url}/v2/{repository}/manifests/{reference or digest_of(data)}"
        done = requests.put(url, data=data, headers={"Content-Type": manifest["mediaType"]}, timeout=10)
        assert done.status_code == 201, done.text
        return digest_of(data)

    def delete(self, repository: str, digest: str) -> None:
        assert requests.delete(f"{self.url}/v2/{repository}/manifests/{digest}", timeout=10).status_code == 202


@contextmanager
def plain_registry(
    directory: Path,
    *,
    program: str = "",
    authority: Authority | None = None,
    htpasswd: str = "",
    storage: Mapping[str, Any] | None = None,
) -> Iterator[PlainRegistry]:
    """Start one on a free port, and stop it: 2.8 unless another program is named, in memory unless another storage; over TLS and
    with a password file where asked for."""
    program = program or shutil.which("docker-registry") or ""
    assert program, "docker-registry is not installed; on Debian: apt-get install docker-registry"
    port = free_ports(1)[0]
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {**(storage or {"inmemory": {}}), "delete": {"enabled": True}},
        "validation": {"manifests": {"urls": {"allow": ["^https://"]}}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "for tests", "relativeurls": True},
    }
    if authority is not None:
        config["http"] |= {"tls": {"certificate": str(authority.certificate), "key": str(authority.key)}}
    if htpasswd:
        (directory / "htpasswd").write_text(htpasswd)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
    file = directory / "registry.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    log = directory / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", str(file)], stdout=output, stderr=output)
    registry = PlainRegistry(f"{'https' if authority else 'http'}://127.0.0.1:{port}")
    try:
        until_up(process, log, lambda: _answers(registry.url))
        yield registry
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(url: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its certificate is not verified here
        return requests.get(f"{url}/v2/", timeout=5, verify=False).status_code in (200, 401)
