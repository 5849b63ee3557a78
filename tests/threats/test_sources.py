"""S12: what a directory or provider calls a group is a group of that one."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.authn import sources
from authsvc.authn.onboarding import Proof, onboard
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.rbac.roles import Role
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from tests.support.world import World, basic

NAMES = {
    "oidc": (GroupType.OIDC, "devs", ""),
    "ldap": (GroupType.LDAP, "admins", "cn=admins,ou=groups,dc=example,dc=com"),
}


def arrive(world: World, kind: Any, source: str, name: str) -> dict[str, str]:
    """Somebody from there, who is in the group of that name, shows a token."""
    group_type, group, dn = NAMES[kind]
    with world.changes():
        proof = Proof(kind, source, name, name, groups=(GroupName(group_type, group, dn),))
        identity = onboard(proof)
        return basic(name, secrets.issue(Kind.ACCESS, identity.account_id, identity.epoch)[0])


@pytest.fixture(params=["oidc", "ldap"])
def kind(request: pytest.FixtureRequest, town: World) -> str:
    """Of two sources, of which alice trusts the one."""
    with town.changes():
        for name in ("default", "second"):
            sources.save("test", request.param, name, {})
    return str(request.param)


def give(world: World, kind: str, **more: Any) -> Any:
    group_type, name, dn = NAMES[kind]
    member = {"group_type": int(group_type), "group_name": name, "ldap_group_dn": dn} | more
    return world.api("POST", "/projects/web/members", "alice", json={"role_id": Role.DEVELOPER, "member_group": member})


def test_a_role_is_for_the_group_of_one_source(town: World, kind: str) -> None:
    assert give(town, kind).status_code == 201
    right, wrong = arrive(town, kind, "default", "nora"), arrive(town, kind, "second", "mia")
    for headers, status in ((right, 200), (wrong, 403), (right, 200)):
        assert town.api("GET", "/projects/web", headers=headers).status_code == status
    assert give(town, kind, source="second").status_code == 201
    assert town.api("GET", "/projects/web", headers=wrong).status_code == 200


def test_both_are_told_apart(town: World, kind: str) -> None:
    for source in ("default", "second"):
        arrive(town, kind, source, f"x-{source}")
    listed = town.api("GET", "/usergroups", "admin").get_json()
    assert sorted(group["source"] for group in listed) == ["default", "second"]
    assert len({group["group_name"] for group in listed}) == 1
    assert give(town, kind).status_code == 201
    assert give(town, kind).status_code == 409
    group_type, name, dn = NAMES[kind]
    body = {"group_type": int(group_type), "group_name": name, "ldap_group_dn": dn}
    assert town.api("POST", "/usergroups", "admin", json=body | {"source": "second"}).status_code == 409


def test_of_a_source_that_there_is_not(town: World, kind: str) -> None:
    assert give(town, kind, source="typo").status_code == 404
    group_type, name, dn = NAMES[kind]
    body = {"group_type": int(group_type), "group_name": name, "ldap_group_dn": dn, "source": "typo"}
    assert town.api("POST", "/usergroups", "admin", json=body).status_code == 404


def test_one_source_has_it_once(town: World, kind: str) -> None:
    group_type, name, dn = NAMES[kind]
    with town.changes():
        made = [groups.onboard(GroupName(group_type, name, dn, source)).id for source in ("default", "second", "default")]
    assert made[0] == made[2] != made[1]


BASES = {"unix": "dc=example,dc=com", "ad": "ou=windows,dc=corp", "twin": "ou=windows,dc=corp"}


@pytest.mark.parametrize(
    ("known", "dn", "source"),
    [
        ([], "cn=a,dc=x", "default"),
        (["unix"], "cn=a,dc=elsewhere", "unix"),
        (["unix", "ad"], "cn=a,OU=Windows,DC=corp", "ad"),
        (["unix", "ad"], "cn=a,ou=b,dc=example,dc=com", "unix"),
        (["unix", "ad"], "cn=a,dc=elsewhere", None),
        (["ad", "twin"], "cn=a,ou=windows,dc=corp", None),
        (["unix", "default"], "cn=a,dc=elsewhere", "default"),
    ],
)
def test_whose_group_is_meant(town: World, known: list[str], dn: str, source: str | None) -> None:
    """Harbor's clients do not say. Where it could be of several, nobody guesses."""
    with town.changes():
        for name in known:
            sources.save("test", "ldap", name, {"ldap_base_dn": BASES.get(name, "")}, enabled=False)
    made = town.api("POST", "/usergroups", "admin", json={"group_type": 1, "ldap_group_dn": dn})
    assert made.status_code == (201 if source else 400), made.text
    assert [group["source"] for group in town.api("GET", "/usergroups", "admin").get_json()] == ([source] if source else [])


@pytest.mark.parametrize("broken", ["ldap", "oidc"])
def test_a_source_that_cannot_be_used_keeps_nobody_else_out(town: World, broken: Any) -> None:
    with town.changes():
        sources.save("test", broken, "broken", {})
    assert town.api("GET", "/users/current", "alice").status_code == 200
    assert town.api("GET", "/users/current", headers=basic("nobody", "x")).status_code == 401
    assert town.client.get("/c/oidc/providers").get_json() == []
    assert town.api("GET", "/users/current", headers={"Authorization": "Bearer x.y.z"}).status_code == 401
