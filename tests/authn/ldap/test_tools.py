"""What administrators have: ping, search, import, the trace, and directories by API and command line."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from authsvc.authn.backends.ldap import filters
from authsvc.authn.backends.ldap.settings import parse
from authsvc.cli import cli
from authsvc.core.errors import BadRequest
from authsvc.rbac.roles import Role
from tests.authn.ldap.test_login import configure, give
from tests.support import slapd
from tests.support.console import runner
from tests.support.fakeldap import fake_ldap, result
from tests.support.slapd import Slapd
from tests.support.world import PASSWORD, World


def test_ping_says_what_is_wrong(connected: World, directory: Slapd) -> None:
    def ping(**body: object) -> dict[str, object]:
        answer: dict[str, object] = connected.api("POST", "/ldap/ping", "admin", json=body).get_json()
        return answer

    assert ping() == {"success": True}
    for body, reason in (
        ({"ldap_url": "ldaps://localhost:1"}, "TCP"),
        ({"ldap_url": f"ldaps://127.0.0.1:{directory.tls_port}"}, "TLS"),
        ({"ldap_search_password": "wrong"}, "bind"),
        ({"ldap_base_dn": "ou=nothing,dc=example,dc=com"}, "base DN"),
        ({"ldap_filter": "(objectClass=printer)"}, "filter"),
    ):
        answer = ping(**body)
        assert answer["success"] is False
        assert str(answer["message"]).startswith(reason), answer
    assert connected.api("POST", "/ldap/ping", "admin", json={"ldap_url": "http://x"}).status_code == 400


def test_a_ping_takes_no_stored_password_elsewhere(connected: World) -> None:
    with fake_ldap(lambda tag, message_id: result(tag, message_id, 0)) as fake:
        elsewhere = {"ldap_url": f"ldap://127.0.0.1:{fake.port}"}
        assert connected.api("POST", "/ldap/ping", "admin", json=elsewhere).status_code == 200
        assert fake.seen
        assert slapd.READER_PASSWORD.encode() not in fake.seen
        assert connected.api("PUT", "/configurations", "admin", json=elsewhere).status_code == 200
        connected.token(who="alice")
        assert slapd.READER_PASSWORD.encode() not in fake.seen


def test_search_and_import(connected: World) -> None:
    found = connected.api("GET", "/ldap/users/search?username=ali", "admin").get_json()
    assert found == [{"username": "alice", "realname": "Alice Example", "email": "alice@example.com"}]
    assert connected.api("POST", "/ldap/users/import", "admin", json={"ldap_uid_list": ["alice", "bob"]}).status_code == 200
    failed = connected.api("POST", "/ldap/users/import", "admin", json={"ldap_uid_list": ["carol", "nobody", "admin"]})
    assert failed.status_code == 404
    assert {entry["uid"]: entry["error"] for entry in failed.get_json()} == {"nobody": "unknown_user", "admin": "conflict"}
    names = [user["username"] for user in connected.api("GET", "/users", "admin").get_json()]
    assert names == ["admin", "alice", "bob", "carol"]


def test_search_for_groups(connected: World) -> None:
    by_name = connected.api("GET", "/ldap/groups/search?groupname=develop", "admin").get_json()
    dn = slapd.group_dn("developers")
    assert by_name == [{"group_name": "developers", "group_type": 1, "ldap_group_dn": dn}]
    assert connected.api("GET", f"/ldap/groups/search?groupdn={dn}", "admin").get_json() == by_name
    assert connected.api("GET", "/ldap/groups/search?groupdn=nonsense", "admin").status_code == 400
    for nothing in (slapd.group_dn("nothing"), "a=b=c", "cn="):
        assert connected.api("GET", f"/ldap/groups/search?groupdn={nothing}", "admin").status_code == 404
    assert connected.api("GET", "/ldap/groups/search", "admin").status_code == 400


def test_without_a_directory_it_says_so(world: World) -> None:
    response = world.api("GET", "/ldap/users/search?username=x", "admin")
    assert response.status_code == 400
    assert "no directory is configured" in response.text


def test_try_as_user_shows_thirteen_steps(connected: World) -> None:
    connected.project("web", 1)
    give(connected, "everybody", Role.GUEST)
    body = {"username": "alice", "password": PASSWORD}
    steps = connected.api("POST", "/ldap/trace", "admin", json=body).get_json()
    assert [step["number"] for step in steps] == list(range(1, 14))
    assert not [step for step in steps if step["ok"] is False]
    by_name = {step["name"]: step["detail"] for step in steps}
    assert "the password is right" in by_name["try as user"]
    assert "developers, engineers, everybody, loop" in by_name["groups"]
    assert by_name["roles"] == "new here; guest in web by everybody"
    assert PASSWORD not in str(steps)
    assert slapd.READER_PASSWORD not in str(steps)


@pytest.mark.parametrize(
    ("changes", "failing", "hint"),
    [
        ({"ldap_url": "ldaps://no-such-host.invalid"}, "DNS", "resolve"),
        ({"ldap_url": "ldaps://localhost:1"}, "TCP", "firewall"),
        ({"ldap_ca": ""}, "TLS", "ldap_ca"),
        ({"ldap_url": "ldaps://localhost:{port}"}, "TLS", "speaks"),
        ({"ldap_search_password": "wrong"}, "bind", "ldap_search_dn"),
        ({"ldap_search_dn": "nonsense"}, "bind", "distinguished name"),
        ({"ldap_base_dn": "ou=nothing,dc=example,dc=com"}, "base DN", "no such entry"),
        ({"ldap_base_dn": "ou=elsewhere,dc=example,dc=com"}, "base DN", "ask the directory that holds"),
        ({"ldap_filter": "(objectClass=printer)"}, "filter", "ldap_filter"),
        ({"ldap_search_dn": slapd.LIMITED}, "filter", "size limit"),
        ({"ldap_base_dn": "ou=twins,dc=example,dc=com"}, "user attribute", "unique"),
        ({"ldap_uid": "mail"}, "try as user", "ldap_uid"),
        ({"ldap_group_base_dn": "ou=nothing,dc=example,dc=com"}, "groups", "no such entry"),
    ],
)
def test_every_step_that_fails_says_what_to_do(
    world: World, directory: Slapd, changes: dict[str, str], failing: str, hint: str
) -> None:
    formatted = {name: value.format(port=directory.port) for name, value in changes.items()}
    configure(world, directory, **formatted)
    steps = world.api("POST", "/ldap/trace", "admin", json={"username": "alice", "password": PASSWORD}).get_json()
    assert len(steps) == 13
    (failed,) = [step for step in steps if step["ok"] is False]
    assert failed["name"] == failing, failed
    assert hint in failed["hint"], failed


def test_the_certificate_is_shown(connected: World) -> None:
    steps = connected.api("POST", "/ldap/trace", "admin", json={}).get_json()
    assert "for localhost" in steps[3]["detail"]
    assert "until" in steps[3]["detail"]
    assert "OpenLDAP" in steps[4]["detail"]


def test_try_as_user_stops_where_it_fails(connected: World) -> None:
    steps = connected.api("POST", "/ldap/trace", "admin", json={"username": "alice", "password": "wrong"}).get_json()
    assert [step["name"] for step in steps if step["ok"] is False] == ["try as user"]
    assert {step["detail"] for step in steps[10:]} == {"not reached"}


def test_the_command_line(connected: World, directory: Slapd) -> None:
    settings = connected.front.flask.config["TIDEGATE"]
    environment = {"TIDEGATE_STATE_DIR": str(settings.state_dir), "TIDEGATE_DATABASE_URL": settings.database_url}
    runner = CliRunner(env=environment)
    done = runner.invoke(cli, ["ldap", "test", "--user", "alice", "--password-stdin", "-o", "json"], input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert [step["ok"] for step in json.loads(done.stdout)].count(False) == 0
    done = runner.invoke(cli, ["ldap", "test", "--user", "nobody"])
    assert done.exit_code == 9
    assert "FAILED" in done.stdout
    ca = directory.directory / "ca.pem"
    items = [f"ldap_url=ldaps://localhost:{directory.tls_port}", f"ldap_base_dn=ou=people,{slapd.BASE}", "ldap_uid=uid",
             f"ldap_search_dn={slapd.READER}"]  # fmt: skip
    command = ["ldap", "set", "second", *items, "--password-stdin", "--ca", str(ca), "--position", "2"]
    assert runner.invoke(cli, command, input=f"{slapd.READER_PASSWORD}\n").exit_code == 0
    assert runner.invoke(cli, ["ldap", "test", "--source", "second", "--user", "bob"]).exit_code == 0
    listed = runner.invoke(cli, ["ldap", "list", "-o", "json"]).stdout
    assert [entry["name"] for entry in json.loads(listed)] == ["default", "second"]
    assert slapd.READER_PASSWORD not in listed


def test_directories_by_api(world: World, directory: Slapd) -> None:
    body = {"settings": directory.settings(), "position": 3}
    assert world.api("PUT", "/ldap/directories/main", "admin", json=body).status_code == 200
    (shown,) = world.api("GET", "/ldap/directories", "admin").get_json()
    assert (shown["name"], shown["enabled"], shown["position"]) == ("main", True, 3)
    assert "ldap_search_password" not in shown["settings"]
    wrong: list[dict[str, object]] = [
        {"ldap_url": "gopher://x"},
        {"ldap_url": "ldap://["},
        {"ldap_uri": "ldap://x"},
        {"ldap_timeout": []},
        {"ldap_scope": {}},
    ]
    for settings in wrong:
        assert world.api("PUT", "/ldap/directories/main", "admin", json={"settings": settings}).status_code == 400
    assert world.api("GET", "/ldap/directories", "admin").get_json() == [shown], "nothing was changed"
    assert world.api("DELETE", "/ldap/directories/main", "admin").status_code == 200
    assert world.api("DELETE", "/ldap/directories/main", "admin").status_code == 404


def test_harbors_configuration_is_a_view(world: World, directory: Slapd) -> None:
    body = {name: value for name, value in directory.settings().items() if name != "ldap_ca"}
    assert world.api("PUT", "/configurations", "admin", json=body | {"auth_mode": "ldap_auth"}).status_code == 200
    shown = world.api("GET", "/configurations", "admin").get_json()
    assert shown["auth_mode"] == {"value": "ldap_auth", "editable": True}
    assert shown["ldap_url"]["value"] == body["ldap_url"]
    assert "ldap_search_password" not in shown
    assert world.api("GET", "/systeminfo").get_json()["auth_mode"] == "ldap_auth"
    assert world.api("PUT", "/configurations", "admin", json={"auth_mode": "db_auth"}).status_code == 200
    assert world.api("GET", "/systeminfo").get_json()["auth_mode"] == "db_auth"
    for bad in (
        {"auth_mode": "magic"},
        {"auth_mode": "oidc_auth"},
        {"ldap_scope": "wide"},
        {"token_expiration": 0},
        {"storage_per_project": -2},
    ):
        assert world.api("PUT", "/configurations", "admin", json=bad).status_code == 400
    configure(world, directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"ldap_url": ""},
        {"ldap_url": "ldap://"},
        {"ldap_url": "ldap://x:99999"},
        {"ldap_base_dn": ""},
        {"ldap_uid": " , "},
        {"ldap_filter": "((uid=x)"},
        {"ldap_scope": 7},
        {"ldap_ca": "no certificate"},
        {"ldap_starttls": True},
        {"ldap_search_dn": 5},
    ],
)
def test_settings_that_cannot_be_used_are_named(directory: Slapd, changes: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match=next(iter(changes))):
        parse(directory.settings(**changes))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("(uid=x)", True),
        ("(&(objectCategory=person)(objectClass=user))", True),
        ("(!(sAMAccountName=alice))", True),
        ("(|(a=*b*)(&(c>=1)(d~=e+f)(!(g=\\2a))))", True),
        ("(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)", True),
        ("uid=x", False),
        ("(uid=x))", False),
        ("((uid=x)", False),
        (")(", False),
        ("(&)", False),
        ("(uid)", False),
        ("(uid=x)(uid=y)", False),
        ("(&+(a=b))", False),
        ("(a=\\zz)", False),
        ("(!(a=b)(c=d))", False),
    ],
)
def test_filters_are_read_before_they_are_kept(text: str, is_one: bool) -> None:
    assert filters.is_filter(text) is is_one


@pytest.mark.parametrize("name", ["*", "a)(b=c", "\\", "\0", "é", "\x1f", "a*b(c)d\\e"])
def test_whatever_a_name_holds_it_stays_a_value(name: str) -> None:
    text = filters.user("(a=b)", ["uid"], name)
    value = text.removeprefix("(&(a=b)(uid=").removesuffix("))")
    assert not set(value) & set("*()\0")
    unescaped = re.sub(rb"\\([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), value.encode())
    assert unescaped.decode() == name


def test_explain_knows_people_who_have_never_come(connected: World) -> None:
    """By the groups that their directory says."""
    connected.project("web", 1)
    group = {"role_id": 2, "member_group": {"group_type": 1, "ldap_group_dn": slapd.group_dn("developers")}}
    assert connected.api("POST", "/projects/web/members", "admin", json=group).status_code == 201
    run = runner(connected)

    def said(name: str, action: str) -> tuple[int, str]:
        result = run("explain", name, action, "web/api")
        return result.exit_code, result.output

    status, text = said("alice", "push")
    assert (status, text.splitlines()) == (
        0,
        [
            "allowed: alice is developer in web, and that role has repository:push",
            "  alice has never come; the directory default knows him: new here; developer in web by developers",
        ],
    )
    assert said("alice", "delete")[0] == 12
    assert said("dave", "push")[0] == 12
    assert said("nobody-at-all", "push")[0] not in (0, 12)
    assert {user["username"] for user in connected.api("GET", "/users", "admin").get_json()} == {"admin"}, "nobody came aboard"
    connected.token(who="alice")
    assert said("alice", "push")[1].splitlines()[1] == "  role: developer by group developers"
