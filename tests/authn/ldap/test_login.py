"""People from a real directory log in: search-then-bind, TLS, nested groups, roles that come and go."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from authsvc.authn import sources
from authsvc.authn.backends.ldap import directory as ldap_directory
from authsvc.authn.backends.ldap import tasks
from authsvc.authn.onboarding import origin_of
from authsvc.core.db import db
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.jobs.context import JobContext
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import choose
from tests.support import slapd
from tests.support.faultproxy import fault_proxy
from tests.support.slapd import Slapd
from tests.support.world import PASSWORD, World, basic

SCOPE = "repository:web/a:pull,push"


def status(world: World, name: str, password: str = PASSWORD) -> int:
    return world.client.get("/service/token?service=harbor-registry", headers=basic(name, password)).status_code


def configure(world: World, directory: Slapd, name: Any = "default", **changes: object) -> None:
    with world.changes():
        sources.save("test", "ldap", name, directory.settings(**changes))


def give(world: World, group: str, role: Role, project: str = "web") -> None:
    with world.changes():
        onboarded = groups.onboard(GroupName(GroupType.LDAP, group, slapd.group_dn(group)))
        members.add(operator("test"), projects.get_by_name(project), onboarded, role)


def reread(world: World) -> dict[str, int]:
    with world.front.flask.app_context():
        services = world.front.flask.extensions
        return tasks.reread(JobContext(world.front.flask.config["TIDEGATE"], services["registry"], lambda: None))


def _together(do: Callable[[], object], count: int) -> None:
    threads = [threading.Thread(target=do) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_first_login_brings_somebody_aboard(connected: World) -> None:
    assert status(connected, "alice") == 200
    with connected.changes():
        alice = users.get_by_name("alice")
        assert (alice.email, alice.realname, alice.password_hash) == ("alice@example.com", "Alice Example", None)
        origin = origin_of(alice.id)
        assert origin is not None
        assert (origin.kind, origin.source) == ("ldap", "default")
        assert origin.subject.startswith("uuid:")
        found = [group.group_name for group in db.session.scalars(groups.of_user(alice.id))]
        assert sorted(found) == ["developers", "engineers", "everybody", "loop"]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", " "),
        ("alice", "\0"),
        ("alice", PASSWORD + "\0"),
        ("alice", "x" * 5000),
        ("nobody-at-all", "x"),
        ("*", PASSWORD),
        ("alice)(uid=*", PASSWORD),
        ("ali*", PASSWORD),
        ("a\\2a", PASSWORD),
        ("", PASSWORD),
        ("uid=alice,ou=people,dc=example,dc=com", PASSWORD),
    ],
)
def test_what_is_not_right_is_wrong(connected: World, name: str, password: str) -> None:
    assert status(connected, name, password) == 401


def test_somebody_in_too_many_groups_holds_up_nobody_else(
    connected: World, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """carol is in a dozen of groups: her groups stay as they are, everybody else's are read."""
    connected.project("web", 1)
    give(connected, "developers", Role.DEVELOPER)
    for name in ("alice", "bob", "carol"):
        assert status(connected, name) == 200
    monkeypatch.setattr(ldap_directory, "_MOST_GROUPS", 8)
    directory.leave("bob", "developers")
    try:
        assert reread(connected) == {"read": 2, "gone": 0, "unanswered": 0}
    finally:
        directory.join("bob", "developers")
    assert connected.granted(SCOPE, who="bob") == {"web/a": []}
    with connected.changes():
        assert len(list(db.session.scalars(groups.of_user(users.get_by_name("carol").id)))) > 8


def test_many_first_logins_at_once_bring_one_user_aboard(connected: World) -> None:
    answers: list[int] = []
    _together(lambda: answers.append(status(connected, "dave")), 50)
    assert set(answers) <= {200, 503}, "or sent away"
    assert 200 in answers
    with connected.changes():
        assert [user.username for user in db.session.scalars(users.all_users().order_by(User.id))] == ["admin", "dave"]


