"""Harbor's configuration API: every item of ours and of the default identity sources."""

import json
from typing import Any

from flask import request

from authsvc.authn import configuration as identity
from authsvc.configuration import service
from authsvc.core.api import Blueprint
from authsvc.core.db import db
from authsvc.core.errors import Unprocessable
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_sysadmin

blueprint = Blueprint("configure", __name__, url_prefix="/configurations", description="Configuration")

_UNUSED = {"uaa_client_secret": ""}  # Harbor shows it; we would have no use for it, so it is not even stored


@blueprint.get("")
@blueprint.response(200)
def get_configurations() -> Any:
    require_sysadmin()
    found = _UNUSED | service.values() | identity.values()
    found["scan_all_policy"] = json.loads(found["scan_all_policy"] or '{"type": "none"}')
    return {name: {"value": value, "editable": True} for name, value in sorted(found.items())}


@blueprint.put("")
@blueprint.response(200)
def update_configurations() -> None:
    who = require_sysadmin()
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Unprocessable("the body must be a JSON object of items and values")
    body = {name: value for name, value in body.items() if value is not None}
    if identity.says_who_is_let_in(body):
        who.authority.require(Door.IDENTITIES)
    identity.configure(who.name, body)
    db.session.commit()
