"""Every kind of credential, of people who may do everything: got in the way that they are got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from authsvc.authn import sources
from authsvc.authn.onboarding import Proof, onboard
from authsvc.core.db import db
from authsvc.projects import service as projects
from authsvc.rbac.authority import Credential
from authsvc.scanning import credentials as scans
from authsvc.users.models import User
from tests.support.issuer import CiIssuer
from tests.support.world import PASSWORD, World, basic

URL = "http://registry.test"
CLIENT = "registry"
SCOPE = "repository:web/app:pull,push"


@dataclass
class Shown:
    """A credential as it is shown: a name and a secret, or a header, or a cookie; `user_id` 0: of no user."""

    name: str
    secret: str
    user_id: int
    client: Client
    headers: Mapping[str, str] = field(default_factory=dict)

    def open(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Origin": URL, **self.headers, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, base_url=URL, **options)

    def api(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.open(method, f"/api/v2.0{path}", **options)


class Wallet:
    """Makes them. Users' are of `admin`, and of `olga`, who comes from a provider and was made an administrator."""

    def __init__(self, world: World, issuer: CiIssuer) -> None:
        self.world = world
        self.issuer = issuer

    def by_name(self, name: str, secret: str, user_id: int = 0) -> Shown:
        return Shown(name, secret, user_id, Client(self.world.nginx), basic(name, secret))

    def password(self) -> Shown:
        return self.by_name("admin", PASSWORD, 1)

    def session(self) -> Shown:
        shown = Shown("admin", "", 1, Client(self.world.nginx))
        assert shown.open("POST", "/c/login", data={"principal": "admin", "password": PASSWORD}).status_code == 200
        return shown

    def access_token(self, name: str = "admin", user_id: int = 1, **limits: Any) -> Shown:
        made = self.world.api("POST", f"/users/{user_id}/access-tokens", name, json={"name": "x"} | limits)
        assert made.status_code == 201, made.text
        return self.by_name(name, made.get_json()["token"], user_id)

    def refresh_token(self) -> Shown:
        login = self.world.token(SCOPE, who="admin", offline_token="true").get_json()
        return self.by_name("admin", login["refresh_token"], 1)

    def id_token(self) -> Shown:
        user_id, token = self._olga
        return Shown("olga", token, user_id, Client(self.world.nginx), {"Authorization": f"Bearer {token}"})

    def cli_secret(self) -> Shown:
        user_id, _ = self._olga
        made = self.world.api("POST", f"/users/{user_id}/cli_secret", "admin")
        return self.by_name("olga", made.get_json()["secret"], user_id)

    def chosen_cli_secret(self) -> Shown:
        user_id, _ = self._olga
        chosen = "chosen by olga herself 1"
        assert self.world.api("PUT", f"/users/{user_id}/cli_secret", "admin", json={"secret": chosen}).status_code == 200
        return self.by_name("olga", chosen, user_id)

    @cached_property
    def _olga(self) -> tuple[int, str]:
        with self.world.changes():
            settings = {"oidc_endpoint": self.issuer.url, "oidc_client_id": CLIENT}
            sources.save("test", "oidc", "default", settings)
            user_id = onboard(Proof("oidc", "default", f"{self.issuer.url}#olga", "olga")).account_id
        token = self.issuer.token(aud=CLIENT, sub="olga", preferred_username="olga")
        assert self.world.api("PUT", f"/users/{user_id}/sysadmin", "admin", json={"sysadmin_flag": True}).status_code == 200
        return user_id, token

    def robot(self, *access: str, namespace: str = "web", duration: int = -1, secret: str = "") -> Shown:
        pairs = (text.split(":") for text in access or ("project:read", "repository:pull", "repository:push"))
        entry = {"kind": "project", "namespace": namespace, "access": [{"resource": r, "action": a} for r, a in pairs]}
        level = "system" if namespace == "*" else "project"
        body = {"name": f"r{self._next()}", "level": level, "duration": duration, "permissions": [entry], "secret": secret}
        made = self.world.api("POST", "/robots", "admin", json=body)
        assert made.status_code == 201, made.text
        answer = made.get_json()
        return self.by_name(answer["name"], answer.get("secret") or secret)

    def chosen_robot(self) -> Shown:
        return self.robot(secret="Chosen-for-a-robot-1")

    def scan(self) -> Shown:
        with self.world.changes():
            project_id = projects.get_by_name("web").id
            return self.by_name(scans.USERNAME, scans.issue(project_id, "web/app", 60))

    def job(self) -> Shown:
        rule = {
            "name": f"r{self._next()}",
            "issuer": self.issuer.url,
            "audience": "registry.example.com",
            "claims": {"repository": "example/web"},
            "project": "web",
            "actions": ["pull", "push"],
        }
        assert self.world.api("POST", "/system/trust-rules", "admin", json=rule).status_code == 201
        return self.by_name("oidc", self.issuer.token())

    def registry_token(self) -> Shown:
        token = str(self.world.token(SCOPE, who="admin").get_json()["token"])
        return Shown("admin", token, 1, Client(self.world.nginx), {"Authorization": f"Bearer {token}"})

    _made = 0

    def _next(self) -> int:
        self._made += 1
        return self._made


KINDS: list[tuple[Credential, Callable[[Wallet], Shown]]] = [
    (Credential.PASSWORD, Wallet.password),
    (Credential.SESSION, Wallet.session),
    (Credential.ACCESS, Wallet.access_token),
    (Credential.REFRESH, Wallet.refresh_token),
    (Credential.ID_TOKEN, Wallet.id_token),
    (Credential.CLI, Wallet.cli_secret),
    (Credential.CLI, Wallet.chosen_cli_secret),
    (Credential.ROBOT, Wallet.robot),
    (Credential.ROBOT, Wallet.chosen_robot),
    (Credential.JOB_TOKEN, Wallet.job),
    (Credential.SCAN, Wallet.scan),
    (Credential.REGISTRY, Wallet.registry_token),
]


def id_of(world: World, name: str) -> int:
    """The id of a user."""
    with world.changes():
        return int(db.session.scalar(select(User.id).where(User.username == name)) or 0)