def test_the_name_is_the_entrys_own(connected: World) -> None:
    assert status(connected, "ALICE") == 200
    assert status(connected, "alice") == 200
    with connected.changes():
        assert [user.username for user in db.session.scalars(users.all_users().order_by(User.id))] == ["admin", "alice"]


def test_a_local_user_keeps_his_name_and_password(connected: World) -> None:
    """The directory has an `admin`, too, with the same password; his is never asked for."""
    with connected.changes():
        chosen = choose("only the local one")
        users.set_password("test", users.get(1), chosen)
    assert status(connected, "admin", slapd.PASSWORD) == 401
    assert status(connected, "admin", "only the local one") == 200


def test_names_with_strange_characters_are_values(connected: World) -> None:
    assert status(connected, "Zoë*(star)") == 200


def test_an_ambiguous_name_is_refused(world: World, directory: Slapd) -> None:
    configure(world, directory, ldap_base_dn=f"ou=twins,{slapd.BASE}")
    assert status(world, "twin", "x") == 401


@pytest.mark.parametrize("way", ["ldaps", "starttls", "plain"])
def test_over_tls_and_without(world: World, directory: Slapd, way: str) -> None:
    changes: dict[str, object] = {} if way == "ldaps" else {"ldap_url": f"ldap://localhost:{directory.port}"}
    configure(world, directory, ldap_starttls=way == "starttls", **changes)
    assert status(world, "alice") == 200
    assert status(world, "alice", "wrong") == 401


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ldap_ca": ""}, "certificate"),
        ({"ldap_url": "ldaps://127.0.0.1:{tls_port}"}, "certificate"),
        ({"ldap_url": "ldap://127.0.0.1:{port}", "ldap_starttls": True}, "certificate"),
        ({"ldap_search_password": "wrong"}, "refuses our own account"),
        ({"ldap_base_dn": "ou=elsewhere,dc=example,dc=com"}, "referred us"),
        ({"ldap_base_dn": "ou=nothing,dc=example,dc=com"}, "noSuchObject"),
        ({"ldap_url": "ldaps://localhost:1"}, "refuse"),
    ],
)
def test_a_directory_that_cannot_be_trusted_or_asked_is_an_outage(
    world: World, directory: Slapd, changes: dict[str, str], reason: str
) -> None:
    """503 with a reason, never 401: nobody can be told right from wrong. And local users do not notice."""
    ports = {"port": directory.port, "tls_port": directory.tls_port}
    formatted: dict[str, object] = {
        name: value.format(**ports) if isinstance(value, str) else value for name, value in changes.items()
    }
    configure(world, directory, **formatted)
    response = world.client.get("/service/token?service=harbor-registry", headers=basic("alice"))
    assert response.status_code == 503
    assert reason in response.text
    assert slapd.READER_PASSWORD not in response.text
    assert int(response.headers["Retry-After"]) > 0
    assert status(world, "admin") == 200


def test_starttls_that_a_stranger_strips_ends_before_the_password(world: World, directory: Slapd) -> None:
    """A proxy answers StartTLS with an error; not a byte of a password may follow."""
    seen = bytearray()

    class Stripping:
        def __init__(self, target: int) -> None:
            import socket
            import threading

            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self.run, daemon=True).start()

        def run(self) -> None:
            client, _ = self.listener.accept()
            message = client.recv(65536)
            seen.extend(message)
            # LDAPResult unavailable(52) to the extended request of the same id.
            client.sendall(bytes([0x30, 0x0C, 0x02, 0x01, message[4], 0x78, 0x07, 0x0A, 0x01, 52, 0x04, 0x00, 0x04, 0x00]))
            client.settimeout(1)
            with contextlib.suppress(OSError):
                seen.extend(client.recv(65536))
            client.close()
            self.listener.close()

    strip = Stripping(directory.port)
    configure(world, directory, ldap_url=f"ldap://localhost:{strip.port}", ldap_starttls=True)
    assert status(world, "alice") == 503
    assert b"1.3.6.1.4.1.1466.20037" in seen
    for secret in (slapd.READER_PASSWORD, PASSWORD):
        assert secret.encode() not in seen


