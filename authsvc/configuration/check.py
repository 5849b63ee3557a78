"""Read-only mode: the configuration item `read_only`, in Harbor's words."""

from __future__ import annotations

from authsvc.configuration.items import READ_ONLY
from authsvc.gate.checks import BlobWrite, ManifestWrite, Refusal

_REFUSAL = Refusal(403, "DENIED", READ_ONLY, "read-only mode", "a system administrator can end it")


def check(question: ManifestWrite | BlobWrite) -> Refusal | None:
    """Nothing is written while the installation is read-only."""
    return _REFUSAL if question.configured("read_only") else None
