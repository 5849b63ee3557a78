"""Logging in and out of the pages, and registering: form posts of our own pages, at Harbor's paths below `/c`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from marshmallow import EXCLUDE, ValidationError, fields, validate

from authsvc.authn import session
from authsvc.authn.backends.oidc.backend import logout_url, providers
from authsvc.authn.credentials import Basic
from authsvc.authn.onboarding import origin_of
from authsvc.authn.registration import register
from authsvc.configuration import service as configuration
from authsvc.core import origin
from authsvc.core.api import Schema
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.core.text import is_storable, own_path
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import principal
from authsvc.rbac.principal import Principal
from authsvc.ui.shell import Pages, go, page
from authsvc.users.schemas import UserCreationSchema

blueprint = Blueprint("login", __name__, url_prefix="/c")
pages = Pages("login", __name__)


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
