"""Images that are not to be pulled unless they are signed. Source: Harbor's content trust, by cosign and by notation: that there
is a signature, not whose."""

from __future__ import annotations

from sqlalchemy import bindparam, or_, select

from authsvc.artifacts import asked
from authsvc.artifacts.models import Accessory, Artifact, ArtifactReference
from authsvc.artifacts.rules import SIGNATURES, SIGNED_BY_COSIGN, SIGNED_BY_NOTATION
from authsvc.gate.checks import ManifestRead, Refusal

RULE = "content trust"
_CODE = "PROJECTPOLICYVIOLATION"
# The project's metadata that asks for it -> the type of accessory that satisfies it, and its maker.
_WANTED = {
    "enable_content_trust_cosign": (SIGNED_BY_COSIGN, "cosign"),
    "enable_content_trust": (SIGNED_BY_NOTATION, "notation"),
}

# Made once. What an index holds is signed with it.
_INDEXES = (
    select(Artifact.digest)
    .join(ArtifactReference, ArtifactReference.parent_id == Artifact.id)
    .where(Artifact.repository_id == bindparam("repository_id"), ArtifactReference.child_digest == bindparam("digest"))
)
_SIGNED = select(Accessory.type).where(
    Accessory.repository_id == bindparam("repository_id"),
    or_(Accessory.subject_digest == bindparam("digest"), Accessory.subject_digest.in_(_INDEXES)),
    Accessory.type.in_(SIGNATURES),
)


def check(question: ManifestRead) -> Refusal | None:
    """Refuses what is not signed by what the project wants; what is not here nobody can judge."""
    wanted = [by for name, by in _WANTED.items() if question.project.settings.get(name) == "true"]
    if not wanted or question.is_exempt:
        return None
    artifact = asked.find(question.execute, question.repository, question.reference)
    if artifact is None or artifact.attached in SIGNATURES:
        return None
    at = {"repository_id": artifact.repository_id, "digest": artifact.digest}
    there = set(question.execute(_SIGNED, at).scalars())
    for kind, maker in wanted:
        if kind not in there:
            help_ = f"sign it with {maker}, or ask a project administrator"
            return Refusal(412, _CODE, f"The image is not signed by {maker}.", RULE, help_)
    return None
