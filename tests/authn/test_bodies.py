"""Anything in any place of any body of identity's routes: an answer below 500, and never a half-made thing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.authn.onboarding import Proof, onboard
from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.support.world import World, basic

ACCESS = [{"resource": "repository", "action": "pull"}]
PERMISSIONS = [{"kind": "project", "namespace": "web", "access": ACCESS}]
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/users", {"username": "new", "password": "long and not common", "email": "n@example.com", "realname": "N", "comment": ""}),
    ("PUT", "/users/2", {"email": "x@example.com", "realname": "X", "comment": "c"}),
    ("PUT", "/users/2/sysadmin", {"sysadmin_flag": False}),
    ("PUT", "/users/2/disabled", {"disabled": False}),
    ("PUT", "/users/2/password", {"old_password": "a", "new_password": "b"}),
    ("PUT", "/users/3/cli_secret", {"secret": "x"}),
    ("POST", "/users/1/access-tokens", {"name": "x", "days": 3, "projects": ["web"], "actions": ["pull"], "networks": ["10.0.0.0/8"]}),
    ("POST", "/robots", {"name": "a", "level": "project", "duration": 1, "description": "d", "disable": False, "secret": "",
                         "permissions": PERMISSIONS}),
    ("PUT", "/robots/1", {"id": 1, "name": "robot$web+ci", "level": "project", "duration": 1, "permissions": PERMISSIONS}),
    ("PATCH", "/robots/1", {"secret": ""}),
    ("POST", "/projects/web/robots", {"name": "b", "expires_at": 3, "description": "d", "access": ACCESS}),
    ("PUT", "/projects/web/robots/1", {"disable": False}),
    ("POST", "/usergroups", {"group_name": "g", "group_type": 1, "ldap_group_dn": "cn=g,dc=x"}),
    ("PUT", "/usergroups/1", {"group_name": "g2"}),
    ("PUT", "/configurations", {"auth_mode": "db_auth", "ldap_url": "ldaps://x", "ldap_scope": 2, "oidc_name": "x", "session_timeout": 5}),
    ("POST", "/ldap/ping", {"ldap_url": "ldap://127.0.0.1:1", "ldap_base_dn": "dc=x", "ldap_uid": "uid", "ldap_scope": 2}),
    ("POST", "/ldap/users/import", {"ldap_uid_list": ["a"]}),
    ("POST", "/ldap/trace", {"source": "default", "username": "a", "password": "b"}),
    ("PUT", "/ldap/directories/x", {"enabled": False, "position": 1, "settings": {"ldap_url": "ldaps://x", "ldap_scope": 1}}),
    ("POST", "/system/oidc/ping", {"url": "http://127.0.0.1:1", "verify_cert": True}),
    ("PUT", "/system/oidc/providers/x", {"enabled": False, "position": 1, "settings": {"oidc_endpoint": "https://x"}}),
    ("POST", "/system/trust-rules", {"name": "x", "issuer": "https://x.example.com", "audience": "a", "claims": {"a": "b"},
                                     "project": "web", "repositories": "*", "actions": ["pull"]}),
]  # fmt: skip
WRONG: list[Any] = [None, 0, -1, 2**63, 1.5, True, "", "a\0b", "x" * 3000, "\ud800", [], [None], {}, {"x": None}]


@pytest.fixture
def filled(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    made.user("alice")
    with made.changes():
        onboard(Proof("oidc", "default", "subject", "olga"))
    made.project("web", 1)
    robot = {"name": "ci", "level": "project", "duration": -1, "permissions": PERMISSIONS}
    assert made.api("POST", "/robots", "admin", json=robot).status_code == 201
    assert made.api("POST", "/usergroups", "admin", json={"group_type": 1, "ldap_group_dn": "cn=a"}).status_code == 201
    yield made
    made.close()


def changed(body: Any) -> Iterator[Any]:
    """The body with each part of it, at any depth, replaced by each wrong value, or left out."""
    yield from WRONG
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, part in list(parts):
        for wrong in changed(part):
            made = copy.copy(body)
            made[key] = wrong
            yield made
        if isinstance(body, dict):
            yield {name: value for name, value in body.items() if name != key}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "body"), BODIES, ids=lambda part: part if isinstance(part, str) else "")
def test_anything_anywhere(filled: World, method: str, path: str, body: dict[str, Any]) -> None:
    headers = basic("admin")
    asked = 0
    for wrong in changed(body):
        response = filled.api(method, path, headers=headers, json=wrong)
        assert response.status_code < 500 or response.status_code == 503, (wrong, response.text)
        asked += 1
    for raw in (b"", b"{", b"null", b"[]", b"\xff", b'{"a":' + b"[" * 100_000):
        response = filled.client.open(
            f"/api/v2.0{path}", method=method, headers=headers, data=raw, content_type="application/json"
        )
        assert response.status_code < 500, (raw[:20], response.text)
    assert asked >= 14 * (1 + len(body))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users/1/access-tokens"), ("POST", "/system/trust-rules"), ("PUT", "/ldap/directories/x"),
        ("PUT", "/system/oidc/providers/x"), ("POST", "/ldap/trace"),
    ],
)  # fmt: skip
def test_a_limit_that_is_misspelt_is_refused(filled: World, method: str, path: str) -> None:
    """Where no client of Harbor's sends fields of its own."""
    (body,) = (dict(body) for known_method, known_path, body in BODIES if (known_method, known_path) == (method, path))
    refused = filled.api(method, path, "admin", json=body | {"project": ["web"], "netwroks": ["10.0.0.0/8"]})
    assert refused.status_code == 422
    assert "netwroks: there is no such field" in refused.get_json()["errors"][0]["message"]
