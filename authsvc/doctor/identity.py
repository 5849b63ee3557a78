"""Where people and machines come from, and who may do what nobody should be able to."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

from sqlalchemy import ColumnElement, func, select

from authsvc.authn import sources
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.authn.backends.ldap.trace import trace
from authsvc.authn.backends.oidc import backend as oidc
from authsvc.authn.models import IdentitySource
from authsvc.authn.sources import Kind
from authsvc.core import sealing
from authsvc.core.db import Base, db, reading, utcnow
from authsvc.core.errors import DomainError
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped
from authsvc.notification.models import WebhookPolicy
from authsvc.registries.models import HEALTHY, Registry
from authsvc.robots.models import Robot
from authsvc.users.models import User

_SOON = timedelta(days=14)
_MANY = 5  # administrators


def _directories(patient: Patient) -> Finding:
    with patient.app.app_context():
        with reading():
            named = ldap.directories()
        failed = {one.name: step for one in named for step in trace(one) if step.ok is False}
    for name, step in failed.items():
        return bad(f"{name}: {step.name}: {step.detail}", f"{step.hint}; all steps: authsvc ldap test --source {name}")
    return good(f"{len(named)} directories answer, and are as set") if named else skipped("people come from no directory")


def _providers(patient: Patient) -> Finding:
    with patient.app.app_context():
        with reading():
            found = oidc.providers()
        for one in found:
            try:
                one.issuer.endpoint("token_endpoint")
            except DomainError as error:
                return bad(f"{one.name}: {error.message}", "see that this host reaches the provider, and oidc_endpoint")
    return good(f"{len(found)} providers answer") if found else skipped("people come from no provider")


def _usable(patient: Patient) -> Finding:
    """Sources that an older release may have stored, and that let nobody in."""
    kinds: tuple[Kind, ...] = ("ldap", "oidc")
    with patient.app.app_context(), reading():
        enabled = {(one.kind, one.name) for kind in kinds for one in sources.of_kind(kind)}
        works = {("ldap", one.name) for one in ldap.directories()} | {("oidc", one.name) for one in oidc.providers()}
    unusable = sorted(f"{kind} {name}" for kind, name in enabled - works)
    return (
        bad(f"cannot be used as set: {', '.join(unusable)}", "set them anew; the log says what is wrong")
        if unusable
        else good("all sources can be used")
    )


def _secrets(patient: Patient) -> Finding:
    """Whether what is sealed can be read: the database and the sealing key belong together."""
    columns = (IdentitySource.sealed, Registry.sealed_secret)
    with patient.app.app_context(), reading():
        sealed = [text for text in chain.from_iterable(db.session.scalars(select(column)) for column in columns) if text]
        try:
            for text in sealed:
                sealing.unseal(text)
        except DomainError as error:
            return bad(error.message, "bring the sealing key back that belongs to this database, or set those secrets anew")
    return good(f"{len(sealed)} secrets of other systems can be read")


def _administrators(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        names = db.session.scalars(
            select(User.username).where(User.sysadmin, ~User.disabled, ~User.deleted).order_by(User.id)
        ).all()
    if not names:
        return bad("nobody is a system administrator", "authsvc users create NAME --sysadmin")
    said = f"{len(names)} system administrators: {', '.join(names[:_MANY])}"
    return (
        good(said)
        if len(names) <= _MANY
        else doubtful(said, "few people need to be: a project's administrators see to its own things")
    )


def _first_password(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        names = db.session.scalars(
            select(User.username).where(User.sysadmin, User.password_temporary, ~User.disabled, ~User.deleted)
        ).all()
    if names:
        return doubtful(
            f"still with a password that somebody else made: {', '.join(names[:_MANY])}",
            "log in to the pages and choose another one",
        )
    return good("administrators chose their passwords")


def _robots(patient: Patient) -> Finding:
    now = utcnow()
    with patient.app.app_context(), reading():
        expired = _count(Robot, ~Robot.disabled, Robot.expires_at < now)
        soon = _count(Robot, ~Robot.disabled, Robot.expires_at >= now, Robot.expires_at < now + _SOON)
    if expired or soon:
        return doubtful(
            f"{expired} robots have expired, {soon} will within {_SOON.days} days",
            "see authsvc robots list; give them more time, or delete them",
        )
    return good("no robot expires soon")


def _verified(patient: Patient) -> Finding:
    """Who is asked, or told, without a look at his certificate."""
    with patient.app.app_context(), reading():
        hooks = db.session.scalars(select(WebhookPolicy).where(WebhookPolicy.enabled)).all()
        plain = [f"webhook {hook.name}" for hook in hooks if any(target.get("skip_cert_verify") for target in hook.targets)]
        plain += [f"registry {name}" for name in db.session.scalars(select(Registry.name).where(Registry.insecure))]
    if plain:
        return doubtful(
            f"whoever answers is believed: {', '.join(plain[:_MANY])}",
            "give them a certificate that can be verified, or their authority",
        )
    return good("certificates of webhooks and registries are looked at")


def _registries(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        found = db.session.execute(select(Registry.name, Registry.status)).all()
    ill = [name for name, status in found if status != HEALTHY]
    if ill:
        return doubtful(
            f"do not answer: {', '.join(ill[:_MANY])}", "see their address and credential: replication waits for them"
        )
    return good(f"{len(found)} other registries answer") if found else skipped("there are no other registries")


def _count(table: type[Base], *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


CHECKS = (
    Check("identity.directories", _directories),
    Check("identity.providers", _providers),
    Check("identity.sources", _usable),
    Check("identity.secrets", _secrets),
    Check("identity.administrators", _administrators),
    Check("identity.first-password", _first_password),
    Check("identity.robots", _robots),
    Check("identity.verified", _verified),
    Check("identity.registries", _registries),
)
