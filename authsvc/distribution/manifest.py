"""Manifests and indexes, parsed once into frozen data.

Source: OCI image spec 1.1 (manifest, index, descriptor) and Docker image manifest v2 schema 2 (manifest, list).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authsvc.core.names import is_digest
from authsvc.core.text import is_storable

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
# Schema 1 is listed last and on purpose: asked without it, registry 2.8 converts or fails instead of telling the truth.
ACCEPTED = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
# Layers that are fetched from their URLs, and that registries do not store. The registry itself insists on URLs of Docker's.
FOREIGN_OF_DOCKER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
FOREIGN = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        FOREIGN_OF_DOCKER,
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
MAX_BYTES = 4 * 1024 * 1024
_MAX_ENTRIES = 10_000
_MAX_SIZE = 2**44  # bytes of a blob: more than there is, and so little that sums of it fit into the database
_MAX_DEPTH = 64

_KNOWN_TYPES = {
    "application/vnd.oci.image.config.v1+json": "IMAGE",
    "application/vnd.docker.container.image.v1+json": "IMAGE",
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cncf.model.config.v1+json": "CNAI",
    "application/vnd.cnai.model.config.v1+json": "CNAI",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.goharbor.harbor.sbom.v1": "SBOM",
    "application/vnd.wasm.config.v1+json": "WASM",
}
# Modules that come with an image's config say what they are in annotations.
_WASM_ANNOTATIONS = frozenset({("module.wasm.image/variant", "compat"), ("run.oci.handler", "wasm")})
_TYPE_BY_CONFIG = re.compile(r"application/vnd\.[^.]*\.([^.]*)\.config\.[^.]*")


class ManifestInvalid(ValueError):
    """Not a manifest that we can trust; the text says why."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of one blob or child; `size` in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest (config and layers) or an index (manifests); `size` is its own length in bytes."""

    digest: str
    media_type: str
    size: int
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    declared_artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES

    @property
    def artifact_type(self) -> str:
        """OCI 1.1: `artifactType`, else the config's media type."""
        return self.declared_artifact_type or (self.config.media_type if self.config else "")

    @property
    def kind(self) -> str:
        """Harbor's artifact type: IMAGE, CHART, ..., from the config's media type; UNKNOWN where it says nothing. An index
        is of images, unless an annotation says what it is (CNAB does)."""
        if self.is_index:
            return _KNOWN_TYPES.get(self.annotations.get("org.opencontainers.artifactType", ""), "IMAGE")
        if not _WASM_ANNOTATIONS.isdisjoint(self.annotations.items()):
            return "WASM"
        media_type = self.config.media_type if self.config else ""
        if media_type in _KNOWN_TYPES:
            return _KNOWN_TYPES[media_type]
        match = _TYPE_BY_CONFIG.fullmatch(media_type)
        return match[1].upper() if match else "UNKNOWN"

    @property
    def stored(self) -> tuple[Descriptor, ...]:
        """What the registry stores for it: itself, config and layers, each digest once; no layers that live elsewhere."""
        itself = Descriptor(self.media_type, self.digest, self.size)
        return (itself, *(blob for blob in self.blobs if blob.media_type not in FOREIGN and blob.digest != self.digest))

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each digest once."""
        every = (self.config, *self.layers) if self.config else self.layers
        return tuple({blob.digest: blob for blob in every}.values())


def parse(content: bytes, content_type: str) -> Manifest:
    """Parse a manifest's bytes; the digest is computed from them.

    Raises:
        ManifestInvalid: not JSON, a media type we do not know or one that contradicts the content (a document with
            both `layers` and `manifests` can be read as two different things), or malformed descriptors.
    """
    if len(content) > MAX_BYTES:
        raise ManifestInvalid(f"larger than {MAX_BYTES} bytes")
    document = _load(content)
    if document is None:
        raise ManifestInvalid("not a JSON object")
    if not is_storable(document):
        raise ManifestInvalid("a NUL character, or half of a surrogate pair, is in one of its texts")
    media_type = content_type.partition(";")[0].strip() or str(document.get("mediaType", ""))
    if media_type not in ACCEPTED:
        raise ManifestInvalid(f"media type {media_type[:80]!r} is not supported")
    if document.get("mediaType", media_type) != media_type:
        raise ManifestInvalid("the mediaType inside is not the Content-Type outside")
    if "layers" in document and "manifests" in document:
        raise ManifestInvalid("both layers and manifests")
    is_index = media_type in INDEXES
    if "manifests" not in document if is_index else "config" not in document:
        raise ManifestInvalid("neither a manifest with a config nor an index with manifests")
    return Manifest(
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        size=len(content),
        config=None if is_index else _descriptor(document["config"]),
        layers=() if is_index else _descriptors(document.get("layers")),
        manifests=_descriptors(document["manifests"]) if is_index else (),
        subject=_descriptor(document["subject"]) if document.get("subject") else None,
        declared_artifact_type=_text(document.get("artifactType")),
        annotations=_annotations(document.get("annotations")),
    )


def _load(data: bytes) -> dict[str, Any] | None:
    """A JSON object with RFC 8259's numbers only, and not nested beyond reason; else None."""
    try:
        document = json.loads(data, parse_constant=_refuse, parse_float=_finite)
        return document if isinstance(document, dict) and _is_shallow(document, _MAX_DEPTH) else None
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _is_shallow(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _descriptors(value: Any) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        raise ManifestInvalid("layers or manifests is not a list of a sensible length")
    return tuple(_descriptor(item) for item in value)


def _descriptor(value: Any) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestInvalid("a descriptor is not an object")
    digest, size = value.get("digest"), value.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise ManifestInvalid("a descriptor has no usable digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _MAX_SIZE:
        raise ManifestInvalid("a descriptor has no usable size")
    platform, urls = value.get("platform"), value.get("urls")
    return Descriptor(
        media_type=_text(value.get("mediaType")),
        digest=digest,
        size=size,
        platform=platform if isinstance(platform, dict) else None,
        annotations=_annotations(value.get("annotations")),
        urls=tuple(_text(url) for url in urls) if isinstance(urls, list) else (),
    )


def _annotations(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _text(value: Any) -> str:
    return value[:255] if isinstance(value, str) else ""


def attributes(manifest: Manifest, config: bytes) -> dict[str, Any]:
    """Harbor's `extra_attrs` from the config blob: of an image what its users look for (OCI image spec, "Image
    Configuration"), of anything else all of it; {} if it is no JSON object, or cannot be stored."""
    document = _load(config)
    if document is None or not is_storable(document):
        return {}
    if manifest.kind != "IMAGE":
        return document
    names = ("architecture", "os", "variant", "author", "created", "config")
    return {name: document[name] for name in names if document.get(name)}
