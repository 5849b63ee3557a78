"""Deleting one tag on a registry that deletes by digest only (distribution 2.8), where that would take all tags with it.

A unique throw-away manifest is pushed over the tag, and then deleted by its digest: only that one tag goes with it.
Who dies in between leaves a tag that points to a throw-away. It means that the tag was to be deleted, so whoever finds
one finishes the work; a throw-away itself is never taken for an artifact.

Who calls holds the tag (`artifacts.journal`), for both: 2.8 looks which tags are on a digest that goes, and forgets them one
after the other, also one that somebody has moved in between.
"""

from __future__ import annotations

import json
import secrets

from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import OCI_MANIFEST, Manifest, ManifestInvalid, parse

_THROW_AWAY = "application/vnd.tidegate.throw-away.v1"
_EMPTY = b"{}"  # OCI image spec 1.1, "Guidance for an Empty Descriptor"
_EMPTY_DESCRIPTOR = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": len(_EMPTY),
}


def untag(client: RegistryClient, repository: str, tag: str) -> None:
    """Delete a tag; its manifest and the other tags on it stay. One that is gone already is no error.

    Raises:
        Unavailable, Refused: it may be half done then, which `finish` mends.
    """
    if client.delete_tag(repository, tag):
        return
    client.put_blob(repository, _EMPTY)
    digest = client.put_manifest(repository, tag, _throw_away(), OCI_MANIFEST)
    client.delete(repository, digest)


def finish(client: RegistryClient, repository: str, digest: str) -> bool:
    """Delete a throw-away, and the tag with it, that somebody left behind; False if the digest is none.

    Raises:
        Unavailable
    """
    content = client.manifest(repository, digest)
    try:
        if content is None or not is_throw_away(parse(content.data, content.media_type)):
            return False
    except ManifestInvalid:
        return False
    client.delete(repository, digest)
    return True


def is_throw_away(manifest: Manifest) -> bool:
    """True for ours: what names itself so and holds anything is a common artifact."""
    config = manifest.config
    is_empty = config is not None and config.digest == _EMPTY_DESCRIPTOR["digest"] and not manifest.layers
    return is_empty and manifest.declared_artifact_type == _THROW_AWAY and manifest.subject is None


def _throw_away() -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": _THROW_AWAY,
            "config": _EMPTY_DESCRIPTOR,
            "layers": [],
            "annotations": {"unique": secrets.token_hex(16)},
        }
    ).encode()
