"""How the gate says no: the registry's error shape, its challenge, and a sentence that clients print. Pure.

Source: distribution "Token Authentication Specification" (order of the challenge's attributes) and OCI distribution spec
1.1, "Error Codes".
"""

from __future__ import annotations

from authsvc.core.errors import STATUS, DomainError, Unauthenticated, envelope
from authsvc.gate.checks import Refusal, Refused

VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")


def challenge(realm: str, service: str, scope: str, error: str) -> str:
    """A `WWW-Authenticate` value, as the registry itself would send it."""
    parameters = [f'realm="{realm}"', f'service="{service}"']
    if scope:
        parameters.append(f'scope="{scope}"')
    if error:
        parameters.append(f'error="{error}"')
    return "Bearer " + ",".join(parameters)


def sentence(refusal: Refusal, decision_id: str) -> str:
    """What was refused; by which rule, who can help, and where to look it up."""
    notes = [
        refusal.rule if refusal.rule not in _SELF_EVIDENT else "",
        refusal.help,
        f"decision {decision_id}" if decision_id else "",
    ]
    noted = "; ".join(note for note in notes if note)
    return f"{refusal.message} ({noted})" if noted else refusal.message


def body(refusal: Refusal, decision_id: str) -> dict[str, list[dict[str, str]]]:
    """The error body."""
    return envelope(refusal.code, sentence(refusal, decision_id))


def refused(error: DomainError, header: str = "") -> Refused:
    """A domain error, on its way out of the gate. Wrong credentials ask for new ones; the registry knows an error only of
    tokens."""
    wrong = "invalid_token" if header[:7].lower() == "bearer " else ""
    asks = wrong if error.code == Unauthenticated.code else None
    status = STATUS[error.code]
    return Refused(Refusal(status, error.code, error.message, "credentials", retry_after=error.retry_after), asks)


# The message says it already.
_SELF_EVIDENT = frozenset({"rights", "credentials", "registry API"})
