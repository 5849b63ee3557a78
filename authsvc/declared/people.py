"""Users who have their password here, and members of projects, wherever they come from."""

from __future__ import annotations

import secrets

from authsvc.authn import entities
from authsvc.core.db import db, reading
from authsvc.core.errors import BadRequest
from authsvc.declared.document import Item, MemberSchema, UserSchema
from authsvc.declared.places import Kind, Place
from authsvc.groups import service as groups
from authsvc.groups.rules import DEFAULT, GroupName, GroupType
from authsvc.projects import members
from authsvc.rbac.roles import Role
from authsvc.users import passwords
from authsvc.users import service as users
from authsvc.users.models import User

_ROLES = {role.label: role for role in Role}
_GROUPS = {"ldap": GroupType.LDAP, "oidc": GroupType.OIDC}
_GROUP_NAMES = {type_: name for name, type_ in _GROUPS.items()}


class Users(Kind):
    """Those who have their password here; they are never removed by what a document does not say."""

    name, one, schema, is_removed = "users", "user", UserSchema(), False

    def key(self, item: Item) -> str:
        return str(item["username"])

    def normal(self, place: Place, item: Item) -> Item:
        user = users.find_by_name(item["username"])  # however it is written
        return {name: item[name] for name in self.schema.fields} | ({"username": user.username} if user is not None else {})

    def present(self, place: Place) -> dict[str, Item]:
        rows = db.session.scalars(users.all_users().order_by(User.username))
        return {row.username: self._shown(row) for row in rows if row.origin is None}

    def _shown(self, row: User) -> Item:
        shown = {"username": row.username, "email": row.email or "", "realname": row.realname, "comment": row.comment}
        return shown | {"sysadmin_flag": row.sysadmin}

    def ready(self, place: Place, item: Item) -> None:
        item["password"] = passwords.choose(secrets.token_urlsafe(18), item["username"])

    def make(self, place: Place, item: Item) -> str:
        users.create(
            place.giver.name,
            username=item["username"],
            password=item["password"],
            email=item["email"] or None,
            realname=item["realname"],
            comment=item["comment"],
            sysadmin=item["sysadmin_flag"],
            temporary=True,
        )
        return str(item["password"].text)

    def change(self, place: Place, item: Item) -> None:
        user = users.get_by_name(item["username"])
        shown = self._shown(user)
        if any(shown[name] != item[name] for name in ("email", "realname", "comment")):
            profile = {"realname": item["realname"], "comment": item["comment"]}
            users.update_profile(place.giver.name, user, email=item["email"] or None, **profile)
            if not item["email"]:
                users.forget_email(user)
        if user.sysadmin != item["sysadmin_flag"]:
            users.set_sysadmin(place.giver.name, user, item["sysadmin_flag"])

    def remove(self, place: Place, key: str) -> None:
        raise BadRequest("users are not removed by a document: authsvc users delete, or disable")


class Members(Kind):
    name, one, schema = "members", "member", MemberSchema()

    def key(self, item: Item) -> str:
        if item["user"]:
            return f"user {item['user']}"
        return f"group {item['group']}" + (f" of {item['source']}" if item["source"] else "")

    def normal(self, place: Place, item: Item) -> Item:
        """A group as it is here, whatever was said of it."""
        if item["user"]:
            user = users.find_by_name(item["user"])
            return _member(user if user is not None else item["user"], item["role"])
        named = _named(item)
        known = groups.find(named)
        if known is not None:
            return _member(known, item["role"])
        return _of_group(named.type, named.dn or named.name, named.source, item["role"])

    def present(self, place: Place) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for member, name in db.session.execute(members.of(place.here)):
            entity = groups.get(member.entity_id) if member.entity_type == "g" else name
            item = _member(entity, Role(member.role).label)
            found[self.key(item)] = item
        return found

    def ready(self, place: Place, item: Item) -> None:
        """Who is of a directory is asked for there; who is of none may be made by the same document."""
        if item["user"]:
            item["proof"] = entities.prospect(item["user"])
        else:
            with reading():
                named = _named(item)
            item["named"] = entities.prospective_group(named)

    def make(self, place: Place, item: Item) -> str:
        members.add(place.giver, place.here, self._entity(item), _ROLES[item["role"]])
        return ""

    def change(self, place: Place, item: Item) -> None:
        members.set_role(place.giver, place.here, self._id(place, item), _ROLES[item["role"]])

    def remove(self, place: Place, key: str) -> None:
        members.remove(place.giver.name, place.here, self._id(place, self.present(place)[key]))

    def _id(self, place: Place, item: Item) -> int:
        return members.id_of(place.here, self._entity(item)) or 0

    def _entity(self, item: Item) -> members.Entity:
        if item["user"]:
            return entities.admitted(item["user"], item.get("proof"))
        named = item.get("named") or _named(item)
        return groups.find(named) or groups.onboard(named)


def _named(item: Item) -> GroupName:
    """A DN is a directory's, unless something else is said."""
    name = item["group"]
    type_ = _GROUPS.get(item["type"]) or (GroupType.LDAP if "=" in name else GroupType.OIDC)
    return entities.group_named(type_, name, name if type_ is GroupType.LDAP else "", item["source"])


def _member(entity: members.Entity | str, role: str) -> Item:
    if isinstance(entity, (str, User)):
        name = entity if isinstance(entity, str) else entity.username
        return {"user": name, "group": "", "type": "", "source": "", "role": role}
    return _of_group(GroupType(entity.group_type), entity.ldap_group_dn or entity.group_name, entity.source, role)


def _of_group(type_: GroupType, name: str, source: str, role: str) -> Item:
    where = "" if source == DEFAULT else source  # which is what is meant where nothing is said
    return {"user": "", "group": name, "type": _GROUP_NAMES[type_], "source": where, "role": role}
