"""Trust rules: verbs and queries, and logging in by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import Select, delete, select

from authsvc.audit import service as audit
from authsvc.authn.backends.keyless import rules
from authsvc.authn.backends.keyless.models import TrustRule
from authsvc.authn.backends.oidc.provider import Issuers, good_until, unverified_issuer
from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.db import db, reading
from authsvc.core.errors import Conflict, InvalidCredentials, NotFound
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.authority import Authority, Credential

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


def described(rules: Iterable[TrustRule]) -> list[dict[str, Any]]:
    """Rules as plain objects, with one query for all of their projects."""
    rules = list(rules)
    named = dict(
        db.session.execute(select(Project.id, Project.name).where(Project.id.in_({rule.project_id for rule in rules}))).all()
    )
    return [_described(rule, named.get(rule.project_id, "")) for rule in rules]


def _described(rule: TrustRule, project: str) -> dict[str, Any]:
    names = ("id", "name", "issuer", "audience", "claims", "repositories", "actions", "enabled", "creation_time")
    return {name: getattr(rule, name) for name in names} | {"project": project}


@dataclass(frozen=True, slots=True)
class Judged:
    """A token of an issuer that rules name: its claims, checked, and of each rule why it does not fit; "" if it does."""

    claims: Mapping[str, Any]
    rules: Sequence[tuple[TrustRule, str]]

    @property
    def fitting(self) -> list[TrustRule]:
        return [rule for rule, problem in self.rules if not problem]


def judge(token: str) -> Judged:
    """What the rules make of a token.

    Raises:
        InvalidCredentials: not signed by an issuer that we trust, for another audience, or expired.
        Unavailable: the issuer's keys cannot be had.
    """
    issuer = unverified_issuer(token)
    trusted = select(TrustRule).where(TrustRule.issuer == issuer, TrustRule.enabled.is_(True)).order_by(TrustRule.id)
    with reading():
        found = list(db.session.scalars(trusted))
        db.session.expunge_all()
    if not found:
        raise InvalidCredentials("no trust rule names the issuer of this token")
    settings: Settings = current_app.config["TIDEGATE"]
    claims = _claims(found, token, own(Issuers).of(issuer, settings.outgoing_allow))
    return Judged(claims, [(rule, rules.misfit(rule.audience, rule.claims, claims)) for rule in found])


def authenticate(credential: Basic) -> Identity | None:
    """The ID token of a job as the password of `oidc`; None for any other name.

    Raises:
        InvalidCredentials: not signed by an issuer that we trust, for another audience, expired, or no rule fits.
        Unavailable: the issuer's keys cannot be had.
    """
    if credential.username != USERNAME or credential.secret.count(".") != 2:
        return None
    judged = judge(credential.secret)
    if not judged.fitting:
        raise InvalidCredentials("the token is good, but no trust rule fits its claims; `authsvc trust test` says why")
    authority = Authority(Credential.JOB_TOKEN, expires_at=good_until(judged.claims))
    return Identity(
        account_id=0,
        epoch=0,
        authority=authority,
        kind="workload",
        until=authority.expires_at,
        principal=replace(rules.workload(name_of(judged.claims), judged.fitting), authority=authority),
        rules=tuple(rule.id for rule in judged.fitting),
    )


def name_of(claims: Mapping[str, Any]) -> str:
    """What a job is called here."""
    return f"oidc:{urlsplit(str(claims['iss'])).hostname}:{claims['sub']}"[:255]


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
