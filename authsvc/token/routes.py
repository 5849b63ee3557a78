"""The logins of a user, by the refresh tokens that clients keep for them (beyond Harbor's API)."""

from typing import Any

from authsvc.core.api import Blueprint, ListArguments, page_of
from authsvc.core.db import db
from authsvc.core.errors import Forbidden
from authsvc.rbac.guard import require_login
from authsvc.token import refresh
from authsvc.token.schemas import RefreshTokenSchema
from authsvc.users import service as users
from authsvc.users.models import User

blueprint = Blueprint("refresh-token", __name__, url_prefix="/users", description="Logins that clients keep")


def _load(user_id: int) -> tuple[str, User]:
    who = require_login()
    if who.id != user_id and not who.is_sysadmin:
        raise Forbidden("only the user or a system administrator may do this")
    return who.name, users.get(user_id)


@blueprint.get("/<int:user_id>/refresh-tokens")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, RefreshTokenSchema(many=True))
def list_refresh_tokens(arguments: dict[str, Any], user_id: int) -> Any:
    _, user = _load(user_id)
    rows, headers = page_of(refresh.of_user(user.id), arguments, scalars=False)
    return [refresh.described(row) for row in rows], headers


@blueprint.delete("/<int:user_id>/refresh-tokens/<int:token_id>")
@blueprint.response(200)
def revoke_refresh_token(user_id: int, token_id: int) -> None:
    actor, user = _load(user_id)
    refresh.revoke(actor, user, token_id)
    db.session.commit()
