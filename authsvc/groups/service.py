"""Groups: verbs and queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy import delete as delete_rows

from authsvc.audit import service as audit
from authsvc.core.db import db, utcnow
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.core.inserts import insert_ignore
from authsvc.groups.models import GroupMembership, UserGroup
from authsvc.groups.rules import DEFAULT, GroupName, GroupType


def group_name(group_type: int, name: str, dn: str, source: str = DEFAULT) -> GroupName:
    """Harbor's fields as a group's name.

    Raises:
        BadRequest: an unknown type, or no name.
    """
    if group_type not in (GroupType.LDAP, GroupType.OIDC):
        raise BadRequest(f"group_type {group_type} is none of 1 (LDAP) and 3 (OIDC)")
    named = GroupName(GroupType(group_type), name.strip() or dn.strip(), dn.strip(), source)
    if not (named.dn if named.type is GroupType.LDAP else named.name):
        raise BadRequest("an LDAP group needs ldap_group_dn, any other group_name")
    if not named.fits:
        raise BadRequest("a group's name has at most 255 characters, its DN at most 512, and no control characters")
    return named


def create(actor: str, named: GroupName) -> UserGroup:
    """A new group.

    Raises:
        Conflict: it exists.
    """
    if not _make(named):
        raise Conflict(f"group {named.name} exists already")
    audit.record(actor, "create", "usergroup", named.name)
    return _existing(named)


def onboard(named: GroupName) -> UserGroup:
    """The group of that name; made if we see it for the first time."""
    _make(named)
    return _existing(named)


def _make(named: GroupName) -> bool:
    return insert_ignore(
        UserGroup,
        group_name=named.name[:255],
        group_type=int(named.type),
        source=named.source,
        ldap_group_dn=named.dn,
        key=named.key,
        creation_time=utcnow(),
    )


def _existing(named: GroupName) -> UserGroup:
    group = find(named)
    if group is None:
        raise RuntimeError("the group is gone that was there")
    return group


def find(named: GroupName) -> UserGroup | None:
    """The group of that name, or None."""
    this = (UserGroup.group_type == int(named.type), UserGroup.source == named.source, UserGroup.key == named.key)
    statement = select(UserGroup).where(*this)
    group: UserGroup | None = db.session.scalar(statement)
    return group


def get(group_id: int) -> UserGroup:
    """A group by id.

    Raises:
        NotFound
    """
    group = db.session.get(UserGroup, group_id)
    if group is None:
        raise NotFound(f"user group {group_id} not found")
    return group


def all_groups() -> Select[Any]:
    """Every group."""
    return select(UserGroup)


def matching(text: str) -> Select[Any]:
    """Groups whose name contains `text`, for those who pick members."""
    return all_groups().where(UserGroup.group_name.icontains(text, autoescape=True))


def rename(actor: str, group: UserGroup, name: str) -> None:
    """Give a group another display name. Of an OIDC group the name is the group, so it cannot change.

    Raises:
        BadRequest: no name, or an OIDC group.
    """
    if not name.strip():
        raise BadRequest("group_name is missing")
    if group.group_type != GroupType.LDAP and name != group.group_name:
        raise BadRequest("the name of an OIDC group is what the provider calls it, and stays")
    group.group_name = name
    audit.record(actor, "update", "usergroup", name)


def delete(actor: str, group: UserGroup) -> None:
    """Delete a group with its memberships. Roles that it holds are the caller's to remove first (`projects.members`)."""
    db.session.delete(group)
    audit.record(actor, "delete", "usergroup", group.group_name)


def replace(user_id: int, groups: Iterable[GroupName]) -> None:
    """Make these the groups of a user, and no others; writes nothing if they are already."""
    wanted = {onboard(named).id for named in {(named.source, named.key): named for named in groups if named.fits}.values()}
    present = set(db.session.scalars(select(GroupMembership.group_id).where(GroupMembership.user_id == user_id)))
    db.session.add_all(GroupMembership(user_id=user_id, group_id=group_id) for group_id in wanted - present)
    if gone := present - wanted:
        left = (GroupMembership.user_id == user_id, GroupMembership.group_id.in_(gone))
        db.session.execute(delete_rows(GroupMembership).where(*left))
    db.session.flush()


def of_user(user_id: int) -> Select[Any]:
    """The groups a user is in."""
    member = select(GroupMembership.group_id).where(GroupMembership.user_id == user_id)
    return all_groups().where(UserGroup.id.in_(member))