def test_roles_by_group_also_through_groups(connected: World, directory: Slapd) -> None:
    connected.project("web", 1)
    give(connected, "everybody", Role.GUEST)
    give(connected, "developers", Role.DEVELOPER)
    assert connected.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}
    assert connected.granted(SCOPE, who="carol") == {"web/a": ["pull"]}
    assert connected.granted(SCOPE, who="dave") == {"web/a": []}


def test_without_nesting_only_direct_groups_count(world: World, directory: Slapd) -> None:
    configure(world, directory, ldap_nested_groups=False)
    world.project("web", 1)
    give(world, "everybody", Role.GUEST)
    give(world, "engineers", Role.DEVELOPER)
    assert world.granted(SCOPE, who="alice") == {"web/a": []}
    assert world.granted(SCOPE, who="carol") == {"web/a": ["pull", "push"]}


def test_groups_by_the_attribute_alone(world: World, directory: Slapd) -> None:
    configure(world, directory, ldap_group_base_dn="")
    world.project("web", 1)
    give(world, "everybody", Role.GUEST)
    assert world.granted(SCOPE, who="alice") == {"web/a": ["pull"]}


def test_a_group_of_administrators(world: World, directory: Slapd) -> None:
    configure(world, directory, ldap_group_admin_dn=slapd.group_dn("ADMINS"))
    assert world.api("GET", "/users", "dave").status_code == 200
    assert world.api("GET", "/users", "alice").status_code == 403
    shown = world.api("GET", "/users/current", "dave").get_json()
    assert (shown["sysadmin_flag"], shown["admin_role_in_auth"]) == (False, True)


def test_leaving_a_group_takes_the_role_away(connected: World, directory: Slapd) -> None:
    connected.project("web", 1)
    give(connected, "developers", Role.DEVELOPER)
    assert connected.granted(SCOPE, who="bob") == {"web/a": ["pull", "push"]}
    directory.leave("bob", "developers")
    try:
        assert reread(connected)["read"] >= 1
        assert connected.granted(SCOPE, who="bob") == {"web/a": []}
    finally:
        directory.join("bob", "developers")
    reread(connected)
    assert connected.granted(SCOPE, who="bob") == {"web/a": ["pull", "push"]}


def test_who_is_gone_may_do_nothing_after_the_second_time(connected: World, directory: Slapd) -> None:
    directory.change(
        f"dn: uid=temp,ou=people,{slapd.BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: temp\ncn: T\nsn: T\n"
        f"userPassword: {slapd.PASSWORD}\n"
    )
    assert status(connected, "temp") == 200
    token = connected.api("POST", "/users/2/access-tokens", "temp", json={"name": "x"}).get_json()["token"]
    directory.change(f"dn: uid=temp,ou=people,{slapd.BASE}\nchangetype: delete\n")
    assert reread(connected)["gone"] == 1
    assert status(connected, "temp", token) == 200, "a directory may have a bad moment"
    reread(connected)
    assert status(connected, "temp", token) == 403


def test_who_is_locked_by_an_administrator_is_out(connected: World, directory: Slapd) -> None:
    """By OpenLDAP's own overlay for password policies. A lock after wrong passwords is none: strangers could bring it about."""
    assert status(connected, "bob") == 200
    token = connected.api("POST", "/users/2/access-tokens", "bob", json={"name": "x"}).get_json()["token"]
    with directory.locked("bob", "20200101000000Z"):
        assert (reread(connected)["gone"], status(connected, "bob", token)) == (0, 200)
    with directory.locked("bob", "000001010000Z"):
        assert (reread(connected)["gone"], reread(connected)["gone"]) == (1, 1)
        assert status(connected, "bob", token) == 403
        assert status(connected, "bob", PASSWORD + " ") == 401
    assert reread(connected)["read"] == 1
    assert status(connected, "bob", token) == 200


