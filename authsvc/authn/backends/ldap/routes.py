"""Harbor's LDAP operations, the trace, and several directories (the last two beyond Harbor's API)."""

from typing import Any

from flask import jsonify
from marshmallow import fields, validate

from authsvc.authn import configuration, sources
from authsvc.authn.backends.ldap import backend
from authsvc.authn.backends.ldap import settings as ldap_settings
from authsvc.authn.backends.ldap.backend import KIND, Named
from authsvc.authn.backends.ldap.schemas import (
    DirectorySchema,
    LdapConfSchema,
    LdapGroupSchema,
    LdapImportSchema,
    LdapPingResultSchema,
    LdapUserSchema,
    StepSchema,
    TraceRequestSchema,
)
from authsvc.authn.backends.ldap.trace import trace
from authsvc.core.api import Blueprint, PageArguments
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_sysadmin, require_system
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("ldap", __name__, url_prefix="/ldap", description="Directories")

_PING_STEPS = 9  # as far as a directory can be tried without a user


class UserSearchArguments(PageArguments):
    username = fields.String(load_default="", validate=validate.Length(max=255))


class GroupSearchArguments(PageArguments):
    groupname = fields.String(load_default="", validate=validate.Length(max=255))
    groupdn = fields.String(load_default="", validate=validate.Length(max=512))


def _directories() -> list[Named]:
    named = backend.directories()
    if not named:
        raise BadRequest("no directory is configured: set ldap_url and auth_mode ldap_auth, or add a directory")
    let_go()  # the network comes next
    return named


@blueprint.post("/ping")
@blueprint.arguments(LdapConfSchema)
@blueprint.response(200, LdapPingResultSchema)
def ping_ldap(body: dict[str, Any]) -> Any:
    """Try a directory as it was posted; fields that are empty are taken from the stored one."""
    require_sysadmin()
    stored = next((one.settings for one in sources.of_kind(KIND, enabled_only=False) if one.name == sources.DEFAULT), {})
    given = {name: value for name, value in body.items() if value not in ("", None)}
    named = Named("ping", ldap_settings.parse(sources.changed(KIND, stored, given)))
    let_go()
    failed = next((step for step in trace(named)[:_PING_STEPS] if step.ok is False), None)
    message = f"{failed.name}: {failed.detail}{f' ({failed.hint})' if failed.hint else ''}" if failed else ""
    return {"success": failed is None, "message": message}


@blueprint.get("/users/search")
@blueprint.arguments(UserSearchArguments, location="query")
@blueprint.response(200, LdapUserSchema(many=True))
def search_ldap_user(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.LDAP_USER)
    return [person for named in _directories() for person in backend.asking(named, lambda it: it.matching(arguments["username"]))]


@blueprint.post("/users/import")
@blueprint.arguments(LdapImportSchema)
@blueprint.response(200)
def import_ldap_user(body: dict[str, Any]) -> Any:
    """Bring people aboard by name, without a login of theirs; 404 with the ones that failed, as Harbor has it."""
    require_system(Action.CREATE, Resource.LDAP_USER)
    _directories()
    failed = [{"uid": uid, "error": error} for uid in body["ldap_uid_list"] if (error := _import(uid))]
    db.session.commit()
    return (jsonify(failed), 404) if failed else None


def _import(uid: str) -> str:
    """Harbor's word for why somebody cannot come aboard; "" if he did."""
    try:
        with db.session.begin_nested():
            return "" if backend.aboard(uid) is not None else "unknown_user"
    except DomainError as error:
        return "conflict" if error.code == "UNAUTHORIZED" else error.message


@blueprint.get("/groups/search")
@blueprint.arguments(GroupSearchArguments, location="query")
@blueprint.response(200, LdapGroupSchema(many=True))
def search_ldap_group(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.USER_GROUP)
    name, dn = arguments["groupname"], arguments["groupdn"]
    if not name and not dn:
        raise BadRequest("groupname or groupdn is needed")
    if dn and "=" not in dn:
        raise BadRequest("invalid dn")
    found = [group for named in _directories() for group in backend.asking(named, lambda it: it.matching_groups(name, dn))]
    if dn and not found:
        raise NotFound(f"group {dn} not found")
    return found


# -- beyond Harbor's API -----------------------------------------------------------------------------------------------


@blueprint.post("/trace")
@blueprint.arguments(TraceRequestSchema)
@blueprint.response(200, StepSchema(many=True))
def trace_login(body: dict[str, Any]) -> Any:
    """Try a directory step by step, as a user if one is named."""
    require_sysadmin()
    named = backend.one_directory(body["source"])
    let_go()
    return trace(named, body["username"], body["password"])


@blueprint.get("/directories")
@blueprint.response(200, DirectorySchema(many=True))
def list_directories() -> Any:
    """All directories, in the order in which they are asked; without their passwords."""
    require_sysadmin()
    return [
        {"name": source.name, "enabled": source.enabled, "position": source.position, "settings": source.shown}
        for source in sources.of_kind(KIND, enabled_only=False)
    ]


@blueprint.put("/directories/<string:name>")
@blueprint.arguments(DirectorySchema)
@blueprint.response(200)
def save_directory(body: dict[str, Any], name: str) -> None:
    """Make a directory or change one; settings that are not named stay."""
    actor = require_sysadmin(Door.IDENTITIES).name
    configuration.save(actor, KIND, name, body["settings"], enabled=body["enabled"], position=body["position"])
    db.session.commit()


@blueprint.delete("/directories/<string:name>")
@blueprint.response(200)
def delete_directory(name: str) -> None:
    """Delete a directory that nobody comes from any more."""
    sources.delete(require_sysadmin(Door.IDENTITIES).name, KIND, name)
    db.session.commit()
