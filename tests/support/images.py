"""Images from nothing: OCI layouts on disk, for clients to push without a network."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE


class Layout:
    """An OCI image layout (image spec, "Image Layout")."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        hexadecimal = hashlib.sha256(data).hexdigest()
        (self.path / "blobs" / "sha256" / hexadecimal).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{hexadecimal}", "size": len(data)}

    def image(self, content: str, architecture: str = "amd64") -> dict[str, Any]:
        """An image with one layer that holds one file; returns its descriptor."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            entry = tarfile.TarInfo("hello.txt")
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
        raw = layer.getvalue()
        diff_id = "sha256:" + hashlib.sha256(raw).hexdigest()
        rootfs = {"type": "layers", "diff_ids": [diff_id]}
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]}, "rootfs": rootfs}
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(json.dumps(config).encode(), CONFIG_TYPE),
            "layers": [self.blob(gzip.compress(raw, mtime=0), LAYER_TYPE)],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return self.blob(json.dumps(manifest).encode(), OCI_MANIFEST) | {"platform": platform}

    def tag(self, name: str, *images: dict[str, Any]) -> str:
        """Name one image, or an index of several; returns the digest."""
        target = images[0]
        if len(images) > 1:
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(images)}
            target = self.blob(json.dumps(index).encode(), OCI_INDEX)
        entry = {**target, "annotations": {"org.opencontainers.image.ref.name": name}}
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return str(target["digest"])
