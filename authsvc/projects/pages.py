"""Projects: the list, a new one, and one of them with repositories, members and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request
from sqlalchemy import select

from authsvc import lifecycle
from authsvc.artifacts import service as artifacts
from authsvc.authn import entities, sources
from authsvc.configuration import service as configuration
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError, Forbidden
from authsvc.core.text import is_storable
from authsvc.groups.models import UserGroup
from authsvc.groups.rules import GroupType
from authsvc.projects import members, service
from authsvc.projects.access import load, may_cache, refusal_to_create, upstream
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project, ProjectMember, StorageUsage
from authsvc.rbac.guard import principal
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import BY_POWER, strongest
from authsvc.registries import service as registries
from authsvc.registries.models import Registry
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.scanners import service as scanners
from authsvc.scanners.models import Scanner
from authsvc.system.first_steps import is_new
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, go, page
from authsvc.users.models import User
from authsvc.users.service import BUILT_IN_ADMIN

blueprint = Pages("projects", __name__)
COLUMNS = {"name": Project.name, "created": Project.creation_time, "limit": Project.storage_limit}
MEMBERS = {"name": members.NAME, "role": ProjectMember.role}
REPOSITORIES = {"name": Repository.name, "pulls": Repository.pull_count, "updated": Repository.update_time}
_KINDS: dict[Any, int] = {"ldap": GroupType.LDAP, "oidc": GroupType.OIDC}
_LONGEST_DN = 512
_DIGITS = 10
# What the form says of images that may not be pulled, and what it means where it says nothing.
_POLICIES = {
    "enable_content_trust_cosign": "false",
    "enable_content_trust": "false",
    "auto_scan": "false",
    "prevent_vul": "false",
    "severity": "low",
    "prevent_vul_only_fixable": "false",
    "prevent_vul_unscanned": "refuse",
    "prevent_vul_grace_days": "0",
}
_SCANNER = Permission(Resource.SCANNER, Action.CREATE)
_QUOTA, _PUSH = Permission(Resource.QUOTA, Action.READ), Permission(Resource.REPOSITORY, Action.PUSH)


@blueprint.get("/projects")
def list_projects() -> Response:
    who, asked = principal(), listing.asked(COLUMNS)
    statement = service.readable_by(who)
    if asked.search:
        statement = statement.where(Project.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Project.name])
    refused = refusal_to_create(who) if who.is_authenticated else None
    return page(
        "projects.html",
        listing=shown,
        counts=repositories.count_by_project([project.id for project in shown.rows]),
        used=_used(who, shown.rows),
        roles={project.id: strongest(who.roles_in(project.ref)) for project in shown.rows},
        refused=refused.message if refused else "",
        is_new=who.is_sysadmin and is_new(),
    )


def _used(who: Principal, projects: Sequence[Project]) -> dict[int, int]:
    """Bytes that each of these stores, of those whose quota may be read."""
    ids = [project.id for project in projects if who.is_authenticated and can(who, _QUOTA, project.ref)]
    statement = select(StorageUsage.project_id, StorageUsage.bytes).where(StorageUsage.project_id.in_(ids))
    return dict.fromkeys(ids, 0) | {id_: used for id_, used in db.session.execute(statement)}  # noqa: C416 - rows are no pairs


@blueprint.get("/new-project")
def new_project() -> Response:
    if (refused := refusal_to_create(principal())) is not None:
        raise refused
    return _new_project(name="", public=False)


def _new_project(**given: Any) -> Response:
    """The form; system administrators may say that it caches the images of another registry."""
    others = db.session.scalars(registries.every().order_by(Registry.name)).all() if may_cache(principal()) else []
    return page("project_new.html", registries=others, **given)


@blueprint.post("/new-project")
def create_project() -> Response:
    who = principal()
    if (refused := refusal_to_create(who)) is not None:
        raise refused
    name, public = request.form.get("name", "").strip(), request.form.get("public") == "true"
    if problem := attempted(lambda: _create(who, name, public=public)):
        return _new_project(problem=problem, name=name, public=public, registry=request.form.get("registry", ""))
    return go(_path(name))


def _create(who: Principal, name: str, *, public: bool) -> None:
    registry = upstream(who, _number("registry") if request.form.get("registry") else None)
    with lifecycle.place_of(who, name) as place:
        lifecycle.create_project(who, who.id or BUILT_IN_ADMIN, place, {"public": str(public).lower()}, registry)
        db.session.commit()


@blueprint.get("/projects/<name>")
def show_project(name: str) -> Response:
    who, project = load(name, Action.LIST, Resource.REPOSITORY, is_name=True)
    asked = listing.asked(REPOSITORIES)
    statement = repositories.of_project(project)
    if asked.search:
        statement = statement.where(Repository.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, REPOSITORIES, [Repository.update_time.desc(), Repository.id.desc()])
    limited = configuration.value("quota_per_project_enable")
    return page(
        "project.html",
        **frame(who, project),
        listing=shown,
        counts=artifacts.count_by_repository([repository.id for repository in shown.rows]),
        role=strongest(who.roles_in(project.ref)),
        used=_used(who, [project]).get(project.id),
        limit=project.storage_limit if limited and project.storage_limit >= 0 else None,
        may_push=who.is_authenticated and can(who, _PUSH, project.ref) and project.registry_id is None,
    )


@blueprint.get("/projects/<name>/members")
def show_members(name: str) -> Response:
    return _members(name)


def _members(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.LIST, Resource.MEMBER, is_name=True)
    asked = listing.asked(MEMBERS)
    shown = listing.part(
        members.of(project, asked.search).order_by(None), asked, MEMBERS, [members.NAME, ProjectMember.id], scalars=False
    )
    return page(
        "members.html",
        **frame(who, project),
        listing=shown,
        problem=problem,
        given=request.form,
        lacking=role_lacking(who, Action.UPDATE, Resource.MEMBER, project),
        role_names=BY_POWER,
        sources=[(one.kind, one.name) for kind in _KINDS for one in sources.of_kind(kind)],
    )


@blueprint.post("/projects/<name>/members")
def add_member(name: str) -> Response:
    who, project = load(name, Action.CREATE, Resource.MEMBER, is_name=True)
    problem = attempted(lambda: members.add(who, project, _named(), members.role_of(_number("role"))))
    return _members(name, problem) if problem else go(_path(name, "members"))


def _named() -> User | UserGroup:
    """The user or group that a form names: a user, or a group of a directory (by its DN) or provider."""
    kind, name = request.form.get("kind", "user"), request.form.get("name", "").strip()
    if not name or len(name) > _LONGEST_DN or not is_storable(name):
        raise BadRequest(_("Say who: a name of at most 512 characters."))
    if kind == "user":
        return entities.user(name)
    of, _colon, source = kind.partition(":")
    if of not in _KINDS:
        raise BadRequest(f"kind is user, {':NAME, '.join(_KINDS)}:NAME")
    dn, plain = (name, "") if of == "ldap" else ("", name)
    return entities.group(entities.group_named(_KINDS[of], plain, dn, source))


@blueprint.post("/projects/<name>/members/<int:member_id>")
def change_member(name: str, member_id: int) -> Response:
    """Another role, or none."""
    if request.form.get("action") == "remove":
        who, project = load(name, Action.DELETE, Resource.MEMBER, is_name=True)
        problem = attempted(lambda: members.remove(who.name, project, member_id))
    else:
        who, project = load(name, Action.UPDATE, Resource.MEMBER, is_name=True)
        problem = attempted(lambda: members.set_role(who, project, member_id, members.role_of(_number("role"))))
    return _members(name, problem) if problem else go(_path(name, "members"))


def _number(field: str) -> int:
    given = request.form.get(field, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < _DIGITS else 0


def _path(name: str, *more: str) -> str:
    return "/".join(("/projects", quote(name, safe=""), *more))


@blueprint.get("/projects/<name>/settings")
def show_settings(name: str) -> Response:
    return _settings(name)


def _settings(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.UPDATE, is_name=True)
    return page(
        "project_settings.html",
        **frame(who, project),
        problem=problem,
        lacking=role_lacking(who, Action.DELETE, Resource.PROJECT, project),
        filled=repositories.count_by_project([project.id]).get(project.id, 0),
        scanners=db.session.scalars(scanners.every().where(~Scanner.disabled).order_by(Scanner.name)).all(),
        scanner=scanners.choice(project.id),
    )


@blueprint.post("/projects/<name>/settings")
def change_settings(name: str) -> Response:
    who, project = load(name, Action.UPDATE, is_name=True)
    metadata: dict[str, str | None] = {"public": str(request.form.get("public"))}
    if project.registry_id is not None:
        given = request.form
        metadata |= {name: given.get(name, "").strip() for name in ("proxy_speed_kb", "max_upstream_conn")}
        metadata["proxy_cache_filter_pattern"] = given.get("proxy_cache_filter_pattern", "").strip() or "**"
        metadata["proxy_cache_local_on_not_found"] = given.get("proxy_cache_local_on_not_found", "false")
    said = {name: request.form.get(name, unless) for name, unless in _POLICIES.items()}
    metadata |= {name: value for name, value in said.items() if name in project.settings or value != _POLICIES[name]}
    problem = attempted(lambda: _change(who, project, metadata))
    return _settings(name, problem) if problem else go(_path(name, "settings"))


def _change(who: Principal, project: Project, metadata: dict[str, str | None]) -> None:
    service.update(who, project, metadata)
    wanted = request.form.get("scanner", "")
    if wanted != scanners.choice(project.id):
        if not can(who, _SCANNER, project.ref):
            raise Forbidden(f"only who has {_SCANNER} may choose the scanner of {project.name}")
        scanners.choose(who.name, project, scanners.get(wanted) if wanted else None)


@blueprint.post("/projects/<name>/delete")
def delete_project(name: str) -> Response:
    who, project = load(name, Action.DELETE, is_name=True)
    if request.form.get("confirmation", "").strip() != project.name:
        return _settings(name, BadRequest(_("What you wrote is not the name, so nothing was deleted.")))
    found, registry = (lambda: load(name, Action.DELETE, is_name=True)[1]), current_app.extensions["registry"]
    problem = attempted(lambda: lifecycle.delete_project(who.name, found, registry))
    return _settings(name, problem) if problem else go("/projects")
