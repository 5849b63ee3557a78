"""Users, robots and configuration by Harbor's rules: what is refused with which word, and whom robots may not touch."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.users.models import UserIdentity
from tests.support.world import World, basic

USER = {"username": "new", "password": "long enough", "email": "new@example.com"}


def robot(world: World, *actions: str) -> dict[str, str]:
    """An Authorization header of a system robot that may do this with users."""
    access = [{"resource": "user", "action": action} for action in actions]
    permissions = [{"kind": "system", "namespace": "/", "access": access}]
    body = {"name": "people", "level": "system", "duration": -1, "permissions": permissions}
    made = world.api("POST", "/robots", "admin", json=body)
    assert made.status_code == 201, made.text
    return basic(made.get_json()["name"], made.get_json()["secret"])


@pytest.mark.parametrize("field", ["username", "password", "email"])
def test_a_user_without_one_of_these_is_a_bad_request(world: World, field: str) -> None:
    for body in (USER | {field: ""}, USER | {field: None}, {key: value for key, value in USER.items() if key != field}):
        assert world.api("POST", "/users", "admin", json=body).status_code == 400
    assert world.api("POST", "/users", "admin", json=USER | {field: 7}).status_code == 422
    assert world.api("POST", "/users", "admin", json=USER | {"realname": None, "comment": None}).status_code == 201


def test_robots_look_after_users_but_not_after_administrators(world: World) -> None:
    alice = world.user("alice")
    other = world.user("other-admin", sysadmin=True)
    headers = robot(world, "create", "read", "update", "delete", "list")

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> int:
        return world.api(method, f"/users{path}", headers=headers, json=body).status_code

    assert ask("POST", "", USER) == 201
    assert [ask("GET", path) for path in ("", f"/{alice}", "/1")] == [200, 200, 200]
    assert [ask("PUT", f"/{id_}", {"realname": "x"}) for id_ in (alice, other)] == [200, 403]
    assert ask("PUT", f"/{alice}/sysadmin", {"sysadmin_flag": True}) == 403
    assert ask("PUT", f"/{alice}/password", {"new_password": "another long one"}) == 403
    assert [ask("DELETE", f"/{id_}") for id_ in (alice, other, 1)] == [200, 403, 403]


def test_robots_without_a_permission_do_not(world: World) -> None:
    alice = world.user("alice")
    headers = robot(world, "read")
    assert world.api("GET", f"/users/{alice}", headers=headers).status_code == 200
    assert world.api("GET", "/users", headers=headers).status_code == 403
    assert world.api("DELETE", f"/users/{alice}", headers=headers).status_code == 403


def test_nobody_deletes_himself_or_the_first_administrator(world: World) -> None:
    second = world.user("second", sysadmin=True)
    assert world.api("DELETE", f"/users/{second}", "second").status_code == 403
    assert world.api("DELETE", "/users/1", "second").status_code == 403
    assert world.api("DELETE", f"/users/{second}", "admin").status_code == 200


def test_people_from_a_provider_are_shown_as_such(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    with world.changes():
        db.session.add(UserIdentity(user_id=alice, kind="oidc", source="default", subject="sub-1https://idp.example.com"))
    meta = world.api("GET", f"/users/{alice}", "admin").get_json()["oidc_user_meta"]
    assert (meta["user_id"], meta["subiss"]) == (alice, "sub-1https://idp.example.com")
    assert "secret" not in meta
    assert "oidc_user_meta" not in world.api("GET", f"/users/{bob}", "admin").get_json()


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"level": ""},
        {"level": "galaxy"},
        {"duration": 0},
        {"duration": -2},
        {"permissions": []},
        {"permissions": None},
        {"permissions": [{"kind": "x", "namespace": "/", "access": [{"resource": "repository", "action": "pull"}]}]},
        {"permissions": [{"kind": "system", "namespace": "/", "access": []}]},
        {"permissions": [{"kind": "system", "namespace": "x", "access": [{"resource": "user", "action": "list"}]}]},
        {"permissions": [{"kind": "system", "namespace": "/", "access": [{"resource": "repository", "action": "pull"}]}]},
        {"permissions": [{}]},
        {"level": "project", "permissions": [{"access": [{"resource": "repository", "action": "pull"}]}]},
    ],
)
def test_robots_that_cannot_be(world: World, change: dict[str, Any]) -> None:
    permissions = [{"kind": "system", "namespace": "/", "access": [{"resource": "user", "action": "list"}]}]
    body = {"name": "ci", "level": "system", "duration": -1, "permissions": permissions}
    assert world.api("POST", "/robots", "admin", json=body | change).status_code == 400


ITEMS = [
    "auth_mode",
    "primary_auth_mode",
    "ldap_base_dn",
    "ldap_filter",
    "ldap_group_base_dn",
    "ldap_group_admin_dn",
    "ldap_group_attribute_name",
    "ldap_group_search_filter",
    "ldap_group_search_scope",
    "ldap_scope",
    "ldap_search_dn",
    "ldap_timeout",
    "ldap_uid",
    "ldap_url",
    "ldap_verify_cert",
    "ldap_group_membership_attribute",
    "ldap_group_attach_parallel",
    "scan_all_policy",
    "project_creation_restriction",
    "read_only",
    "self_registration",
    "token_expiration",
    "uaa_client_id",
    "uaa_client_secret",
    "uaa_endpoint",
    "uaa_verify_cert",
    "http_authproxy_endpoint",
    "http_authproxy_tokenreview_endpoint",
    "http_authproxy_admin_groups",
    "http_authproxy_admin_usernames",
    "http_authproxy_verify_cert",
    "http_authproxy_skip_search",
    "http_authproxy_server_certificate",
    "oidc_name",
    "oidc_endpoint",
    "oidc_client_id",
    "oidc_groups_claim",
    "oidc_admin_group",
    "oidc_group_filter",
    "oidc_scope",
    "oidc_user_claim",
    "oidc_verify_cert",
    "oidc_auto_onboard",
    "oidc_extra_redirect_parms",
    "oidc_logout",
    "robot_token_duration",
    "robot_name_prefix",
    "notification_enable",
    "quota_per_project_enable",
    "storage_per_project",
    "pull_time_update_disable",
    "pull_count_update_disable",
    "pull_audit_log_disable",
    "audit_log_forward_endpoint",
    "skip_audit_log_database",
    "scanner_skip_update_pulltime",
    "disabled_audit_log_event_types",
    "session_timeout",
    "banner_message",
]


def test_every_item_of_harbors_is_shown_and_no_secret(world: World) -> None:
    secrets = {"ldap_search_password": "hidden1", "oidc_client_secret": "hidden2", "uaa_client_secret": "hidden3"}
    assert world.api("PUT", "/configurations", "admin", json=secrets | {"unknown": 1, "read_only": None}).status_code == 200
    response = world.api("GET", "/configurations", "admin")
    shown = response.get_json()
    assert set(ITEMS) - shown.keys() == set()
    assert "hidden" not in response.text
    assert not {"ldap_search_password", "oidc_client_secret"} & shown.keys()
    assert {tuple(sorted(item)) for item in shown.values()} == {("editable", "value")}
    assert shown["scan_all_policy"]["value"] == {"type": "none"}


def test_what_was_read_can_be_written_back(world: World) -> None:
    shown = world.api("GET", "/configurations", "admin").get_json()
    body = {name: item["value"] for name, item in shown.items()}
    answer = world.api("PUT", "/configurations", "admin", json=body)
    assert answer.status_code == 200, answer.text
    assert world.api("GET", "/configurations", "admin").get_json() == shown