def test_a_directory_that_is_down_changes_nothing(connected: World, directory: Slapd) -> None:
    connected.project("web", 1)
    give(connected, "developers", Role.DEVELOPER)
    assert connected.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}
    configure(connected, directory, ldap_url="ldaps://localhost:1")
    assert reread(connected) == {"read": 0, "gone": 0, "unanswered": 1}
    assert connected.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}, "remembered"


def test_a_size_limit_is_no_answer(world: World, directory: Slapd) -> None:
    """carol is in more groups than that account may see: a part of them would be a wrong answer."""
    configure(world, directory, ldap_search_dn=slapd.LIMITED)
    response = world.client.get("/service/token?service=harbor-registry", headers=basic("carol"))
    assert response.status_code == 503
    assert "size limit" in response.text or "part of the entries" in response.text


def test_several_directories_in_their_order(world: World, directory: Slapd) -> None:
    """Two that know the same people: the first one answers, and who came from it belongs to it."""
    configure(world, directory, name="first", ldap_filter="(uid=alice)")
    configure(world, directory, name="second")
    assert status(world, "alice") == 200
    assert status(world, "bob") == 200
    with world.changes():
        assert [origin_of(users.get_by_name(name).id).source for name in ("alice", "bob")] == ["first", "second"]  # type: ignore[union-attr]
        sources.save("test", "ldap", "first", {}, enabled=False)
    assert status(world, "alice", PASSWORD + "!") == 401, "the second one is not asked about people of the first"


def test_one_pull_binds_once(world: World, directory: Slapd) -> None:
    with fault_proxy(directory.tls_port) as proxy:
        configure(world, directory, ldap_url=f"ldaps://localhost:{proxy.port}")
        for number in range(5):
            assert world.token(f"repository:web/a{number}:pull", who="alice").status_code == 200
        assert proxy.connections == 2, "one to search, one to bind"


def test_made_a_member_before_the_first_login(connected: World) -> None:
    connected.project("web", 1)
    body = {"role_id": 2, "member_user": {"username": "alice"}}
    assert connected.api("POST", "/projects/web/members", "admin", json=body).status_code == 201
    assert connected.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}
    nobody = {"role_id": 2, "member_user": {"username": "nobody-at-all"}}
    assert connected.api("POST", "/projects/web/members", "admin", json=nobody).status_code == 404
    group = {"role_id": 3, "member_group": {"group_type": 1, "ldap_group_dn": slapd.group_dn("admins")}}
    assert connected.api("POST", "/projects/web/members", "admin", json=group).status_code == 201
    listed = connected.api("GET", "/projects/web/members", "admin").get_json()
    assert [(entry["entity_name"], entry["entity_type"]) for entry in listed] == [
        ("admin", "u"), ("admins", "g"), ("alice", "u")
    ]  # fmt: skip
    for nowhere in (slapd.group_dn("nothing"), "cn=there is none,dc=nowhere"):
        group = {"role_id": 3, "member_group": {"group_type": 1, "ldap_group_dn": nowhere}}
        assert connected.api("POST", "/projects/web/members", "admin", json=group).status_code == 404
        assert connected.api("POST", "/usergroups", "admin", json=group["member_group"]).status_code == 404
    named = {"group_type": 1, "group_name": "ours", "ldap_group_dn": slapd.group_dn("many1")}
    assert connected.api("POST", "/usergroups", "admin", json=named).status_code == 201
    assert {"admins", "ours"} <= {group["group_name"] for group in connected.api("GET", "/usergroups", "admin").get_json()}


def test_no_canary_is_kept(connected: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    for name, password in (("alice", PASSWORD), ("alice", "canary-wrong-password"), ("canary-password-as-name", "x")):
        status(connected, name, password)
    with connected.changes():
        dump = "\n".join(
            str(db.session.execute(db.text(f"SELECT * FROM {table.name}")).all()) for table in db.metadata.sorted_tables
        )
    printed = capfd.readouterr()
    for secret in (PASSWORD, "canary-wrong-password", "canary-password-as-name", slapd.READER_PASSWORD):
        assert secret not in dump
        assert secret not in printed.out + printed.err + caplog.text
