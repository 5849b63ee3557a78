"""Immutable tags at the gate: what exists and is protected is neither overwritten, not even by itself, nor deleted."""

from __future__ import annotations

from authsvc.gate.checks import ManifestWrite, Refusal
from authsvc.immutability import service
from authsvc.immutability.rules import protected

_HELP = "a project administrator or maintainer can change the rule"


def check(question: ManifestWrite) -> Refusal | None:
    """Refuses, in Harbor's words, where a tag that the write displaces is immutable."""
    if not question.displaces:
        return None
    found = protected(service.rules_of(question.project.id), question.repository, question.displaces)
    if found is None:
        return None
    name = f"{question.repository.partition('/')[2]}:{found.tag}"
    message = f"Failed to process request due to '{name}' configured as immutable."
    if question.method == "DELETE":
        message = f"the tag {found.tag} configured as immutable, cannot be deleted"
    return Refusal(412, "PRECONDITION", message, f"immutable tag rule {found.rule.id}", _HELP)
