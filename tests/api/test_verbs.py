"""Each verb exists once: by the API and by the command line it leaves the same in the database, everything else it touches
included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from authsvc.authn.models import LoginAddress, LoginFailure, LoginLock
from authsvc.core.db import Base, db
from authsvc.core.settings import Settings
from authsvc.rbac.roles import Role
from authsvc.wsgi import Front
from tests.support.console import runner
from tests.support.world import PASSWORD, World, basic

# Rows of logins, which only the API has.
BESIDE = {LoginLock.__tablename__, LoginFailure.__tablename__, LoginAddress.__tablename__}
# Who did it and from where, and what is drawn or sealed anew each time.
DIFFERS = {
    "username",
    "operator",
    "address",
    "user_agent",
    "request_id",
    "password_hash",
    "digest",
    "sealed",
    "secret_hash",
    "nonce",
}
RULE = {
    "name": "main", "issuer": "https://idp.example.com", "audience": "tidegate", "claims": {"ref": "refs/heads/main"},
    "project": "web", "repositories": "*", "actions": ["pull"],
}  # fmt: skip
TRUST = ("trust", "add", "main", "--issuer", "https://idp.example.com", "--audience", "tidegate", "--claim", "ref=refs/heads/main",
         "--project", "web", "--action", "pull")  # fmt: skip
DIRECTORY = {"ldap_url": "ldaps://ldap.example.com", "ldap_base_dn": "dc=example,dc=com"}


@dataclass(frozen=True)
class Verb:
    """The same by method, path and body, and by arguments; `before`: what has to be there, by the API."""

    method: str
    path: str
    body: Any
    command: tuple[str, ...]
    stdin: str = ""
    before: list[tuple[str, str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(self.command[:2])


MEMBER = {"role_id": int(Role.DEVELOPER), "member_user": {"username": "bob"}}
VERBS = [
    Verb("POST", "/projects", {"project_name": "new"}, ("projects", "create", "new", "--owner", "admin")),
    Verb("POST", "/projects", {"project_name": "open", "metadata": {"public": "true"}},
         ("projects", "create", "open", "--owner", "admin", "--public")),
    Verb("PUT", "/projects/web", {"metadata": {"public": "true"}}, ("projects", "set-public", "web")),
    Verb("DELETE", "/projects/web", None, ("projects", "delete", "web")),
    Verb("POST", "/projects/web/members", MEMBER, ("members", "set", "web", "bob", "developer")),
    Verb("PUT", "/projects/web/members/2", {"role_id": int(Role.GUEST)}, ("members", "set", "web", "alice", "guest")),
    Verb("DELETE", "/projects/web/members/2", None, ("members", "remove", "web", "alice")),
    Verb("PUT", "/quotas/1", {"hard": {"storage": 1024**3}}, ("quota", "set", "web", str(1024**3))),
    Verb("POST", "/users", {"username": "carol", "email": "c@example.com", "realname": "Carol", "password": PASSWORD},
         ("users", "create", "carol", "--email", "c@example.com", "--realname", "Carol", "--password-stdin"), PASSWORD + "\n"),
    Verb("PUT", "/users/2/disabled", {"disabled": True}, ("users", "disable", "alice")),
    Verb("PUT", "/users/2/disabled", {"disabled": False}, ("users", "enable", "alice"),
         before=[("PUT", "/users/2/disabled", {"disabled": True})]),
    Verb("PUT", "/users/2/sysadmin", {"sysadmin_flag": True}, ("users", "set-admin", "alice")),
    Verb("DELETE", "/users/2", None, ("users", "delete", "alice")),
    Verb("DELETE", "/robots/1", None, ("robots", "delete", "robot$web+ci")),
    Verb("PUT", "/projects/web/robots/1", {"disable": True}, ("robots", "disable", "robot$web+ci")),
    Verb("PUT", "/configurations", {"self_registration": True, "session_timeout": 20},
         ("config", "set", "self_registration=true", "session_timeout=20")),
    Verb("PUT", "/ldap/directories/office", {"settings": DIRECTORY},
         ("ldap", "set", "office", *(f"{name}={value}" for name, value in DIRECTORY.items()))),
    Verb("POST", "/system/trust-rules", RULE, TRUST),
    Verb("DELETE", "/system/trust-rules/1", None, ("trust", "remove", "1"), before=[("POST", "/system/trust-rules", RULE)]),
]  # fmt: skip


@contextmanager
def prepared(make_settings: Callable[..., Settings], verb: Verb) -> Iterator[World]:
    """A project of admin's with a member, a robot with a secret and a label; alice has an access token; bob has nothing."""
    world = World(Front(make_settings(login_attempts=10_000)))
    admin, alice = world.user("admin", sysadmin=True), world.user("alice")
    world.user("bob")
    world.project("web", admin)
    world.member("web", "alice", Role.MAINTAINER)
    permissions = [{"kind": "project", "namespace": "web", "access": [{"resource": "repository", "action": "pull"}]}]
    robot = {"name": "ci", "level": "project", "duration": -1, "permissions": permissions}
    token = world.api("POST", f"/users/{alice}/access-tokens", "alice", json={"name": "laptop"}).get_json()["token"]
    assert world.client.get("/service/token?service=harbor-registry", headers=basic("alice", token)).status_code == 200
    world.front.flask.extensions["tidegate"].uses.flush()
    before = [
        ("POST", "/robots", robot),
        ("POST", f"/users/{admin}/access-tokens", {"name": "x"}),
        ("POST", "/labels", {"name": "good", "scope": "p", "project_id": 1}),
        *verb.before,
    ]
    for method, path, body in before:
        assert world.api(method, path, "admin", json=body).status_code < 300, path
    try:
        yield world
    finally:
        world.close()


def contents(world: World) -> dict[str, list[dict[str, Any]]]:
    """All rows, without what differs anyway; times only by whether there is one."""
    with world.front.flask.app_context():
        return {
            table.name: [
                {name: isinstance(value, datetime) or value for name, value in row._asdict().items() if name not in DIFFERS}
                for row in db.session.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in Base.metadata.sorted_tables
            if table.name not in BESIDE
        }


@pytest.mark.parametrize("verb", VERBS, ids=str)
def test_the_same_by_api_and_by_command(make_settings: Callable[..., Settings], verb: Verb) -> None:
    with prepared(make_settings, verb) as by_api:
        before = contents(by_api)
        answer = by_api.api(verb.method, verb.path, "admin", json=verb.body)
        assert answer.status_code < 300, answer.text
        asked = contents(by_api)
    with prepared(make_settings, verb) as by_command:
        assert contents(by_command) == before, "both begin alike"
        result = runner(by_command)(*verb.command, stdin=verb.stdin)
        assert result.exit_code == 0, result.output
        said = contents(by_command)
    assert asked != before
    for table, rows in asked.items():
        assert said[table] == rows, table
