"""Logging in and out of the pages, and registering: form posts of our own pages, at Harbor's paths below `/c`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from marshmallow import EXCLUDE, ValidationError, fields, validate

from authsvc.authn import session
from authsvc.authn.backends.oidc.backend import logout_url
from authsvc.authn.credentials import Basic
from authsvc.authn.onboarding import origin_of
from authsvc.authn.registration import register
from authsvc.core import origin
from authsvc.core.api import Schema
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest
from authsvc.core.text import is_storable
from authsvc.rbac.authority import Door
from authsvc.users.schemas import UserCreationSchema

blueprint = Blueprint("login", __name__, url_prefix="/c")


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
    body = _body(LoginSchema())
    services: Any = current_app.extensions["tidegate"]
    credential = Basic(body["principal"], body["password"])
    snapshot, address = services.snapshots.current(), origin.current().address
    who, _ = services.authentication.check(credential, snapshot, address, temporary=True)
    who.authority.require(Door.PAGES)
    response = jsonify(username=who.name, password_change_required=who.temporary_password)
    session.start(who, response)
    db.session.commit()
    return response


@blueprint.route("/log_out", methods=["GET", "POST"])
def log_out() -> Response:
    session.require_no_other_site(request)
    identity = session.find(request)
    origin_here = origin_of(identity.account_id) if identity else None
    source = origin_here.source if origin_here is not None and origin_here.kind == "oidc" else ""
    let_go()  # the network comes next
    url = logout_url(source) if source else ""
    response = jsonify(redirect=url)
    session.end(request, response)
    db.session.commit()
    return response


@blueprint.post("/register")
def sign_up() -> tuple[Response, int]:
    """Self registration, where it is switched on; with approval the account waits for an administrator."""
    session.require_same_origin(request)
    body = _body(UserCreationSchema())
    waits = register(**body)
    db.session.commit()
    return jsonify(username=body["username"], waits_for_approval=waits), 201
