"""People who come from a directory or provider: aboard at their first login, with the groups they have there now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select

from authsvc.authn import onboarding, sources
from authsvc.authn.models import IdentitySource
from authsvc.authn.onboarding import Proof, onboard, origin_of, welcome
from authsvc.authn.principals import Account, load_account
from authsvc.authn.sources import Kind
from authsvc.core import versioning
from authsvc.core.db import db
from authsvc.core.errors import InvalidCredentials, PreconditionFailed
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType, dn_key, dn_value
from authsvc.projects import service as projects
from authsvc.projects.models import ProjectMember
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.models import UserIdentity
from tests.support.world import World

AT_ONCE = 15  # as many as the pool has connections: more would wait for these, and on a busy machine in vain
DEVELOPERS = GroupName(GroupType.LDAP, "developers", "cn=developers,ou=groups,dc=example,dc=com")


def proof(**changes: object) -> Proof:
    values = {"kind": "ldap", "source": "default", "subject": "entry-1", "username": "alice", "email": "alice@example.com"}
    return Proof(**(values | changes))  # type: ignore[arg-type]


def account(user_id: int) -> Account:
    found = load_account(db.session.execute, user_id)
    assert found is not None
    return found


def test_first_and_later_logins_are_the_same_user(world: World) -> None:
    with world.changes():
        first = onboard(proof())
        assert onboard(proof(username="renamed", realname="Alice A.", email="a@example.com")) == first
        user = users.get(first.account_id)
        assert (user.username, user.realname, user.email, user.password_hash) == ("alice", "Alice A.", "a@example.com", None)
        assert onboard(proof(subject="entry-2", username="bob", email="")).account_id != first.account_id


@pytest.mark.parametrize("name", ["Admin", "admin", " ", "::", ""])
def test_nobody_takes_anothers_name_or_an_impossible_one(world: World, name: str) -> None:
    with world.changes(), pytest.raises(InvalidCredentials):
        onboard(proof(username=name))


def test_the_same_name_from_another_source_is_another_person(world: World) -> None:
    with world.changes():
        onboard(proof())
        with pytest.raises(InvalidCredentials, match="ldap:second"):
            onboard(proof(source="second"))


def test_an_email_that_is_taken_or_none_stops_no_login(world: World) -> None:
    with world.changes():
        taken = onboard(proof(email="admin@example.com"))
        assert users.get(taken.account_id).email is None
        assert users.get(onboard(proof(subject="2", username="bob", email="no address")).account_id).email is None


def test_roles_by_group_come_and_go(world: World) -> None:
    project_id = world.project("web", 1)
    with world.changes():
        group = groups.onboard(DEVELOPERS)
        db.session.add(ProjectMember(project_id=project_id, entity_type="g", entity_id=group.id, role=Role.DEVELOPER))
        user_id = onboard(proof(groups=(DEVELOPERS,))).account_id
        assert account(user_id).principal.roles == {project_id: {Role.DEVELOPER}}
        other_case = GroupName(GroupType.LDAP, "x", "CN=Developers, OU=groups,dc=EXAMPLE,dc=com")
        onboard(proof(groups=(other_case, DEVELOPERS)))
        assert [named.group_name for named in db.session.scalars(groups.of_user(user_id))] == ["developers"]
        onboard(proof(groups=None))
        assert account(user_id).principal.roles == {project_id: {Role.DEVELOPER}}
        onboard(proof(groups=()))
        assert account(user_id).principal.roles == {}
        assert projects.get_by_name("web").id == project_id


def test_a_group_can_make_system_administrators(world: World) -> None:
    with world.changes():
        user_id = onboard(proof(is_sysadmin=True)).account_id
        assert account(user_id).principal.is_sysadmin
        onboard(proof())
        assert not account(user_id).principal.is_sysadmin


def test_a_login_that_changes_nothing_changes_no_policy(world: World) -> None:
    with world.changes():
        onboard(proof(groups=(DEVELOPERS,)))
    with world.changes():
        before = versioning.current()
        onboard(proof(groups=(DEVELOPERS,)))
        db.session.commit()
        assert versioning.current() == before


def test_a_deleted_user_may_come_aboard_anew_as_somebody_else(world: World) -> None:
    with world.changes():
        old = onboard(proof()).account_id
        users.delete("test", users.get(old))
        assert origin_of(old) is None
        assert onboard(proof()).account_id != old


def test_sources_keep_their_secrets_sealed(world: World) -> None:
    canary = "canary-of-the-bind-user"
    with world.changes():
        sources.save("test", "ldap", "default", {"ldap_url": "ldaps://a", "ldap_search_password": canary})
        sources.save("test", "ldap", "default", {"ldap_uid": "uid"})
        source = sources.get("ldap")
        assert source.settings == {"ldap_url": "ldaps://a", "ldap_uid": "uid", "ldap_search_password": canary}
        assert source.shown == {"ldap_url": "ldaps://a", "ldap_uid": "uid"}
        row = db.session.scalar(select(IdentitySource))
        assert row is not None
        assert canary not in f"{row.settings}{row.sealed}{source!r}"


@pytest.mark.parametrize(
    ("kind", "address", "secret"),
    [("ldap", "ldap_url", "ldap_search_password"), ("oidc", "oidc_endpoint", "oidc_client_secret")],
)
def test_a_secret_stays_with_the_address_that_it_was_given_for(world: World, kind: Kind, address: str, secret: str) -> None:
    with world.changes():
        sources.save("test", kind, "default", {address: "https://a", secret: "for a"})
        sources.save("test", kind, "default", {address: "https://a"})
        assert sources.get(kind).settings[secret] == "for a"
        sources.save("test", kind, "default", {address: "https://b"})
        assert secret not in sources.get(kind).settings
        sources.save("test", kind, "default", {address: "https://c", secret: "for c"})
        assert sources.get(kind).settings[secret] == "for c"


def test_a_source_with_people_stays(world: World) -> None:
    with world.changes():
        sources.save("test", "ldap", "default", {})
        user_id = onboard(proof()).account_id
        with pytest.raises(PreconditionFailed):
            sources.delete("test", "ldap", "default")
        users.delete("test", users.get(user_id))
        sources.delete("test", "ldap", "default")
        assert sources.of_kind("ldap") == []


@pytest.mark.parametrize(
    "dn", ["cn=a\\,b,dc=x", "CN=a\\,b , DC=X", "cn = A\\,B;dc=x", "cn=a\\2Cb,dc=x", 'cn="a,b",dc=x', "cn=  a\\2cb ,dc=x"]
)
def test_equal_dns(dn: str) -> None:
    assert dn_key(dn) == "cn=a\\,b,dc=x"


def test_more_equal_dns_and_some_that_are_not() -> None:
    assert dn_key("ou=b+cn=a,dc=x") == dn_key("CN=A + OU=B,DC=x")
    assert dn_key("cn=Zo\\C3\\AB,dc=x") == dn_key("cn=zoë,dc=x")
    assert dn_key("cn=a  b") == dn_key("CN=A B")
    different = ["cn=a,dc=x", "cn=a\\,dc=x", "cn=a\\\\,dc=x", "cn=a+dc=x", "cn=a\\+dc=x", "cn=a dc=x", "cn=a=dc,x", 'cn="a,dc=x"']
    keys = [dn_key(dn) for dn in different]
    assert len({*keys}) == len(keys) - 1, "the quoted and the escaped one are the same"


def test_what_does_not_fit_is_nobodys_group() -> None:
    assert DEVELOPERS.fits
    for name in (
        GroupName(GroupType.OIDC, "x" * 256),
        GroupName(GroupType.OIDC, "a\0b"),
        GroupName(GroupType.LDAP, "a", "cn=" + "x" * 600),
    ):
        assert not name.fits


def test_many_first_logins_at_once_make_one_user(world: World) -> None:
    found: list[int] = []
    barrier = threading.Barrier(AT_ONCE)

    def log_in() -> None:
        barrier.wait()
        with world.front.flask.app_context():
            found.append(welcome(proof(groups=(DEVELOPERS,))).account_id)
            db.session.remove()

    threads = [threading.Thread(target=log_in) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == AT_ONCE
    assert len({*found}) == 1
    with world.changes():
        assert db.session.query(UserIdentity).count() == 1
        assert [group.group_name for group in db.session.scalars(groups.of_user(found[0]))] == ["developers"]


def after_looking(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """`act` once, when the first login has seen that there is no such user."""
    look = onboarding.identity_of

    def look_and_wait(proof: Proof) -> UserIdentity | None:
        found = look(proof)
        act()
        return found

    monkeypatch.setattr(onboarding, "identity_of", look_and_wait)


def before_inserting(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """`act` once, when the first login has seen that the name is free, too."""
    event.listen(db.session, "before_flush", lambda *_: act(), once=True)


@pytest.mark.parametrize("moment", [after_looking, before_inserting])
def test_a_second_first_login_in_the_middle_of_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: Callable[..., None]
) -> None:
    """Where writers do not wait for each other, it has made the user meanwhile; on SQLite it waits for the first one."""
    found: list[int] = []

    def log_in() -> None:
        with world.front.flask.app_context():
            found.append(welcome(proof(groups=(DEVELOPERS,))).account_id)

    other = threading.Thread(target=log_in)

    def let_the_other_pass(*_: Any) -> None:
        if other.ident is None:
            other.start()
            other.join(1.0)

    moment(monkeypatch, let_the_other_pass)
    log_in()
    other.join()
    assert len(found) == 2
    assert len({*found}) == 1
    with world.changes():
        assert db.session.query(UserIdentity).count() == 1


@pytest.mark.parametrize(
    ("dn", "value"),
    [
        ("cn=developers,ou=g", "developers"), (r"cn=Dev\2C Ops,ou=g", "Dev, Ops"), (r"cn=Dev\, Ops,ou=g", "Dev, Ops"),
        (r"cn=a\+b + ou=c,dc=x", "a+b"), ('cn="q, r",dc=x', "q, r"), (r"cn=x\\,dc=y", "x\\"), (r"cn=\D0\93,dc=x", "Г"), ("x", "x"), ("", ""),
    ],
)  # fmt: skip
def test_the_name_in_a_distinguished_name(dn: str, value: str) -> None:
    """F5"""
    assert dn_value(dn) == value
