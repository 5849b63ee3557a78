"""Projects and members, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from authsvc import lifecycle
from authsvc.allowlist import service as allowlists
from authsvc.authn import entities
from authsvc.core.api import Blueprint, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, PreconditionFailed
from authsvc.core.query import filtered, ordered
from authsvc.groups import service as groups
from authsvc.groups.models import UserGroup
from authsvc.projects import members, service
from authsvc.projects.access import load, refusal_to_create, upstream
from authsvc.projects.models import Project
from authsvc.projects.rules import single
from authsvc.projects.schemas import (
    DeletableSchema,
    MemberListArguments,
    MemberRequestSchema,
    MemberSchema,
    MetadataSchema,
    ProjectHeadArguments,
    ProjectListArguments,
    ProjectRequestSchema,
    ProjectSchema,
    ProjectSummarySchema,
    ProjectUpdateSchema,
    RoleRequestSchema,
)
from authsvc.quota import service as quota
from authsvc.rbac.guard import principal, require_login
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import BY_POWER
from authsvc.registries import service as registries
from authsvc.repositories import service as repositories
from authsvc.repositories.overview import described
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.service import BUILT_IN_ADMIN

blueprint = Blueprint("project", __name__, url_prefix="/projects", description="Projects")
metadata_blueprint = Blueprint("projectMetadata", __name__, url_prefix="/projects", description="One setting of a project")
member_blueprint = Blueprint("member", __name__, url_prefix="/projects", description="Members of projects")

COLUMNS = {
    "name": Project.name,
    "project_id": Project.id,
    "owner_id": Project.owner_id,
    "public": Project.public,
    "creation_time": Project.creation_time,
    "update_time": Project.update_time,
}


def _metadata(body: dict[str, Any]) -> dict[str, str | None]:
    metadata = dict(body["metadata"] or {})
    if body["public"] is not None and not metadata.get("public"):
        metadata["public"] = str(body["public"]).lower()
    return metadata


def _set_allowlist(project: Project, given: dict[str, Any] | None) -> None:
    if given is None:
        return
    if given["project_id"] not in (0, project.id):
        raise BadRequest(f"project_id in cve_allowlist must be {project.id} but it's {given['project_id']}")
    allowlists.replace(project.id, [item["cve_id"] for item in given["items"] or ()], given["expires_at"])


def _set_limit(who: Principal, project: Project, limit: int | None) -> None:
    """Only system administrators say how much a project may store; what others send is passed over, as Harbor does."""
    if limit and who.is_sysadmin:
        quota.set_limit(who.name, project, limit)


# Ahead of the list, whose GET answers HEAD as well.
@blueprint.route("", methods=["HEAD"])
@blueprint.arguments(ProjectHeadArguments, location="query")
@blueprint.response(200)
def head_project(arguments: dict[str, Any]) -> None:
    require_login()
    service.get_by_name(arguments["project_name"])


@blueprint.get("")
@blueprint.strangers
@blueprint.arguments(ProjectListArguments, location="query")
@blueprint.response(200, ProjectSchema(many=True))
def list_projects(arguments: dict[str, Any]) -> Any:
    who = principal()
    statement = filtered(service.readable_by(who), arguments["q"], COLUMNS)
    if arguments["name"]:
        statement = statement.where(Project.name.icontains(arguments["name"], autoescape=True))
    if arguments["public"] is not None:
        statement = statement.where(Project.public.is_(arguments["public"]))
    if arguments["owner"]:
        statement = statement.where(Project.owner.has(User.username == arguments["owner"]))
    rows, headers = page_of(ordered(statement, arguments["sort"], COLUMNS, [Project.name]), arguments)
    return described(rows, who, detail=arguments["with_detail"]), headers


@blueprint.post("")
@blueprint.arguments(ProjectRequestSchema)
@blueprint.response(201)
def create_project(body: dict[str, Any]) -> Any:
    who = principal()
    if (refused := refusal_to_create(who)) is not None:
        raise refused
    registry = upstream(who, body["registry_id"])
    with lifecycle.place_of(who, body["project_name"]) as place:
        project = lifecycle.create_project(who, who.id or BUILT_IN_ADMIN, place, _metadata(body), registry)
        _set_limit(who, project, body["storage_limit"])
        _set_allowlist(project, body["cve_allowlist"])
        by_name = request.headers.get("X-Resource-Name-In-Location", "").lower() == "true"
        answer = created(project.name if by_name else project.id)
        db.session.commit()
    return answer


@blueprint.get("/<project_name_or_id>")
@blueprint.strangers
@blueprint.response(200, ProjectSchema)
def get_project(project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.READ)
    return described([project], who)[0]


@blueprint.put("/<project_name_or_id>")
@blueprint.arguments(ProjectUpdateSchema)
@blueprint.response(200)
def update_project(body: dict[str, Any], project_name_or_id: str) -> None:
    who, project = load(project_name_or_id, Action.UPDATE)
    service.update(who, project, _metadata(body))
    _set_limit(who, project, body["storage_limit"])
    _set_allowlist(project, body["cve_allowlist"])
    db.session.commit()


@blueprint.delete("/<project_name_or_id>")
@blueprint.response(200)
def delete_project(project_name_or_id: str) -> None:
    who, _ = load(project_name_or_id, Action.DELETE)
    lifecycle.delete_project(who.name, lambda: load(project_name_or_id, Action.DELETE)[1], current_app.extensions["registry"])


@blueprint.get("/<project_name_or_id>/_deletable")
@blueprint.response(200, DeletableSchema)
def get_project_deletable(project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.DELETE)
    try:
        lifecycle.require_deletable(project)
    except PreconditionFailed as error:
        return {"deletable": False, "message": error.message}
    return {"deletable": True}


@blueprint.get("/<project_name_or_id>/summary")
@blueprint.strangers
@blueprint.response(200, ProjectSummarySchema)
def get_project_summary(project_name_or_id: str) -> Any:
    """Members are counted for those who may see them."""
    who, project = load(project_name_or_id, Action.READ)
    summary: dict[str, Any] = {"repo_count": repositories.count_by_project([project.id]).get(project.id, 0)}
    if can(who, Permission(Resource.MEMBER, Action.LIST), project.ref):
        counts = members.count_by_role(project)
        summary |= {f"{role.name.lower()}_count": counts.get(role, 0) for role in BY_POWER}
    if project.registry_id is not None:
        summary["registry"] = registries.get(project.registry_id)
    if can(who, Permission(Resource.QUOTA, Action.READ), project.ref) and (standing := quota.summary(project)):
        summary["quota"] = standing
    return summary


# The trailing slash is Harbor's; some clients leave it out.
@metadata_blueprint.get("/<project_name_or_id>/metadatas/", strict_slashes=False)
@metadata_blueprint.response(200)
def list_project_metadatas(project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.METADATA)
    return project.metadata_


@metadata_blueprint.post("/<project_name_or_id>/metadatas/", strict_slashes=False)
@metadata_blueprint.arguments(MetadataSchema)
@metadata_blueprint.response(200)
def add_project_metadatas(body: dict[str, str], project_name_or_id: str) -> None:
    who, project = load(project_name_or_id, Action.CREATE, Resource.METADATA)
    service.add_metadata(who, project, single(body))
    db.session.commit()


@metadata_blueprint.get("/<project_name_or_id>/metadatas/<meta_name>")
@metadata_blueprint.response(200)
def get_project_metadata(project_name_or_id: str, meta_name: str) -> Any:
    _, project = load(project_name_or_id, Action.READ, Resource.METADATA)
    return {key: value for key, value in project.metadata_.items() if key == meta_name}


@metadata_blueprint.put("/<project_name_or_id>/metadatas/<meta_name>")
@metadata_blueprint.arguments(MetadataSchema)
@metadata_blueprint.response(200)
def update_project_metadata(body: dict[str, str], project_name_or_id: str, meta_name: str) -> None:
    who, project = load(project_name_or_id, Action.UPDATE, Resource.METADATA)
    service.update(who, project, single(body, meta_name))
    db.session.commit()


@metadata_blueprint.delete("/<project_name_or_id>/metadatas/<meta_name>")
@metadata_blueprint.response(200)
def delete_project_metadata(project_name_or_id: str, meta_name: str) -> None:
    who, project = load(project_name_or_id, Action.DELETE, Resource.METADATA)
    service.remove_metadata(who.name, project, meta_name)
    db.session.commit()


@member_blueprint.get("/<project_name_or_id>/members")
@member_blueprint.arguments(MemberListArguments, location="query")
@member_blueprint.response(200, MemberSchema(many=True))
def list_members(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.MEMBER)
    rows, headers = page_of(members.of(project, arguments["entityname"]), arguments, scalars=False)
    return [members.as_entity(row) for row in rows], headers


@member_blueprint.post("/<project_name_or_id>/members")
@member_blueprint.arguments(MemberRequestSchema)
@member_blueprint.response(201)
def create_member(body: dict[str, Any], project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.CREATE, Resource.MEMBER)
    member = members.add(who, project, _entity(body), members.role_of(body["role_id"]))
    answer = created(member.id)
    db.session.commit()
    return answer


def _entity(body: dict[str, Any]) -> User | UserGroup:
    """The user or group that a request names; a group of a directory may be one that we see for the first time."""
    user, group = body["member_user"] or {}, body["member_group"] or {}
    if user.get("user_id"):
        return users.get(user["user_id"])
    if user.get("username"):
        return entities.user(user["username"])
    if group.get("id"):
        return groups.get(group["id"])
    if group.get("group_name") or group.get("ldap_group_dn"):
        return entities.group(
            entities.group_named(group["group_type"], group["group_name"], group["ldap_group_dn"], group["source"])
        )
    raise BadRequest("member_user with user_id or username is needed, or member_group with id, group_name or ldap_group_dn")


@member_blueprint.get("/<project_name_or_id>/members/<int:member_id>")
@member_blueprint.response(200, MemberSchema)
def get_member(project_name_or_id: str, member_id: int) -> Any:
    _, project = load(project_name_or_id, Action.READ, Resource.MEMBER)
    return members.get(project, member_id)


@member_blueprint.put("/<project_name_or_id>/members/<int:member_id>")
@member_blueprint.arguments(RoleRequestSchema)
@member_blueprint.response(200)
def update_member(body: dict[str, Any], project_name_or_id: str, member_id: int) -> None:
    who, project = load(project_name_or_id, Action.UPDATE, Resource.MEMBER)
    members.set_role(who, project, member_id, members.role_of(body["role_id"]))
    db.session.commit()


@member_blueprint.delete("/<project_name_or_id>/members/<int:member_id>")
@member_blueprint.response(200)
def delete_member(project_name_or_id: str, member_id: int) -> None:
    who, project = load(project_name_or_id, Action.DELETE, Resource.MEMBER)
    members.remove(who.name, project, member_id)
    db.session.commit()
