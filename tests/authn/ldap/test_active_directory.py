"""A real Active Directory domain (Samba's): names, nested groups by its in-chain rule, disabled accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authsvc.authn import sources
from authsvc.authn.onboarding import origin_of
from authsvc.core.db import db
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from tests.authn.ldap.test_login import reread, status
from tests.support import samba
from tests.support.samba import ActiveDirectory
from tests.support.world import World

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(bool(samba.missing()), reason=samba.missing() or "it can run"),
    pytest.mark.timeout(600),  # Samba is installed before the first one
]


@pytest.fixture(scope="module")
def domain() -> Iterator[ActiveDirectory]:
    with samba.active_directory() as running:
        yield running


@pytest.fixture
def joined(world: World, domain: ActiveDirectory) -> World:
    with world.changes():
        sources.save("test", "ldap", "default", domain.settings())
    return world


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@ad.example.test"])
def test_by_account_name_and_principal_name(joined: World, name: str) -> None:
    assert status(joined, name, samba.PASSWORD) == 200
    assert status(joined, name, "wrong") == 401
    with joined.changes():
        alice = users.get_by_name("alice")
        assert alice.email == "alice@ad.example.test"
        origin = origin_of(alice.id)
        assert origin is not None
        assert origin.subject.startswith("guid:")


def test_groups_through_groups(joined: World) -> None:
    joined.project("web", 1)
    with joined.changes():
        for name, role in (("everybody", Role.GUEST), ("developers", Role.DEVELOPER)):
            group = groups.onboard(GroupName(GroupType.LDAP, name, samba.group_dn(name)))
            members.add(operator("test"), projects.get_by_name("web"), group, role)
    token = joined.client.get(
        "/service/token?service=harbor-registry&scope=repository:web/a:pull,push", auth=("alice", samba.PASSWORD)
    )
    assert token.status_code == 200
    with joined.changes():
        found = {group.group_name for group in db.session.scalars(groups.of_user(users.get_by_name("alice").id))}
        assert {"developers", "engineers", "everybody"} <= found
        assert "Domain Users" in found, "the primary group, which lists no members"
    bob = joined.client.get("/service/token?service=harbor-registry&scope=repository:web/a:pull", auth=("bob", samba.PASSWORD))
    assert bob.status_code == 200
    with joined.changes():
        found = {group.group_name for group in db.session.scalars(groups.of_user(users.get_by_name("bob").id))}
        assert not found & {"developers", "engineers", "everybody"}


def test_a_disabled_account_is_refused(joined: World) -> None:
    assert status(joined, "locked", samba.PASSWORD) in (401, 403)


def test_an_account_that_has_expired_is_gone(joined: World, domain: ActiveDirectory) -> None:
    """Its tokens would live on: no bind stands before them, only the re-reading."""
    assert status(joined, "bob", samba.PASSWORD) == 200
    domain.run("samba-tool user setexpiry bob --days=0")
    try:
        assert reread(joined)["gone"] == 1
    finally:
        domain.run("samba-tool user setexpiry bob --noexpiry")
    assert reread(joined)["read"] == 1


def test_try_as_user(joined: World) -> None:
    body = {"username": "alice@ad.example.test", "password": samba.PASSWORD}
    steps = joined.api("POST", "/ldap/trace", "admin", json=body).get_json()
    assert not [step for step in steps if step["ok"] is False], steps
    assert "Active Directory" in steps[4]["detail"]
    failed = joined.api("POST", "/ldap/trace", "admin", json=body | {"password": "wrong"}).get_json()[9]
    assert (failed["ok"], failed["hint"]) == (False, "wrong password")
    locked = joined.api("POST", "/ldap/trace", "admin", json={"username": "locked"}).get_json()[9]
    assert "disabled" in locked["detail"]


def test_everybody_is_read_again(joined: World) -> None:
    assert status(joined, "alice", samba.PASSWORD) == 200
    assert reread(joined)["read"] == 1
