"""The true sizes of blobs. The registry checks that a manifest's blobs are there, but not how large the manifest says that they
are: who understates them would store more than the quota, and who overstates a common layer would fill the quota of others."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from authsvc.artifacts.models import Blob
from authsvc.core.db import db, reading
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import FOREIGN, Descriptor, Manifest


def measured(client: RegistryClient, repository: str, manifest: Manifest) -> Manifest:
    """The manifest with the sizes that its blobs have: those that the index knows, else the registry's. Layers that live
    elsewhere, and what the registry does not have, keep what is said of them. Outside of transactions.

    Raises:
        Unavailable: the registry does not answer.
    """
    claimed = {blob.digest: blob.size for blob in manifest.blobs if blob.media_type not in FOREIGN}
    with reading():
        known = select(Blob.digest, Blob.size).where(Blob.digest.in_(claimed))
        true: dict[str, int] = {digest: size for digest, size in db.session.execute(known)}  # noqa: C416 - rows are no pairs
    for digest in claimed.keys() - true.keys():
        size = client.blob_size(repository, digest)
        if size is not None:
            true[digest] = size
    if true.items() <= claimed.items():
        return manifest

    def corrected(blob: Descriptor) -> Descriptor:
        return replace(blob, size=true.get(blob.digest, blob.size))

    config = corrected(manifest.config) if manifest.config else None
    return replace(manifest, config=config, layers=tuple(corrected(layer) for layer in manifest.layers))
