"""What no manifest may hold: layers that live elsewhere. They are not stored here, and whoever pulls would fetch what a
stranger's address gives. And what no deletion of a blob may take: what an artifact of the repository needs.
"""

from __future__ import annotations

from sqlalchemy import bindparam, exists, select

from authsvc.artifacts.models import Artifact, ArtifactBlob, Blob, Intent
from authsvc.gate.checks import BlobWrite, ManifestWrite, Refusal
from authsvc.repositories.models import Repository

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
    """Refuses descriptors with addresses (OCI image spec 1.1, "Descriptors", `urls`)."""
    manifest = question.manifest
    for blob in (*manifest.blobs, *manifest.manifests) if manifest else ():
        if blob.urls:
            return Refusal(
                400,
                "MANIFEST_INVALID",
                f"manifest invalid: {blob.digest} is to be fetched from {blob.urls[0][:120]}; only what this registry stores is"
                " accepted",
                "layers from elsewhere",
                "push such layers, too (docker: allow-nondistributable-artifacts)",
            )
    return None


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
