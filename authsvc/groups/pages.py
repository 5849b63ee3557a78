"""Groups of people, for system administrators: which there are, who is in them, and what they may."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request
from sqlalchemy import func, or_, select

from authsvc import lifecycle
from authsvc.authn import groups as whose
from authsvc.authn import sources
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.groups import service
from authsvc.groups.models import GroupMembership, UserGroup
from authsvc.groups.rules import GroupType
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page
from authsvc.users.models import User

blueprint = Pages("groups", __name__)
COLUMNS = {"name": UserGroup.group_name, "source": UserGroup.source, "created": UserGroup.creation_time}
KINDS = {GroupType.LDAP: "LDAP", GroupType.OIDC: "OpenID Connect"}
_TYPES = {"ldap": GroupType.LDAP, "oidc": GroupType.OIDC}
_LONGEST = {"of": 80, "name": 512}
_LONGEST_NAME = 255
_ROWS = 200  # of a group's people and projects each


@blueprint.get("/admin/groups")
def show_groups() -> Response:
    return _groups()


def _groups(problem: DomainError | None = None) -> Response:
    require_system(Action.LIST, Resource.USER_GROUP)
    asked, statement = listing.asked(COLUMNS), service.all_groups()
    if asked.search:
        parts = (UserGroup.group_name, UserGroup.ldap_group_dn)
        statement = statement.where(or_(*(part.icontains(asked.search, autoescape=True) for part in parts)))
    shown = listing.part(statement, asked, COLUMNS, [UserGroup.group_name, UserGroup.id])
    return page(
        "groups.html",
        problem=problem,
        given=request.form,
        listing=shown,
        kinds=KINDS,
        people=_counted([group.id for group in shown.rows]),
        sources=[one for kind in ("ldap", "oidc") for one in sources.of_kind(kind, enabled_only=False)],
    )


def _counted(ids: list[int]) -> dict[int, int]:
    """How many people are in each of these groups, of those that have any."""
    column = GroupMembership.group_id
    counted = select(column, func.count()).where(column.in_(ids)).group_by(column)
    return {id_: number for id_, number in db.session.execute(counted)}  # noqa: C416 - rows are no pairs


@blueprint.post("/admin/groups")
def create_group() -> Response:
    """A group that may have roles before anybody of it has come; a directory is asked whether it has it."""
    who = require_system(Action.CREATE, Resource.USER_GROUP)
    problem = attempted(lambda: _create(who))
    return _groups(problem) if problem else go("/admin/groups")


def _create(who: Principal) -> None:
    given = fields(_LONGEST)
    kind, _colon, source = given["of"].partition(":")
    if kind not in _TYPES:
        raise BadRequest(f"of is {':NAME or '.join(_TYPES)}:NAME")
    plain, dn = ("", given["name"]) if kind == "ldap" else (given["name"], "")
    service.create(who.name, ldap.existing(whose.named(_TYPES[kind], plain, dn, source)))


@blueprint.get("/admin/groups/<int:group_id>")
def show_group(group_id: int) -> Response:
    return _group(group_id)


def _group(group_id: int, problem: DomainError | None = None) -> Response:
    require_system(Action.READ, Resource.USER_GROUP)
    group = service.get(group_id)
    people = select(User).join(GroupMembership, GroupMembership.user_id == User.id).where(GroupMembership.group_id == group.id)
    roles = select(Project.name, ProjectMember.role).join(ProjectMember, ProjectMember.project_id == Project.id)
    held = roles.where(ProjectMember.entity_type == "g", ProjectMember.entity_id == group.id)
    return page(
        "group.html",
        group=group,
        problem=problem,
        kinds=KINDS,
        people=db.session.scalars(people.order_by(User.username).limit(_ROWS)).all(),
        roles=db.session.execute(held.order_by(Project.name).limit(_ROWS)).all(),
    )


@blueprint.post("/admin/groups/<int:group_id>")
def change_group(group_id: int) -> Response:
    """Another name to be shown, or an end."""
    action = request.form.get("action", "")
    who = require_system(Action.DELETE if action == "delete" else Action.UPDATE, Resource.USER_GROUP)
    verbs: dict[str, Callable[[], None]] = {
        "rename": lambda: service.rename(who.name, service.get(group_id), fields({"name": _LONGEST_NAME})["name"]),
        "delete": lambda: _delete(who, group_id),
    }
    if action not in verbs:
        return _group(group_id, BadRequest(f"action is one of {', '.join(verbs)}"))
    if problem := attempted(verbs[action]):
        return _group(group_id, problem)
    return go("/admin/groups" if action == "delete" else f"/admin/groups/{group_id}")


def _delete(who: Principal, group_id: int) -> None:
    group = service.get(group_id)
    if request.form.get("confirmation", "").strip() != group.group_name:
        raise BadRequest(_("What you wrote is not the name, so nothing was deleted."))
    lifecycle.delete_group(who.name, group)
