"""Which claims satisfy a rule, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from authsvc.core import wildcards
from authsvc.core.errors import BadRequest
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Principal

ACTIONS = {action: Permission(Resource.REPOSITORY, Action(action)) for action in ("pull", "push", "delete")}
_MAX_CLAIMS = 20


class Rule(Protocol):
    """What a rule gives."""

    @property
    def project_id(self) -> int: ...
    @property
    def repositories(self) -> str: ...
    @property
    def actions(self) -> list[str]: ...


def misfit(audience: str, wanted: Mapping[str, str], claims: Mapping[str, Any]) -> str:
    """Why claims do not satisfy a rule; "" if they do: they are for its audience, and each claim that it names is there and
    matches; a claim that is a list, if any of its members does. A rule that names none is never satisfied: it would trust
    everybody whom the issuer knows."""
    given = claims.get("aud")
    if audience not in (given if isinstance(given, list) else [given]):
        return f"the token is for {_shown(given)}, and the rule wants one for {audience}"
    if not wanted:
        return "the rule names no claim"
    wrong = (
        f"{name} is {_shown(claims[name])}, and the rule wants {pattern}" if name in claims else f"the token has no {name}"
        for name, pattern in wanted.items()
        if not _matches(pattern, claims.get(name))
    )
    return "; ".join(wrong)


def _shown(value: Any) -> str:
    return str(value)[:200]


def _matches(pattern: str, value: Any) -> bool:
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list):
        return any(_matches(pattern, member) for member in value if not isinstance(member, list))
    return isinstance(value, str | int) and wildcards.matches(pattern, str(value))


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
    if not 1 <= len(claims) <= _MAX_CLAIMS or any(map(wildcards.says_nothing, claims.values())):
        raise BadRequest("claims must name 1 to 20 claims, none of which may be just *: else everybody there could come in")
    if not actions or any(action not in ACTIONS for action in actions):
        raise BadRequest("actions are one or more of pull, push, delete")


def workload(name: str, fitting: Iterable[Rule]) -> Principal:
    """Who a job is by all the rules that fit: on each repository, what those give that are for it."""
    bound: dict[int, dict[str, frozenset[Permission]]] = {}
    for rule in fitting:
        patterns = bound.setdefault(rule.project_id, {})
        given = frozenset(ACTIONS[action] for action in rule.actions)
        patterns[rule.repositories] = patterns.get(rule.repositories, frozenset()) | given
    permissions = {project_id: frozenset[Permission]().union(*patterns.values()) for project_id, patterns in bound.items()}
    return Principal(kind="workload", id=0, name=name, permissions=permissions, repositories=bound)
