"""From claims to people: groups in every shape that providers have, and claims of every wrong type."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from authsvc.authn.backends.oidc.claims import groups_in, proof, suggested_name
from authsvc.authn.backends.oidc.settings import OidcSettings, parse
from authsvc.core.errors import BadRequest, InvalidCredentials

BASE = {"oidc_endpoint": "https://login.example.com", "oidc_client_id": "registry", "oidc_groups_claim": "groups"}


def settings(**changes: object) -> OidcSettings:
    return parse(BASE | changes)


def names(claims: dict[str, Any], **changes: object) -> list[str] | None:
    found = groups_in(settings(**changes), claims)
    return None if found is None else [group.name for group in found]


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ("a, b,,a", ["a", "b"]),
        ([], []),
        ("", []),
        (["a", 5, None, ["b"], {"c": 1}, "", " d "], ["a", "d"]),
        (7, None),
        ({"a": 1}, None),
        (True, None),
        (["x" * 256, "a\0b", "\ud800", "ok"], ["ok"]),
        (None, None),
    ],
)
def test_groups_in_every_shape(claim: Any, expected: list[str] | None) -> None:
    assert names({"sub": "1", "groups": claim}) == expected


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_database_holds(text: str) -> None:
    found = proof("p", settings(), {"sub": "1", "email": text, "name": text, "preferred_username": text})
    assert (found.email, found.realname, found.username) == ("", "", "")
    with pytest.raises(InvalidCredentials):
        proof("p", settings(), {"sub": text})


def test_groups_by_a_path_and_by_a_pattern() -> None:
    nested = {"realm_access": {"roles": ["registry-a", "other"]}}
    assert names(nested, oidc_groups_claim="realm_access.roles") == ["registry-a", "other"]
    assert names(nested, oidc_groups_claim="realm_access.roles", oidc_group_filter="^registry-") == ["registry-a"]
    assert names({"a.b": ["dotted name"]}, oidc_groups_claim="a.b") == ["dotted name"]
    assert names({"realm_access": "text"}, oidc_groups_claim="realm_access.roles") is None
    assert names({"groups": ["a"]}, oidc_groups_claim="") == []


def test_an_id_token_that_does_not_speak_of_groups_takes_none_away() -> None:
    admin = settings(oidc_admin_group="admins")
    assert proof("p", admin, {"sub": "1"}, whole=False).groups is None
    assert proof("p", admin, {"sub": "1"}).groups == ()
    assert proof("p", admin, {"sub": "1", "groups": ["admins"]}, whole=False).is_sysadmin
    assert not proof("p", admin, {"sub": "1", "groups": ["Admins"]}).is_sysadmin
    assert not proof("p", settings(), {"sub": "1", "groups": [""]}).is_sysadmin, "no admin group is nobody's group"


WRONG: list[Any] = [None, 0, 1.5, True, [], ["x"], {}, {"x": 1}, "", "x" * 5000, "a\0b"]


@pytest.mark.parametrize(("name", "value"), list(itertools.product(["email", "name", "preferred_username", "groups"], WRONG)))
def test_claims_of_wrong_types_stop_nobody(name: str, value: Any) -> None:
    shown = proof("p", settings(oidc_group_filter="."), {"sub": "1", name: value})
    assert all(isinstance(text, str) and len(text) <= 255 for text in (shown.username, shown.email, shown.realname))


@pytest.mark.parametrize("subject", [None, 0, 5, True, [], ["1"], {}, "", "x" * 256])
def test_nobody_without_a_subject(subject: Any) -> None:
    with pytest.raises(InvalidCredentials):
        proof("p", settings(), {"sub": subject})


def test_a_name_by_what_people_usually_have() -> None:
    claims = {"email": "olga@example.com", "nickname": "olli", "preferred_username": "olga", "upn": "olga.o"}
    assert suggested_name(settings(), claims) == "olga"
    assert suggested_name(settings(oidc_user_claim="upn"), claims) == "olga.o"
    assert suggested_name(settings(oidc_user_claim="missing"), {"email": "olga@example.com"}) == "olga@example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"oidc_endpoint": "ftp://x"},
        {"oidc_endpoint": "https://"},
        {"oidc_endpoint": "https://["},
        {"oidc_endpoint": "https://x:99999"},
        {"oidc_endpoint": "https://" + "x" * 300},
        {"oidc_endpoint": 5},
        {"oidc_client_id": ""},
        {"oidc_scope": "profile"},
        {"oidc_group_filter": "("},
        {"oidc_group_filter": "x" * 300},
        {"oidc_extra_redirect_parms": "[1]"},
        {"oidc_extra_redirect_parms": "{"},
        {"oidc_extra_redirect_parms": '{"a": 1}'},
        {"oidc_verify_cert": "maybe"},
        {"oidc_nothing": "x"},
    ],
)
def test_settings_that_cannot_be_used_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match=next(iter(changes))):
        settings(**changes)
