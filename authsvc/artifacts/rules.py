"""What is attached to another artifact, and as what: Harbor's accessory types. Pure.

Source: OCI distribution spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign's signature specification for the
tag `sha256-<hex>.sig`.
"""

from __future__ import annotations

import re

SIGNED_BY_COSIGN = "signature.cosign"
SIGNED_BY_NOTATION = "signature.notation"
SIGNATURES = (SIGNED_BY_COSIGN, SIGNED_BY_NOTATION)
SBOM = "sbom.harbor"
ANYTHING = "subject.accessory"
# What a manifest with a subject calls itself -> Harbor's accessory type.
TYPES = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": SIGNED_BY_COSIGN,
    "application/vnd.dev.sigstore.bundle.v0.3+json": SIGNED_BY_COSIGN,
    "application/vnd.cncf.notary.signature": SIGNED_BY_NOTATION,
    "application/vnd.goharbor.harbor.sbom.v1": SBOM,
}
# The layers of a signature that cosign attaches by nothing but a tag.
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_COSIGN_TAG = re.compile(r"sha256-([0-9a-f]{64})\.sig", re.ASCII)
# The longest that a tag of the referrers tag schema gets: `sha256-`, and 64 of the digest's digits.
FALLBACK_LENGTH = 71


def accessory_type(artifact_type: str, config_type: str) -> str:
    """The accessory type of a manifest that has a subject, by its artifact type or its config's media type."""
    return TYPES.get(artifact_type) or TYPES.get(config_type) or ANYTHING


def signed_digest(tag: str) -> str | None:
    """The digest that a cosign signature with this tag is for; None for any other tag."""
    match = _COSIGN_TAG.fullmatch(tag)
    return f"sha256:{match[1]}" if match else None


def fallback_tag(digest: str) -> str:
    """The tag under which clients keep an index of referrers where a registry has no referrers API."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"
