"""Wrong passwords that are counted now: seen and cleared by system administrators (beyond Harbor's API)."""

from typing import Any

from marshmallow import fields, validate

from authsvc.authn import lockout
from authsvc.core.api import Blueprint, PageArguments, Schema, Time, page_of
from authsvc.core.db import db
from authsvc.rbac.guard import require_sysadmin

blueprint = Blueprint("login-failures", __name__, url_prefix="/system/login-failures", description="Wrong passwords, counted")


class LoginFailureSchema(Schema):
    account = fields.String(metadata={"description": "a user, or `unknown:` and a digest of a name that nobody has"})
    address = fields.String()
    failures = fields.Integer()
    last = Time()


class ClearArguments(PageArguments):
    name = fields.String(required=True, validate=validate.Length(1, 300), metadata={"description": "an account or an address"})


@blueprint.get("")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, LoginFailureSchema(many=True))
def list_login_failures(arguments: dict[str, Any]) -> Any:
    """Who is counted, from where, and how often."""
    require_sysadmin()
    rows, headers = page_of(lockout.failures(), arguments, scalars=False)
    return [row._asdict() for row in rows], headers


@blueprint.delete("")
@blueprint.arguments(ClearArguments, location="query")
@blueprint.response(200)
def clear_login_failures(arguments: dict[str, Any]) -> None:
    """Let an account or an address log in again at once."""
    lockout.clear(require_sysadmin().name, arguments["name"])
    db.session.commit()
