"""Trust rules: verbs and queries, and logging in by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import Select, delete, select

from authsvc.audit import service as audit
from authsvc.authn.backends.keyless import rules
from authsvc.authn.backends.keyless.models import TrustRule
from authsvc.authn.backends.oidc.provider import issuer_of, unverified_issuer
from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.db import db, reading
from authsvc.core.errors import Conflict, InvalidCredentials, NotFound
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.rbac.permissions import Permission
from authsvc.rbac.principal import Principal

USERNAME = "oidc"


def create(
    actor: str,
    *,
    name: str,
    issuer: str,
    audience: str,
    claims: Mapping[str, str],
    project: str,
    repositories: str,
    actions: list[str],
) -> TrustRule:
    """A new rule.

    Raises:
        BadRequest, Conflict, NotFound
    """
    issuer = issuer.rstrip("/")
    rules.check(issuer, audience, claims, actions)
    if db.session.scalar(select(TrustRule.id).where(TrustRule.name == name)) is not None:
        raise Conflict(f"trust rule {name} exists already")
    rule = TrustRule(
        name=name,
        issuer=issuer,
        audience=audience,
        claims=dict(claims),
        project_id=projects.get(project, is_name=True).id,
        repositories=repositories,
        actions=list(dict.fromkeys(actions)),
    )
    db.session.add(rule)
    db.session.flush()
    audit.record(
        actor, "create", "trust-rule", name, project_id=rule.project_id, description=f"{issuer}: {', '.join(rule.actions)}"
    )
    return rule


def remove(actor: str, rule_id: int) -> None:
    """Delete a rule: felt at once in every process.

    Raises:
        NotFound
    """
    rule = db.session.get(TrustRule, rule_id)
    if rule is None:
        raise NotFound(f"trust rule {rule_id} not found")
    audit.record(actor, "delete", "trust-rule", rule.name, project_id=rule.project_id)
    db.session.delete(rule)


def remove_of_project(project_id: int) -> None:
    """Delete the rules of a project that goes."""
    db.session.execute(delete(TrustRule).where(TrustRule.project_id == project_id))


def all_rules() -> Select[Any]:
    """Every rule, by name."""
    return select(TrustRule).order_by(TrustRule.name)


def described(rule: TrustRule) -> dict[str, Any]:
    """A rule as a plain object."""
    names = ("id", "name", "issuer", "audience", "claims", "repositories", "actions", "enabled", "creation_time")
    return {name: getattr(rule, name) for name in names} | {"project": projects.get(str(rule.project_id)).name}


def authenticate(credential: Basic) -> Identity | None:
    """The ID token of a job as the password of `oidc`; None for any other name.

    Raises:
        InvalidCredentials: not signed by an issuer that we trust, for another audience, expired, or no rule fits.
        Unavailable: the issuer's keys cannot be had.
    """
    if credential.username != USERNAME or credential.secret.count(".") != 2:
        return None
    issuer = unverified_issuer(credential.secret)
    with reading():
        found = list(db.session.scalars(select(TrustRule).where(TrustRule.issuer == issuer, TrustRule.enabled.is_(True))))
        db.session.expunge_all()
    if not found:
        raise InvalidCredentials("no trust rule names the issuer of this token")
    settings: Settings = current_app.config["TIDEGATE"]
    known = issuer_of(issuer, settings.outgoing_allow)
    claims = _claims(found, credential.secret, known)
    fitting = [rule for rule in found if _audience_fits(rule, claims) and rules.satisfied(rule.claims, claims)]
    if not fitting:
        raise InvalidCredentials("the token is good, but no trust rule fits its claims")
    return Identity(0, 0, kind="workload", expires_at=float(claims["exp"]), principal=_principal(issuer, claims, fitting))


def _claims(found: list[TrustRule], token: str, known: Any) -> dict[str, Any]:
    """Checked for any of the audiences that rules of this issuer name."""
    problem: InvalidCredentials | None = None
    for audience in {rule.audience for rule in found}:
        try:
            claims: dict[str, Any] = known.verify(token, audience)
        except InvalidCredentials as error:
            problem = error
        else:
            return claims
    raise problem or InvalidCredentials("the token is not for us")


def _audience_fits(rule: TrustRule, claims: Mapping[str, Any]) -> bool:
    audience = claims["aud"]
    return rule.audience in audience if isinstance(audience, list) else audience == rule.audience


def _principal(issuer: str, claims: Mapping[str, Any], fitting: list[TrustRule]) -> Principal:
    permissions: dict[int, frozenset[Permission]] = {}
    patterns: dict[int, tuple[str, ...]] = {}
    for rule in fitting:
        # Two rules for one project with different repositories: what both together would be too much, so the first decides.
        if rule.project_id in permissions and patterns[rule.project_id] != (rule.repositories,):
            continue
        given = frozenset(rules.ACTIONS[action] for action in rule.actions)
        permissions[rule.project_id] = permissions.get(rule.project_id, frozenset()) | given
        patterns[rule.project_id] = (rule.repositories,)
    name = f"oidc:{urlsplit(issuer).hostname}:{claims['sub']}"[:255]
    return Principal(kind="workload", id=0, name=name, permissions=permissions, repositories=patterns)
