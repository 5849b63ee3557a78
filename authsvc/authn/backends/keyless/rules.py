"""Which claims satisfy a rule, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from authsvc.core.errors import BadRequest
from authsvc.rbac.permissions import Action, Permission, Resource

ACTIONS = {action: Permission(Resource.REPOSITORY, Action(action)) for action in ("pull", "push", "delete")}
_MAX_CLAIMS = 20


def satisfied(wanted: Mapping[str, str], claims: Mapping[str, Any]) -> bool:
    """True if each claim that the rule names is there and matches; a claim that is a list, if any of its members does. A
    rule that names none is never satisfied: it would trust everybody whom the issuer knows."""
    return bool(wanted) and all(_matches(pattern, claims.get(name)) for name, pattern in wanted.items())


def _matches(pattern: str, value: Any) -> bool:
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list):
        return any(_matches(pattern, member) for member in value if not isinstance(member, list))
    return isinstance(value, str | int) and fnmatchcase(str(value), pattern)


def check(issuer: str, audience: str, claims: Mapping[str, str], actions: list[str]) -> None:
    """What a rule must be.

    Raises:
        BadRequest
    """
    parts = urlsplit(issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadRequest("issuer must be a URL, as it stands in the tokens' iss")
    if not audience.strip():
        raise BadRequest("audience cannot be empty: a token for somebody else must not open this registry")
    if not 1 <= len(claims) <= _MAX_CLAIMS or any(not pattern.strip("*?") for pattern in claims.values()):
        raise BadRequest("claims must name 1 to 20 claims, none of which may be just *: else everybody there could come in")
    if not actions or any(action not in ACTIONS for action in actions):
        raise BadRequest("actions are one or more of pull, push, delete")
