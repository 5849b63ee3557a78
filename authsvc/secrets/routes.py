"""What a user can log in with beside the password, and the logins that are kept (beyond Harbor's API)."""

from collections.abc import Callable
from typing import Any

from authsvc.core.api import Blueprint, PageArguments, page_of
from authsvc.core.db import db
from authsvc.core.errors import Forbidden
from authsvc.projects import service as projects
from authsvc.projects.access import readable_id
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_of, require_person
from authsvc.rbac.principal import Principal
from authsvc.secrets import rules, service
from authsvc.secrets.rules import Kind, Scope
from authsvc.secrets.schemas import AccessTokenCreatedSchema, AccessTokenCreateSchema, AccessTokenSchema, SecretSchema
from authsvc.users import service as users
from authsvc.users.models import User

blueprint = Blueprint("tokens", __name__, url_prefix="/users", description="Access tokens, kept logins and sessions of users")


def _load(user_id: int) -> tuple[str, User]:
    return require_of(user_id).name, users.get(user_id)


def _list(arguments: dict[str, Any], user_id: int, kind: Kind) -> Any:
    _, user = _load(user_id)
    rows, headers = page_of(service.of_owner("user", user.id, kind), arguments, scalars=False)
    return [service.described(row) for row in rows], headers


def _revoke(user_id: int, secret_id: int, kind: Kind) -> None:
    actor, user = _load(user_id)
    service.revoke(actor, "user", user.id, user.username, secret_id, kind)
    db.session.commit()


def _kept(kind: Kind, path: str, plural: str) -> None:
    """Routes to list and to end what is kept of one kind."""

    def list_kept(arguments: dict[str, Any], user_id: int) -> Any:
        return _list(arguments, user_id, kind)

    def revoke_kept(user_id: int, secret_id: int) -> None:
        _revoke(user_id, secret_id, kind)

    list_kept.__name__, revoke_kept.__name__ = f"list_{plural}", f"revoke_{plural}"
    list_kept.__doc__ = f"The live {path} of a user, with their last use."
    revoke_kept.__doc__ = f"End one of the {path} of a user, at once."
    with_arguments: Callable[..., Any] = blueprint.arguments(PageArguments, location="query")
    listed = with_arguments(blueprint.response(200, SecretSchema(many=True))(list_kept))
    blueprint.get(f"/<int:user_id>/{path}")(listed)
    blueprint.delete(f"/<int:user_id>/{path}/<int:secret_id>")(blueprint.response(200)(revoke_kept))


_kept(Kind.REFRESH, "refresh-tokens", "refresh_tokens")
_kept(Kind.SESSION, "sessions", "sessions")


@blueprint.get("/<int:user_id>/access-tokens")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, AccessTokenSchema(many=True))
def list_access_tokens(arguments: dict[str, Any], user_id: int) -> Any:
    """The live access tokens of a user, with their last use."""
    entries, headers = _list(arguments, user_id, Kind.ACCESS)
    return [entry | {"projects": projects.names_of(entry["project_ids"])} for entry in entries], headers


@blueprint.post("/<int:user_id>/access-tokens")
@blueprint.arguments(AccessTokenCreateSchema)
@blueprint.response(201, AccessTokenCreatedSchema)
def create_access_token(body: dict[str, Any], user_id: int) -> Any:
    """A personal access token of one's own: for docker and for the API, shown this once."""
    who = require_person(Door.CREDENTIALS)
    if who.id != user_id:
        raise Forbidden("nobody makes access tokens for somebody else")
    user = users.get(user_id)
    scope = _scope(who, body["projects"], body["actions"])
    networks = rules.parse_networks(body["networks"])
    token, row = service.issue_access_token(who.name, user, body["name"], days=body["days"], scope=scope, networks=networks)
    shown = {"id": row.id, "name": row.name, "token": token, "expires_at": row.expires_at}
    db.session.commit()
    return shown, 201, {"Location": f"/api/v2.0/users/{user_id}/access-tokens/{shown['id']}"}


def _scope(who: Principal, names: list[str] | None, actions: list[str] | None) -> Scope | None:
    if names is None and actions is None:
        return None
    ids = tuple(readable_id(who, name) for name in names) if names is not None else None
    return Scope(ids, rules.parse_actions(actions if actions is not None else rules.ACTIONS))


@blueprint.delete("/<int:user_id>/access-tokens/<int:secret_id>")
@blueprint.response(200)
def revoke_access_token(user_id: int, secret_id: int) -> None:
    """Revoke an access token, at once."""
    _revoke(user_id, secret_id, Kind.ACCESS)
