"""User groups, by Harbor's paths."""

from typing import Any

from marshmallow import fields, validate

from authsvc import lifecycle
from authsvc.authn import groups as whose
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.core.api import Blueprint, ListArguments, PageArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.query import filtered, ordered
from authsvc.groups import service
from authsvc.groups.models import UserGroup
from authsvc.groups.schemas import UserGroupRenameSchema, UserGroupSchema, UserGroupSearchSchema
from authsvc.rbac.guard import require_search, require_system
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("usergroup", __name__, url_prefix="/usergroups", description="Groups of people")

COLUMNS = {
    "id": UserGroup.id,
    "group_name": UserGroup.group_name,
    "group_type": UserGroup.group_type,
    "ldap_group_dn": UserGroup.ldap_group_dn,
}


class GroupListArguments(ListArguments):
    group_name = fields.String(load_default="", validate=validate.Length(max=255))
    ldap_group_dn = fields.String(load_default="", validate=validate.Length(max=512))


class GroupSearchArguments(PageArguments):
    groupname = fields.String(required=True, validate=validate.Length(1, 255))


@blueprint.get("")
@blueprint.arguments(GroupListArguments, location="query")
@blueprint.response(200, UserGroupSchema(many=True))
def list_user_groups(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.USER_GROUP)
    statement = filtered(service.matching(arguments["group_name"]), arguments["q"], COLUMNS)
    if arguments["ldap_group_dn"]:
        statement = statement.where(UserGroup.key == service.group_name(1, "", arguments["ldap_group_dn"]).key)
    return page_of(ordered(statement, arguments["sort"], COLUMNS, [UserGroup.group_name]), arguments)


@blueprint.post("")
@blueprint.arguments(UserGroupSchema)
@blueprint.response(201)
def create_user_group(body: dict[str, Any]) -> Any:
    who = require_system(Action.CREATE, Resource.USER_GROUP)
    named = whose.named(body["group_type"], body["group_name"], body["ldap_group_dn"], body["source"])
    group = service.create(who.name, ldap.existing(named))
    answer = created(group.id)
    db.session.commit()
    return answer


@blueprint.get("/search")
@blueprint.arguments(GroupSearchArguments, location="query")
@blueprint.response(200, UserGroupSearchSchema(many=True))
def search_user_groups(arguments: dict[str, Any]) -> Any:
    require_search(Resource.USER_GROUP)
    return page_of(service.matching(arguments["groupname"]).order_by(UserGroup.group_name), arguments)


@blueprint.get("/<int:group_id>")
@blueprint.response(200, UserGroupSchema)
def get_user_group(group_id: int) -> UserGroup:
    require_system(Action.READ, Resource.USER_GROUP)
    return service.get(group_id)


@blueprint.put("/<int:group_id>")
@blueprint.arguments(UserGroupRenameSchema)
@blueprint.response(200)
def update_user_group(body: dict[str, Any], group_id: int) -> None:
    who = require_system(Action.UPDATE, Resource.USER_GROUP)
    service.rename(who.name, service.get(group_id), body["group_name"])
    db.session.commit()


@blueprint.delete("/<int:group_id>")
@blueprint.response(200)
def delete_user_group(group_id: int) -> None:
    who = require_system(Action.DELETE, Resource.USER_GROUP)
    lifecycle.delete_group(who.name, service.get(group_id))
    db.session.commit()
