"""Projects and members, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from flask import request

from authsvc.authn.backends.keyless import service as keyless
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.configuration import service as configuration
from authsvc.core.api import Blueprint, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Forbidden
from authsvc.core.query import filtered, ordered
from authsvc.groups import service as groups
from authsvc.groups.models import UserGroup
from authsvc.projects import members, service
from authsvc.projects.access import load
from authsvc.projects.models import Project
from authsvc.projects.schemas import (
    MemberListArguments,
    MemberRequestSchema,
    MemberSchema,
    ProjectHeadArguments,
    ProjectListArguments,
    ProjectRequestSchema,
    ProjectSchema,
    ProjectUpdateSchema,
    RoleRequestSchema,
)
from authsvc.rbac.guard import principal, require_login, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import BY_POWER, strongest
from authsvc.repositories import service as repositories
from authsvc.robots import service as robots
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.service import BUILT_IN_ADMIN

blueprint = Blueprint("project", __name__, url_prefix="/projects", description="Projects")
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
    if body["public"] is not None:
        metadata.setdefault("public", str(body["public"]).lower())
    return metadata


def _described(projects: list[Project], who: Principal) -> list[dict[str, Any]]:
    counts = repositories.count_by_project([project.id for project in projects])
    described = []
    for project in projects:
        held = who.roles_in(project.ref)
        entry = {"project": project, "repo_count": counts.get(project.id, 0)}
        if held:
            entry["current_user_role_id"] = strongest(held)
            entry["current_user_role_ids"] = [role for role in BY_POWER if role in held]
        described.append(entry)
    return described


@blueprint.get("")
@blueprint.arguments(ProjectListArguments, location="query")
@blueprint.response(200, ProjectSchema(many=True))
def list_projects(arguments: dict[str, Any]) -> Any:
    who = principal()
    statement = filtered(service.visible_to(who), arguments["q"], COLUMNS)
    if arguments["name"]:
        statement = statement.where(Project.name.icontains(arguments["name"], autoescape=True))
    if arguments["public"] is not None:
        statement = statement.where(Project.public.is_(arguments["public"]))
    if arguments["owner"]:
        statement = statement.where(Project.owner.has(User.username == arguments["owner"]))
    rows, headers = page_of(ordered(statement, arguments["sort"], COLUMNS, [Project.name]), arguments)
    return _described(list(rows), who), headers


@blueprint.route("", methods=["HEAD"])
@blueprint.arguments(ProjectHeadArguments, location="query")
@blueprint.response(200)
def head_project(arguments: dict[str, Any]) -> None:
    require_login()
    service.get_by_name(arguments["project_name"])


@blueprint.post("")
@blueprint.arguments(ProjectRequestSchema)
@blueprint.response(201)
def create_project(body: dict[str, Any]) -> Any:
    who = require_login()
    if who.kind != "user":
        require_system(Action.CREATE, Resource.PROJECT)
    elif who.limits is not None:
        raise Forbidden("this access token is limited and cannot create projects")
    elif not who.is_sysadmin and configuration.value("project_creation_restriction") == "adminonly":
        raise Forbidden("Only system admin can create project")
    project = service.create(who.name, who.id or BUILT_IN_ADMIN, body["project_name"], _metadata(body))
    db.session.commit()
    by_name = request.headers.get("X-Resource-Name-In-Location", "").lower() == "true"
    return created(project.name if by_name else project.id)


@blueprint.get("/<project_name_or_id>")
@blueprint.response(200, ProjectSchema)
def get_project(project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.READ)
    return _described([project], who)[0]


@blueprint.put("/<project_name_or_id>")
@blueprint.arguments(ProjectUpdateSchema)
@blueprint.response(200)
def update_project(body: dict[str, Any], project_name_or_id: str) -> None:
    who, project = load(project_name_or_id, Action.UPDATE)
    service.update(who.name, project, _metadata(body))
    db.session.commit()


@blueprint.delete("/<project_name_or_id>")
@blueprint.response(200)
def delete_project(project_name_or_id: str) -> None:
    who, project = load(project_name_or_id, Action.DELETE)
    repositories.require_empty(project)
    robots.delete_of_project(who.name, project.id)
    keyless.remove_of_project(project.id)
    service.delete(who.name, project)
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
    member = members.add(who.name, project, _entity(body), members.role_of(body["role_id"]))
    db.session.commit()
    return created(member.id)


def _entity(body: dict[str, Any]) -> User | UserGroup:
    """The user or group that a request names; a group of a directory may be one that we see for the first time."""
    user, group = body["member_user"] or {}, body["member_group"] or {}
    if user.get("user_id"):
        return users.get(user["user_id"])
    if user.get("username"):
        return users.find_by_name(user["username"]) or ldap.aboard(user["username"]) or users.get_by_name(user["username"])
    if group.get("id"):
        return groups.get(group["id"])
    if group.get("group_name") or group.get("ldap_group_dn"):
        return groups.onboard(groups.group_name(group["group_type"], group["group_name"], group["ldap_group_dn"]))
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
    members.set_role(who.name, project, member_id, members.role_of(body["role_id"]))
    db.session.commit()


@member_blueprint.delete("/<project_name_or_id>/members/<int:member_id>")
@member_blueprint.response(200)
def delete_member(project_name_or_id: str, member_id: int) -> None:
    who, project = load(project_name_or_id, Action.DELETE, Resource.MEMBER)
    members.remove(who.name, project, member_id)
    db.session.commit()
