"""What no manifest may hold: content that lives elsewhere. It is not stored here, and whoever pulls would fetch what a stranger's
address gives. Excepted are base layers of Windows images, which may be had from their makers only, at hosts that are configured.
And what no deletion of a blob may take: what an artifact of the repository needs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import bindparam, exists, select

from authsvc.artifacts.models import Artifact, ArtifactBlob, Blob, Intent
from authsvc.distribution.manifest import FOREIGN, FOREIGN_OF_DOCKER, Descriptor
from authsvc.gate.checks import BlobWrite, ManifestWrite, Refusal
from authsvc.repositories.models import Repository

# No credentials, no other port, and nothing that one reader takes for a part of the host and another one does not.
_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)(:443)?/[!-\[\]-~]*")
# Made once. A repository's own link to a blob goes with a deletion, so only its own artifacts count.
_NEEDED_BY = (
    select(Artifact.digest)
    .join(ArtifactBlob, ArtifactBlob.artifact_id == Artifact.id)
    .join(Blob, Blob.id == ArtifactBlob.blob_id)
    .join(Repository, Repository.id == Artifact.repository_id)
    .where(Blob.digest == bindparam("digest"), ArtifactBlob.project_id == bindparam("project_id"))
    .where(Repository.name == bindparam("repository"))
    .limit(1)
    .scalar_subquery()
)
_PUSHED_TO = exists().where(Intent.repository == bindparam("repository"), Intent.method == "PUT")
_STANDING = select(_NEEDED_BY.label("needed_by"), _PUSHED_TO.label("is_pushed_to"))


def check(question: ManifestWrite) -> Refusal | None:
    """Refuses descriptors with addresses (OCI image spec 1.1, "Descriptors", `urls`), but for foreign layers from hosts that
    `foreign_layer_hosts` names."""
    manifest = question.manifest
    hosts = str(question.configured("foreign_layer_hosts")).lower().replace(" ", "").split(",")
    for blob in (*manifest.blobs, *manifest.manifests) if manifest else ():
        for url in blob.urls:
            if blob.media_type not in FOREIGN or not _is_at(hosts, url):
                return _from_elsewhere(blob, url)
        if blob.media_type == FOREIGN_OF_DOCKER and not blob.urls:
            return Refusal(
                400,
                "MANIFEST_INVALID",
                f"manifest invalid: {blob.digest} is a foreign layer, and nothing says where it is to be fetched from (urls)",
                "layers from elsewhere",
            )
    return None


def _is_at(hosts: Sequence[str], url: str) -> bool:
    """Whether it is a plain https address at one of these hosts: `a.example`, `*.example` (any below), or `*`."""
    plain = _HTTPS.fullmatch(url)
    host = plain["host"].lower() if plain else ""
    return bool(host) and any(one in (host, "*") or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)


def _from_elsewhere(blob: Descriptor, url: str) -> Refusal:
    message = f"manifest invalid: {blob.digest} is to be fetched from {url[:120]}; only what this registry stores is accepted"
    if blob.media_type not in FOREIGN:
        return Refusal(400, "MANIFEST_INVALID", message, "layers from elsewhere")
    return Refusal(
        400,
        "MANIFEST_INVALID",
        f"{message}, and foreign layers from hosts that a system administrator allows",
        "layers from elsewhere",
        "push such layers, too (docker: allow-nondistributable-artifacts), or ask for the host (foreign_layer_hosts)",
    )


def check_blob(question: BlobWrite) -> Refusal | None:
    """Refuses the deletion of a blob that is needed here, or that may be in this moment. The registry would delete it, and
    answer 404 to whoever pulls the image; Harbor lets it."""
    if question.method != "DELETE" or not question.digest:
        return None
    values = {"digest": question.digest, "project_id": question.project.id, "repository": question.repository}
    standing = question.execute(_STANDING, values).one()
    if standing.needed_by is not None:
        return Refusal(
            412,
            "PRECONDITION",
            f"{question.digest} belongs to the artifact {question.repository}@{standing.needed_by}; delete that one first",
            "blobs in use",
            "space is freed by deleting artifacts and by garbage collection",
        )
    if standing.is_pushed_to:
        message = f"a manifest is being pushed to {question.repository}, which may need {question.digest}; try again"
        return Refusal(503, "UNAVAILABLE", message, "blobs in use", retry_after=1)
    return None
