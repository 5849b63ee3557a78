"""Reading a manifest from the registry with all that is recorded of it, and recording it: two steps, since the registry is
asked outside of transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authsvc.artifacts import record
from authsvc.artifacts.models import Artifact
from authsvc.artifacts.sizes import measured
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import Manifest, attributes, parse
from authsvc.distribution.untag import is_throw_away
from authsvc.repositories import service as repositories

_MAX_CONFIG = 4 * 1024 * 1024
_MAX_KEPT = 256 * 1024  # of what is no image the whole config is kept


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest and, of an image, what its config says: read from the registry before any transaction begins."""

    manifest: Manifest
    extra_attrs: dict[str, Any]


def fetch(client: RegistryClient, repository: str, reference: str) -> Fetched | None:
    """Read a manifest and its config from the registry; None if the registry has no such manifest, or only one that
    stands for a tag which is being deleted.

    Raises:
        Unavailable: the registry does not answer.
        ManifestInvalid: it answers something that is no manifest.
    """
    content: Content | None = client.manifest(repository, reference)
    if content is None:
        return None
    manifest = parse(content.data, content.media_type)
    return None if is_throw_away(manifest) else describe(client, repository, measured(client, repository, manifest))


def describe(client: RegistryClient, repository: str, manifest: Manifest) -> Fetched:
    """A manifest that the registry has, with its blobs' true sizes, and what its config says.

    Raises:
        Unavailable
    """
    config = manifest.config
    limit = _MAX_CONFIG if manifest.kind == "IMAGE" else _MAX_KEPT
    blob = client.blob(repository, config.digest, limit) if config is not None and config.size <= limit else None
    return Fetched(manifest, attributes(manifest, blob) if blob else {})


def store(repository_name: str, fetched: Fetched, tag: str | None, at: datetime) -> Artifact | None:
    """Record what was fetched, and the tag that points to it; None if no project of ours could hold it."""
    repository = repositories.ensure(repository_name, at)
    if repository is None:
        return None
    artifact = record.artifact(repository, fetched.manifest, fetched.extra_attrs, at)
    if tag is not None:
        record.tag(repository, tag, artifact, at)
    return artifact
