"""Remote registries: verbs and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app
from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.core.outgoing import check_url
from authsvc.core.sealing import MASK, seal, unseal
from authsvc.core.settings import Settings
from authsvc.core.trust import check_authorities
from authsvc.registries.models import HEALTHY, UNHEALTHY, Registry
from authsvc.registries.providers import ADAPTERS
from authsvc.registries.remote import Remote, problem

CREDENTIAL_TYPES = ("basic", "oauth", "secret")
_ADDRESS = ("type", "url", "insecure", "ca_certificate")


def _networks() -> tuple[str, ...]:
    settings: Settings = current_app.config["TIDEGATE"]
    return settings.outgoing_allow


def check(given: Mapping[str, Any], stored: Registry | None = None) -> Remote:
    """What a registry would be with these fields in the place of those it has.

    A stored secret belongs to the address that it was given for: with another address it is not used, so that nobody who may
    change the address can have it sent to him.

    Raises:
        BadRequest: a field cannot be used.
    """
    present = {name: getattr(stored, name) for name in (*_ADDRESS, "access_key")} if stored else {}
    field = present | {name: value for name, value in given.items() if value is not None}
    if field.get("type") not in ADAPTERS:
        raise BadRequest(f"type must be one of {', '.join(ADAPTERS)}")
    if field.get("credential_type") not in (None, "", *CREDENTIAL_TYPES):
        raise BadRequest(f"the type of a credential must be one of {', '.join(CREDENTIAL_TYPES)}")
    url = check_url("url", field.get("url", ""), _networks())
    ca = field.get("ca_certificate") or ""
    check_authorities("ca_certificate", ca)
    key, secret = _credential(given, stored if stored and url == stored.url else None)
    return Remote(field["type"], url, bool(field.get("insecure")), ca, key, secret)


def _credential(given: Mapping[str, Any], kept: Registry | None) -> tuple[str, str]:
    key, secret = given.get("access_key"), given.get("access_secret")
    if secret == MASK:
        secret = None
    if kept is None:
        return (key or "", secret or "") if secret else ("", "")
    return kept.access_key if key is None else key, unseal(kept.sealed_secret) if secret is None else secret


def is_other(remote: Remote, stored: Registry) -> bool:
    """True if it is to be asked anew: another address, trust or credential than what is stored."""
    return remote != remote_of(stored)


def require_healthy(remote: Remote) -> None:
    """Ask it; call this before the transaction writes anything.

    Raises:
        BadRequest: it does not answer as it should.
    """
    if reason := problem(remote, _networks()):
        raise BadRequest(f"the registry is unhealthy: {reason}")


def create(actor: str, name: str, description: str, credential_type: str, remote: Remote) -> Registry:
    """A registry that was asked before.

    Raises:
        BadRequest, Conflict: the name.
    """
    _check_name(name)
    registry = Registry(name=name, description=description, credential_type=credential_type)
    _apply(registry, remote)
    db.session.add(registry)
    db.session.flush()
    audit.record(actor, "create", "registry", name)
    return registry


def update(actor: str, registry: Registry, given: Mapping[str, Any], remote: Remote) -> None:
    """Change what is given; `remote` is what `check` made of it.

    Raises:
        BadRequest, Conflict: the name.
    """
    if given.get("name") is not None and given["name"] != registry.name:
        _check_name(given["name"])
        registry.name = given["name"]
    for name in ("description", "credential_type"):
        if given.get(name) is not None:
            setattr(registry, name, given[name])
    _apply(registry, remote)
    audit.record(actor, "update", "registry", registry.name)


def _apply(registry: Registry, remote: Remote) -> None:
    registry.type, registry.url, registry.insecure, registry.ca_certificate = remote.kind, remote.url, remote.insecure, remote.ca
    registry.access_key, registry.sealed_secret = remote.key, seal(remote.secret)
    registry.status = HEALTHY


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 255 or not name.isprintable() or name != name.strip():
        raise BadRequest("the name of a registry has 1 to 255 characters")
    if db.session.scalar(select(Registry.id).where(Registry.name == name)) is not None:
        raise Conflict(f"registry {name} exists already")


def delete(actor: str, registry: Registry) -> None:
    """Delete a registry that nothing refers to.

    Raises:
        PreconditionFailed: something does: a foreign key in the database says so.
    """
    audit.record(actor, "delete", "registry", registry.name)
    try:
        with db.session.begin_nested():
            db.session.delete(registry)
    except IntegrityError:
        raise PreconditionFailed(f"registry {registry.name} is used by a project or a replication policy") from None


def get(registry_id: int) -> Registry:
    """A registry by id.

    Raises:
        NotFound
    """
    registry = db.session.get(Registry, registry_id)
    if registry is None:
        raise NotFound(f"registry {registry_id} not found")
    return registry


def get_by_name(name: str) -> Registry:
    """A registry by its name.

    Raises:
        NotFound
    """
    registry: Registry | None = db.session.scalar(every().where(Registry.name == name))
    if registry is None:
        raise NotFound(f"registry {name} not found")
    return registry


def every() -> Select[Any]:
    """All registries."""
    return select(Registry)


def remote_of(registry: Registry) -> Remote:
    """A stored registry as it is asked, with its secret."""
    return Remote(
        registry.type,
        registry.url,
        registry.insecure,
        registry.ca_certificate,
        registry.access_key,
        unseal(registry.sealed_secret),
    )


def set_status(registry_id: int, *, healthy: bool) -> None:
    """Note how a registry was found."""
    registry = db.session.get(Registry, registry_id)
    if registry is not None:
        registry.status = HEALTHY if healthy else UNHEALTHY
