"""Registered scanners: verbs and queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import current_app
from sqlalchemy import Select, delete, select, true, update

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.core.inserts import upsert
from authsvc.core.outgoing import check_url
from authsvc.core.sealing import MASK, seal, unseal
from authsvc.core.settings import Settings
from authsvc.projects.models import Project
from authsvc.scanners import rules
from authsvc.scanners.adapter import AUTHS, NONE, Adapter, Endpoint
from authsvc.scanners.models import HEALTHY, UNHEALTHY, ProjectScanner, Scanner
from authsvc.scanners.rules import Metadata

_TEXTS = ("name", "description")
_SWITCHES = ("disabled", "use_internal_addr")
_MAX_CREDENTIAL = 4096


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scanner as it is asked for, checked: where it is, and what else is said of it."""

    endpoint: Endpoint
    fields: Mapping[str, Any]


def check(given: Mapping[str, Any], stored: Scanner | None = None) -> Wanted:
    """What a scanner would be with these fields in the place of those it has.

    A stored credential belongs to the address that it was given for: with another one it is not used, so that nobody who may
    change the address can have it sent to him.

    Raises:
        BadRequest: a field cannot be used.
    """
    url = check_url("url", given["url"], _networks())
    auth = given.get("auth") or NONE
    if auth not in AUTHS:
        raise BadRequest(f"auth type {auth[:32]} is not supported; it is one of {', '.join(filter(None, AUTHS))}, or empty")
    credential = _credential(given.get("access_credential") or "", stored if stored and stored.url == url else None)
    if auth == NONE:
        credential = ""
    elif not credential or not credential.isprintable() or not credential.isascii() or len(credential) > _MAX_CREDENTIAL:
        raise BadRequest(f"access_credential is needed for {auth}, in printable ASCII; for Basic it is user:password")
    named = {name: given[name] for name in (*_TEXTS, *_SWITCHES) if given.get(name) is not None}
    return Wanted(Endpoint(url, auth, credential, not given.get("skip_cert_verify")), named)


def _credential(given: str, kept: Scanner | None) -> str:
    return given if given and given != MASK else (unseal(kept.sealed_credential) if kept is not None else "")


def ask(endpoint: Endpoint) -> Metadata:
    """What a scanner says of itself; call this before the transaction writes anything.

    Raises:
        Unavailable
    """
    return Adapter(endpoint, _networks()).metadata()


def create(actor: str, wanted: Wanted, said: Metadata) -> Scanner:
    """A scanner that was asked before; the first one is the default.

    Raises:
        BadRequest, Conflict: the name, or the address.
    """
    is_first = db.session.scalar(select(Scanner.id).limit(1)) is None
    scanner = Scanner(uuid=str(uuid4()), is_default=is_first and not wanted.fields.get("disabled"))
    _apply(scanner, wanted, said)
    db.session.add(scanner)
    db.session.flush()
    audit.record(actor, "create", "scanner", scanner.name)
    return scanner


def change(actor: str, scanner: Scanner, wanted: Wanted, said: Metadata | None) -> None:
    """Everything but whether it is the default; `said` None: it was not asked, and is disabled.

    Raises:
        BadRequest, Conflict: the name, or the address; or the default one would be disabled.
    """
    if scanner.is_default and wanted.fields.get("disabled"):
        raise BadRequest(f"default scanner {scanner.name} cannot be disabled: make another one the default first")
    _apply(scanner, wanted, said)
    audit.record(actor, "update", "scanner", scanner.name)


def _apply(scanner: Scanner, wanted: Wanted, said: Metadata | None) -> None:
    name, endpoint = wanted.fields.get("name", scanner.name), wanted.endpoint
    with db.session.no_autoflush:
        _require_free(scanner, name, endpoint.url)
    for field, value in wanted.fields.items():
        setattr(scanner, field, value)
    scanner.url, scanner.auth, scanner.skip_cert_verify = endpoint.url, endpoint.auth, not endpoint.verify
    scanner.sealed_credential = seal(endpoint.credential)
    if said is not None:
        scanner.said, scanner.health = said.as_json(), HEALTHY


