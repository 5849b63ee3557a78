"""Artifacts of all kinds in a real registry, recorded in the index of a world."""

from __future__ import annotations

import gzip
import io
import json
import secrets
import tarfile
from dataclasses import dataclass, field
from typing import Any

from authsvc.artifacts import intake
from authsvc.core.db import utcnow
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry
from tests.support.world import World

HELM_CONFIG, HELM_CONTENT = "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def archive(files: dict[str, bytes]) -> bytes:
    """A gzipped tar of these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


@dataclass
class Shelf:
    """A project of a world, with a real registry behind it; repositories are named within the project."""

    world: World
    registry: PlainRegistry
    project: str = field(default_factory=lambda: f"shelf-{secrets.token_hex(4)}")

    def __post_init__(self) -> None:
        self.project_id = self.world.project(self.project, 1)

    def record(self, repository: str, reference: str) -> str:
        """Let the index have what the registry has under a tag or digest; returns the digest."""
        name = f"{self.project}/{repository}"
        with self.world.front.flask.app_context():
            fetched = intake.fetch(self.registry.client, name, reference)
        assert fetched is not None
        with self.world.changes():
            intake.store(name, fetched, None if ":" in reference else reference, utcnow())
        return fetched.manifest.digest

    def image(self, repository: str, tag: str, content: str = "x", architecture: str = "amd64") -> str:
        self.registry.image(f"{self.project}/{repository}", tag, content=content, architecture=architecture)
        return self.record(repository, tag)

    def index(self, repository: str, tag: str, *architectures: str) -> tuple[str, list[str]]:
        """An index of images without tags; returns its digest and theirs."""
        name = f"{self.project}/{repository}"
        children = {self.registry.image(name, None, content=f"{tag} {one}", architecture=one): one for one in architectures}
        self.registry.index(name, tag, children)
        for child in children:
            self.record(repository, child)
        return self.record(repository, tag), list(children)

    def manifest(self, repository: str, tag: str, config: tuple[bytes, str], *layers: tuple[bytes, str], **more: Any) -> str:
        """Any manifest, of a config and layers (bytes, media type)."""
        name = f"{self.project}/{repository}"
        pushed = [self.registry.blob(name, *layer) for layer in layers]
        for layer, notes in zip(pushed, more.pop("layer_annotations", ()), strict=False):
            layer["annotations"] = notes
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": self.registry.blob(name, *config), "layers": pushed}
        self.registry.put(name, tag, body | more)
        return self.record(repository, tag)

    def chart(self, repository: str, tag: str, files: dict[str, bytes], **metadata: Any) -> str:
        """A Helm chart, as `helm push` makes them."""
        config = json.dumps({"name": repository, "version": tag, "apiVersion": "v2", **metadata}).encode()
        content = archive({f"{repository}/{name}": data for name, data in files.items()})
        return self.manifest(repository, tag, (config, HELM_CONFIG), (content, HELM_CONTENT))

    def path(self, repository: str, rest: str = "") -> str:
        return f"/projects/{self.project}/repositories/{repository.replace('/', '%252F')}/artifacts{rest}"

    def get(self, repository: str, rest: str = "", who: str = "admin") -> Any:
        response = self.world.api("GET", self.path(repository, rest), who)
        assert response.status_code == 200, response.text
        return response.get_json()


__all__ = ["CONFIG_TYPE", "HELM_CONFIG", "HELM_CONTENT", "LAYER_TYPE", "OCI_INDEX", "Shelf", "archive"]
