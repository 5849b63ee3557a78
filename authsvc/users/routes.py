"""Users, by Harbor's paths."""

from typing import Any

from marshmallow import fields, validate

from authsvc.authn.lockout import require_own_password
from authsvc.core.api import Blueprint, ListArguments, PageArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import Forbidden, PreconditionFailed
from authsvc.core.query import filtered, ordered
from authsvc.core.repeat import outside
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_login, require_of, require_person, require_search, require_sysadmin, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.users import service
from authsvc.users.models import User
from authsvc.users.passwords import choose
from authsvc.users.schemas import (
    DisabledSchema,
    PasswordSchema,
    SysAdminFlagSchema,
    UserCreationSchema,
    UserProfileSchema,
    UserSchema,
    UserSearchSchema,
)

blueprint = Blueprint("user", __name__, url_prefix="/users", description="People who log in")

COLUMNS = {
    "username": User.username,
    "email": User.email,
    "realname": User.realname,
    "comment": User.comment,
    "user_id": User.id,
    "creation_time": User.creation_time,
    "update_time": User.update_time,
}


class UserSearchArguments(PageArguments):
    username = fields.String(required=True, validate=validate.Length(1, 255))


def _get_lower(who: Principal, user_id: int) -> User:
    """The user; a robot that may change users may not change who could change it."""
    user = service.get(user_id)
    if (user.sysadmin or user.admin_role_in_auth) and user.id != who.id and not who.is_sysadmin:
        raise Forbidden("only a system administrator may change one")
    return user


@blueprint.get("")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, UserSchema(many=True))
def list_users(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.USER)
    statement = filtered(service.all_users(), arguments["q"], COLUMNS)
    return page_of(ordered(statement, arguments["sort"], COLUMNS, [User.username]), arguments)


@blueprint.post("")
@blueprint.arguments(UserCreationSchema)
@blueprint.response(201)
def create_user(body: dict[str, Any]) -> Any:
    who = require_system(Action.CREATE, Resource.USER)
    password = outside("password", lambda: choose(body["password"], body["username"]))
    user = service.create(who.name, **body | {"password": password})
    answer = created(user.id)
    db.session.commit()
    return answer


@blueprint.get("/current")
@blueprint.response(200, UserSchema)
def get_current_user() -> User:
    who = require_login()
    if who.kind != "user":
        raise PreconditionFailed("get current user not available for robot accounts")
    return service.get(who.id)


@blueprint.get("/search")
@blueprint.arguments(UserSearchArguments, location="query")
@blueprint.response(200, UserSearchSchema(many=True))
def search_users(arguments: dict[str, Any]) -> Any:
    require_search(Resource.USER)
    return page_of(service.matching(arguments["username"]).order_by(User.username), arguments)


@blueprint.get("/<int:user_id>")
@blueprint.response(200, UserSchema)
def get_user(user_id: int) -> User:
    if require_login().id != user_id:
        require_system(Action.READ, Resource.USER)
    return service.get(user_id)


@blueprint.put("/<int:user_id>")
@blueprint.arguments(UserProfileSchema)
@blueprint.response(200)
def update_user(body: dict[str, Any], user_id: int) -> None:
    who = require_person() if require_login().id == user_id else require_system(Action.UPDATE, Resource.USER)
    service.update_profile(who.name, _get_lower(who, user_id), **body)
    db.session.commit()


@blueprint.delete("/<int:user_id>")
@blueprint.response(200)
def delete_user(user_id: int) -> None:
    who = require_system(Action.DELETE, Resource.USER)
    if who.id == user_id:
        raise Forbidden("nobody can delete himself")
    service.delete(who.name, _get_lower(who, user_id))
    db.session.commit()


@blueprint.put("/<int:user_id>/sysadmin")
@blueprint.arguments(SysAdminFlagSchema)
@blueprint.response(200)
def set_sysadmin(body: dict[str, Any], user_id: int) -> None:
    service.set_sysadmin(require_sysadmin(Door.IDENTITIES).name, service.get(user_id), body["sysadmin_flag"])
    db.session.commit()


@blueprint.put("/<int:user_id>/disabled")
@blueprint.arguments(DisabledSchema)
@blueprint.response(200)
def set_disabled(body: dict[str, Any], user_id: int) -> None:
    """Disable or enable an account (beyond Harbor's API)."""
    service.set_disabled(require_sysadmin(Door.IDENTITIES).name, service.get(user_id), body["disabled"])
    db.session.commit()


@blueprint.put("/<int:user_id>/password")
@blueprint.arguments(PasswordSchema)
@blueprint.response(200)
def set_password(body: dict[str, Any], user_id: int) -> None:
    who = require_of(user_id, Door.CREDENTIALS)
    user = service.get(user_id)
    service.require_local(user)
    old = body["old_password"] if who.id == user_id else None
    username = user.username
    if old is not None:
        outside("old password", lambda: require_own_password(username, old))
    password = outside("password", lambda: choose(body["new_password"], username))
    service.set_password(who.name, user, password, old=old)
    db.session.commit()
