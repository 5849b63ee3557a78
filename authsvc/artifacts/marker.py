"""A marker of our own in the registry's storage, to know it again.

A storage that is not mounted is an empty directory to the registry, which answers 404 to all that was ever pushed. That is
plausible, and a lie. As long as the marker answers, the registry stores where it did.
"""

from __future__ import annotations

import json
import secrets

from sqlalchemy import select

from authsvc.artifacts.models import StorageMarker
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.inserts import upsert
from authsvc.core.names import MARKER as REPOSITORY
from authsvc.distribution.client import RegistryClient, Unreadable
from authsvc.distribution.manifest import OCI_MANIFEST

_EMPTY = b"{}"
LARGEST = 4096  # bytes that a marker may have


def is_there(client: RegistryClient) -> bool:
    """Whether the registry stores where it did when the marker was made; the first time, it is made.

    Raises:
        Unavailable
        Refused: the registry takes no marker.
    """
    with reading():
        digest = db.session.scalar(select(StorageMarker.digest))
    try:
        if digest is not None:
            return client.digest_of(REPOSITORY, digest) is not None
    except Unreadable:  # it is there, and damaged itself
        pass
    make(client)
    return True


def known() -> str:
    """The digest of the marker that was made last, "" if none was."""
    with reading():
        return db.session.scalar(select(StorageMarker.digest)) or ""


def must_answer(client: RegistryClient) -> None:
    """Whoever could not read something asks whether it is the thing or the registry: it serves the marker, or says it has none.

    Raises:
        Unavailable: the registry is away, or cannot read its storage, or does not know us (any more).
    """
    with reading():
        digest = db.session.scalar(select(StorageMarker.digest))
    if digest is None:
        client.tags(REPOSITORY)
    else:
        client.digest_of(REPOSITORY, digest)


def make(client: RegistryClient) -> None:
    """Put a new marker into the storage that the registry has now.

    Raises:
        Unavailable
        Refused
    """
    name = secrets.token_hex(16)
    config = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": client.put_blob(REPOSITORY, _EMPTY),
        "size": len(_EMPTY),
    }
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], "annotations": {"name": name}}
    # With a tag, or garbage collection would take it.
    digest = client.put_manifest(REPOSITORY, name, json.dumps(manifest).encode(), OCI_MANIFEST)
    with transaction():
        upsert(StorageMarker, [{"id": 1, "digest": digest, "made_at": utcnow()}])
