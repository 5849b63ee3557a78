"""Every role by every way to be somebody and to hold it: what a token grants follows from the role alone."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest

from authsvc.authn import sources
from authsvc.authn.onboarding import Proof, onboard
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import ROLE_PERMISSIONS, Role
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.token.grants import REPOSITORY_ACTIONS
from authsvc.users import service as users
from tests.support.world import World, basic, granted_by

Source = Literal["local", "ldap", "oidc"]
SOURCES: list[Source] = ["local", "ldap", "oidc"]
WAYS = ["direct", "group", "both"]
TYPES = {"ldap": GroupType.LDAP, "oidc": GroupType.OIDC}


def somebody(world: World, source: Source, groups_of: tuple[GroupName, ...]) -> int:
    if source == "local":
        user_id = world.user("somebody")
        with world.changes():
            groups.replace(user_id, groups_of)
        return user_id
    with world.changes():
        sources.save("test", source, "default", {})
        return onboard(Proof(source, "default", "subject", "somebody", groups=groups_of)).account_id


@pytest.mark.parametrize(("source", "role", "way"), list(itertools.product(SOURCES, Role, WAYS)))
def test_role_by_source(world: World, source: Source, role: Role, way: str) -> None:
    group = GroupName(TYPES.get(source, GroupType.LDAP), "team", "cn=team,dc=example")
    user_id = somebody(world, source, (group,) if way != "direct" else ())
    world.project("web", 1)
    world.project("other", 1)
    with world.changes():
        web = projects.get_by_name("web")
        if way != "group":
            members.add(operator("test"), web, users.get(user_id), Role.LIMITED_GUEST if way == "both" else role)
        if way != "direct":
            members.add(operator("test"), web, groups.onboard(group), role)
        text, _ = secrets.issue(Kind.ACCESS, user_id, users.get(user_id).epoch)
    response = world.client.get(
        "/service/token?service=harbor-registry&scope=repository:web/a:pull,push,delete repository:other/a:pull,push",
        headers=basic("somebody", text),
    )
    expected = [action for action, permission in REPOSITORY_ACTIONS.items() if permission in ROLE_PERMISSIONS[role]]
    assert granted_by(response.get_json()["token"]) == {"web/a": expected, "other/a": []}
