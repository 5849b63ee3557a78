"""Logging in and out of the pages, and registering: form posts of our own pages, at Harbor's paths below `/c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, jsonify, request
from marshmallow import EXCLUDE, ValidationError, fields, validate

from authsvc.authn import configuration as identity
from authsvc.authn import session, sources
from authsvc.authn.backends.oidc.backend import logout_url, providers
from authsvc.authn.credentials import Basic
from authsvc.authn.onboarding import origin_of
from authsvc.authn.registration import register
from authsvc.configuration import service as configuration
from authsvc.configuration.items import Item, written
from authsvc.core import origin
from authsvc.core.api import Schema
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.core.text import is_storable, own_path
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import principal, require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.ui.shell import Pages, attempted, go, page
from authsvc.users.schemas import UserCreationSchema

blueprint = Blueprint("login", __name__, url_prefix="/c")
pages = Pages("login", __name__)
KINDS: dict[str, sources.Kind] = {"ldap": "ldap", "oidc": "oidc"}


class LoginSchema(Schema):
    principal = fields.String(required=True, validate=validate.Length(1, 300))
    password = fields.String(required=True, validate=validate.Length(1, 1024), load_only=True)


def _body(schema: Schema) -> dict[str, Any]:
    """A form or JSON object, checked.

    Raises:
        BadRequest: it does not fit.
    """
    given = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not is_storable(given):
        raise BadRequest("cannot be used: it holds characters that are none")
    try:
        loaded: dict[str, Any] = schema.load(given if isinstance(given, dict) else {}, unknown=EXCLUDE)
    except ValidationError as error:
        raise BadRequest(f"cannot be used: {', '.join(sorted(str(name) for name in error.messages))}") from None
    return loaded


@blueprint.post("/login")
def login() -> Response:
    session.require_same_origin(request)
    who = _checked()
    response = jsonify(username=who.name, password_change_required=who.temporary_password)
    session.start(who, response)
    db.session.commit()
    return response


def _checked() -> Principal:
    """Whoever the form says, with the right password.

    Raises:
        BadRequest, InvalidCredentials, TooManyRequests, Unavailable
    """
    body = _body(LoginSchema())
    services: Any = current_app.extensions["tidegate"]
    credential = Basic(body["principal"], body["password"])
    snapshot, address = services.snapshots.current(), origin.current().address
    who: Principal = services.authentication.check(credential, snapshot, address, temporary=True)[0]
    who.authority.require(Door.PAGES)
    return who


@pages.get("/sign-in")
def sign_in_page() -> Response:
    back_to = own_path(request.args.get("next", "/"))
    return go(back_to) if principal().is_authenticated else _ask_to_sign_in(back_to)


@pages.post("/sign-in")
def sign_in() -> Response:
    session.require_same_origin(request)
    back_to = own_path(request.form.get("next", "/"))
    try:
        who = _checked()
    except DomainError as error:
        db.session.rollback()
        return _ask_to_sign_in(back_to, error)
    response = go("/account/password" if who.temporary_password else back_to)
    session.start(who, response)
    db.session.commit()
    return response


def _ask_to_sign_in(back_to: str, error: DomainError | None = None) -> Response:
    return page(
        "sign_in.html",
        problem=error,
        back_to=back_to,
        providers=[(one.name, one.settings.label) for one in providers()],
        may_register=configuration.value("self_registration"),
    )


@pages.post("/sign-out")
def sign_out() -> Response:
    session.require_same_origin(request)
    url = _provider_to_leave()
    response = go(url or "/")
    session.end(request, response)
    db.session.commit()
    return response


@pages.route("/register", methods=["GET", "POST"])
def register_page() -> Response:
    """Self registration, where it is switched on."""
    if not configuration.value("self_registration"):
        raise NotFound("self registration is switched off here; ask a system administrator for an account")
    if request.method == "GET":
        return page("register.html", given={}, waits=None)
    session.require_same_origin(request)
    let_go()
    try:
        waits = register(**_body(UserCreationSchema()))
    except DomainError as error:
        db.session.rollback()
        return page("register.html", problem=error, given=request.form, waits=None)
    db.session.commit()
    return page("register.html", given={}, waits=waits)


@blueprint.route("/log_out", methods=["GET", "POST"])
def log_out() -> Response:
    session.require_no_other_site(request)
    url = _provider_to_leave()
    response = jsonify(redirect=url)
    session.end(request, response)
    db.session.commit()
    return response


def _provider_to_leave() -> str:
    """Where the browser is to go to log out there as well, "" if nowhere; ends the present transaction."""
    identity = session.find(request)
    origin_here = origin_of(identity.account_id) if identity else None
    source = origin_here.source if origin_here is not None and origin_here.kind == "oidc" else ""
    let_go()  # the network comes next
    return logout_url(source) if source else ""


@blueprint.post("/register")
def sign_up() -> tuple[Response, int]:
    """Self registration, where it is switched on; with approval the account waits for an administrator."""
    session.require_same_origin(request)
    body = _body(UserCreationSchema())
    waits = register(**body)
    db.session.commit()
    return jsonify(username=body["username"], waits_for_approval=waits), 201


# -- where people come from, for system administrators --------------------------------------------------------------------


@pages.get("/admin/sources")
def show_sources() -> Response:
    """Directories and providers; a name that there is none of yet is a new one."""
    require_sysadmin()
    if (name := request.args.get("name", "").strip()) and (kind := request.args.get("kind", "")) in KINDS:
        return go(f"/admin/sources/{kind}/{quote(name, safe='')}")
    known = [one for kind in KINDS.values() for one in sources.of_kind(kind, enabled_only=False)]
    return page("sources.html", sources=known, kinds=KINDS)


@pages.get("/admin/sources/<kind>/<name>")
def show_source(kind: str, name: str) -> Response:
    return _source(kind, name)


def _source(kind: str, name: str, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    if kind not in KINDS:
        raise NotFound(f"there is no kind of source {kind[:32]}; there are {', '.join(KINDS)}")
    present, items = _present(kind, name), identity.items_of(KINDS[kind])
    return page(
        "source.html",
        problem=problem,
        kind=kind,
        name=name,
        present=present,
        items=items,
        values=_values(present, items) | (request.form.to_dict() if problem else {}),
    )


def _values(present: sources.Source | None, items: Mapping[str, Item]) -> dict[str, str]:
    """What the form begins with; no secret."""
    shown = present.shown if present else {}
    return written({name: shown.get(name, item.default) for name, item in items.items()})


def _present(kind: str, name: str) -> sources.Source | None:
    return next((one for one in sources.of_kind(KINDS[kind], enabled_only=False) if one.name == name), None)


@pages.post("/admin/sources/<kind>/<name>")
def change_source(kind: str, name: str) -> Response:
    """Make it, change what is different from before, or delete it. A secret that is left empty stays."""
    who = require_sysadmin(Door.IDENTITIES)
    if kind not in KINDS:
        raise NotFound(f"there is no kind of source {kind[:32]}; there are {', '.join(KINDS)}")
    if request.form.get("action") == "delete":
        problem = attempted(lambda: sources.delete(who.name, KINDS[kind], name))
        return _source(kind, name, problem) if problem else go("/admin/sources")
    present, items = _present(kind, name), identity.items_of(KINDS[kind])
    before = _values(present, items)
    given = {item: text.replace("\r\n", "\n").strip() for item, text in request.form.items() if item in items}
    changes = {item: text for item, text in given.items() if (text if items[item].secret else text != before[item])}
    enabled = request.form.get("enabled") == "true"
    problem = attempted(lambda: identity.save(who.name, KINDS[kind], name, changes, enabled=enabled))
    return _source(kind, name, problem) if problem else go(f"/admin/sources/{kind}/{quote(name, safe='')}")
