"""The Flask application: API and pages."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, g, request

from authsvc.audit import refusals
from authsvc.audit import service as audit
from authsvc.authn import session
from authsvc.authn.authenticators import Authentication
from authsvc.authn.snapshot import Snapshots
from authsvc.configuration.items import READ_ONLY
from authsvc.core import api, db, origin, web
from authsvc.core.base import create_base
from authsvc.core.errors import Denied
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.distribution import stores
from authsvc.distribution.client import RegistryClient
from authsvc.gate.callers import Callers
from authsvc.gate.service import Gate
from authsvc.gate.writes import Writer
from authsvc.observability import requests
from authsvc.rbac.authority import Door
from authsvc.rbac.principal import ANONYMOUS, Principal
from authsvc.secrets.uses import UseRecorder
from authsvc.system import unserved
from authsvc.token.issuer import Issuer
from authsvc.ui import shell
from authsvc.wiring import API, AUTHENTICATORS, CHECKS, ELSEWHERE, HEARERS, PAGES, internal_registry, make_issuer


@dataclass(frozen=True, slots=True)
class Services:
    """What one process needs to decide: made once, shared by the API, the gate and the token endpoint."""

    settings: Settings
    read_version: VersionReader
    snapshots: Snapshots
    authentication: Authentication
    issuer: Issuer
    uses: UseRecorder


def create_app(settings: Settings) -> Flask:
    """The application with API and pages."""
    app = create_base(settings)
    with app.app_context():
        read_version = VersionReader(db.db.engine)
    snapshots = Snapshots(read_version)
    authentication = Authentication(app, snapshots, AUTHENTICATORS, settings.credential_cache_seconds)
    services = Services(settings, read_version, snapshots, authentication, make_issuer(settings, read_version), UseRecorder(app))
    app.extensions["tidegate"] = services
    registry: RegistryClient = internal_registry(settings, services.issuer, "api")
    app.extensions["registry"] = registry
    callers = Callers(snapshots, authentication, services.issuer)
    writer = Writer(registry, CHECKS, stores.directory(stores.of(settings)))
    app.extensions["gate"] = Gate(settings, callers, CHECKS, writer, ELSEWHERE)
    audit.tell(app, HEARERS)
    requests.init(app)
    web.init(app)
    refusals.init(app)
    shell.init(app)
    app.before_request(_refuse_while_read_only)
    app.before_request(_identify)
    harbor = api.init(app)
    for blueprint in API:
        harbor.register_blueprint(blueprint, url_prefix=api.PREFIX + (blueprint.url_prefix or ""))
    for page in PAGES:
        app.register_blueprint(page)
    unserved.init(app)
    return app


# What Harbor lets pass in read-only mode: ending it, and logging in. Below /v2/ the gate says it in its own way.
_ALWAYS_WRITABLE = (
    *("/api/v2.0/configurations", "/admin/configuration", "/admin/directories"),
    *("/c/", "/sign-in", "/sign-out", "/look", "/v2/"),
)


def _refuse_while_read_only() -> None:
    """Read-only mode: nothing changes by the API.

    Raises:
        Denied
    """
    if request.method in ("GET", "HEAD", "OPTIONS") or request.path.startswith(_ALWAYS_WRITABLE):
        return
    services: Services = current_app.extensions["tidegate"]
    if services.snapshots.current().configured("read_only"):
        raise Denied(READ_ONLY)


def _identify() -> None:
    """Who asks, once a request. The gate's own paths and the files of the pages see to it themselves, or need nobody."""
    g.principal = ANONYMOUS
    is_page = shell.is_page()
    if not is_page and not request.path.startswith(api.PREFIX):
        return
    services: Services = current_app.extensions["tidegate"]
    header, address = request.headers.get("Authorization", ""), origin.current().address
    if session.COOKIE in request.cookies and (is_page or not header):
        g.principal = _of_session(services, address)
    elif not is_page:
        who, identity = services.authentication.identify(header, services.snapshots.current(), address, temporary=True)
        if who.is_authenticated:
            who.authority.require(Door.API)
        session.require_own_password(who, request, by_header=True)
        if identity is not None and identity.secret_id is not None:
            services.uses.note(identity.secret_id, address)
        g.principal = who


def _of_session(services: Services, address: str) -> Principal:
    """The user behind a session's cookie; nobody if it has ended, so that public pages stay readable."""
    with db.reading():
        identity = session.find(request)
        until = session.renewed_until(identity, request) if identity else None
    who = services.authentication.principal(identity, services.snapshots.current(), address) if identity else None
    if who is None or identity is None:
        return ANONYMOUS
    session.require_same_origin(request)
    if until is not None:
        with db.transaction():
            session.renew(identity, until)
    session.require_own_password(who, request)
    if identity.secret_id is not None:
        services.uses.note(identity.secret_id, address)
    return who