def _require_free(scanner: Scanner, name: str, url: str) -> None:
    if not 1 <= len(name) <= 255 or not name.isprintable() or name != name.strip():
        raise BadRequest("the name of a scanner has 1 to 255 characters")
    for column, value, what in ((Scanner.name, name, "name"), (Scanner.url, url, "url")):
        other = select(Scanner.id).where(column == value, Scanner.id != (scanner.id or 0))
        if db.session.scalar(other) is not None:
            raise Conflict(f"a scanner with the {what} {value} exists already")


def delete_scanner(actor: str, scanner: Scanner) -> None:
    """With everything that it has said; projects that chose it have the default one then."""
    audit.record(actor, "delete", "scanner", scanner.name)
    db.session.delete(scanner)
    db.session.flush()


def make_default(actor: str, scanner: Scanner) -> None:
    """The scanner of all projects that have chosen none.

    Raises:
        BadRequest: it is disabled.
    """
    if scanner.disabled:
        raise BadRequest(f"scanner {scanner.name} is disabled, and cannot be the default one")
    db.session.execute(update(Scanner).where(Scanner.is_default == true()).values(is_default=False))
    scanner.is_default = True
    audit.record(actor, "update", "scanner", scanner.name, description="default")


def choose(actor: str, project: Project, scanner: Scanner | None) -> None:
    """The scanner of a project; None: the default one."""
    if scanner is None:
        db.session.execute(delete(ProjectScanner).where(ProjectScanner.project_id == project.id))
    else:
        upsert(ProjectScanner, [{"project_id": project.id, "scanner_id": scanner.id}])
    said = f"scanner {scanner.name if scanner else ''}".rstrip()
    audit.record(actor, "update", "project", project.name, project_id=project.id, description=said)


def note(scanner_id: int, said: Metadata | None) -> None:
    """How a scanner was found; None: it does not answer."""
    scanner = db.session.get(Scanner, scanner_id)
    if scanner is not None:
        scanner.health = HEALTHY if said else UNHEALTHY
        if said is not None:
            scanner.said = said.as_json()


# -- finding -------------------------------------------------------------------------------------------------------


def every() -> Select[Any]:
    """All scanners."""
    return select(Scanner)


def get(uuid: str) -> Scanner:
    """A scanner by Harbor's id of it.

    Raises:
        NotFound
    """
    scanner: Scanner | None = db.session.scalar(every().where(Scanner.uuid == uuid))
    if scanner is None:
        raise NotFound(f"scanner {uuid[:64]} not found")
    return scanner


def find_by_url(url: str) -> Scanner | None:
    """The scanner at that address, or None."""
    found: Scanner | None = db.session.scalar(every().where(Scanner.url == url.rstrip("/")))
    return found


def of_project(project_id: int) -> Scanner | None:
    """The one that a project has chosen, or else the default one; None if there is none, be it disabled or not."""
    chosen = every().join(ProjectScanner, ProjectScanner.scanner_id == Scanner.id)
    found: Scanner | None = db.session.scalar(chosen.where(ProjectScanner.project_id == project_id))
    return found or default()


def default() -> Scanner | None:
    """The one of all projects that have chosen none."""
    found: Scanner | None = db.session.scalar(every().where(Scanner.is_default == true()))
    return found


def choice(project_id: int) -> str:
    """Harbor's id of the one that a project has chosen; "" if it has the default one."""
    chosen = select(Scanner.uuid).join(ProjectScanner, ProjectScanner.scanner_id == Scanner.id)
    return db.session.scalar(chosen.where(ProjectScanner.project_id == project_id)) or ""


def metadata_of(scanner: Scanner) -> Metadata:
    """What a scanner said of itself last."""
    return rules.parse_metadata(scanner.said)


def endpoint_of(scanner: Scanner) -> Endpoint:
    """A stored scanner as it is asked, with its credential."""
    return Endpoint(scanner.url, scanner.auth, unseal(scanner.sealed_credential), not scanner.skip_cert_verify)


def _networks() -> tuple[str, ...]:
    settings: Settings = current_app.config["TIDEGATE"]
    return settings.outgoing_allow
