"""Users and projects of a running stack, made through its API."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from authsvc.rbac.roles import Role
from tests.support.rawclient import RawClient
from tests.support.stack import Stack


@dataclass(frozen=True)
class Team:
    """A private project with a user for each role, and a stranger who has none."""

    stack: Stack
    project: str
    password: str
    names: dict[Role | None, str]

    def auth(self, role: Role | None) -> tuple[str, str]:
        return self.names[role], self.password

    def client(self, role: Role | None) -> RawClient:
        return RawClient(self.stack, self.auth(role))

    def user_id(self, role: Role | None) -> int:
        return int(self.stack.api("GET", "/users/current", self.auth(role)).json()["user_id"])


def make_team(stack: Stack, *, public: bool = False) -> Team:
    """A new project with its people."""
    suffix, password = secrets.token_hex(4), secrets.token_urlsafe(12)
    project = f"team-{suffix}"
    body = {"project_name": project, "metadata": {"public": str(public).lower()}}
    assert stack.api("POST", "/projects", json=body).status_code == 201
    names: dict[Role | None, str] = {}
    for role in (*Role, None):
        name = f"{role.label.lower() if role else 'stranger'}-{suffix}"
        names[role] = name
        user = {"username": name, "password": password, "email": f"{name}@example.com"}
        assert stack.api("POST", "/users", json=user).status_code == 201
        if role is not None:
            member = {"role_id": role.value, "member_user": {"username": name}}
            assert stack.api("POST", f"/projects/{project}/members", json=member).status_code == 201
    return Team(stack, project, password, names)
