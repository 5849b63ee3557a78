"""Test data by plain functions, and a client that speaks to the real WSGI application."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import jwt
from sqlalchemy import Engine
from werkzeug.test import Client, TestResponse

from authsvc.core import background
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.passwords import choose
from authsvc.wsgi import Front

T = TypeVar("T")
PASSWORD = "correct horse battery"


def basic(username: str, password: str = PASSWORD) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@dataclass
class World:
    """A running application with its database, and shorthands to fill it and ask it."""

    front: Front

    def __post_init__(self) -> None:
        self.client = Client(self.nginx)

    def nginx(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The application as nginx asks it, who may say by `X-Real-IP` from where a request comes."""
        settings: Settings = self.front.flask.config["TIDEGATE"]
        if (secret := Layout(settings).proxy_secret).exists():
            environ["HTTP_X_PROXY_SECRET"] = secret.read_text()
        return self.front(environ, start_response)

    def close(self) -> None:
        """Let go of the database; first end what would connect to it once more in a while."""
        background.stop_all()
        self.front.flask.extensions["tidegate"].read_version.close()
        with self.front.flask.app_context():
            db.engine.dispose()

    def own(self, kind: type[T]) -> T:
        """What the application keeps of that class."""
        with self.front.flask.app_context():
            return own(kind)

    @contextmanager
    def changes(self) -> Iterator[None]:
        """An application context that is committed."""
        with self.front.flask.app_context():
            yield
            db.session.commit()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What requests change inside is gone afterwards: their commits are savepoints of a transaction that is rolled back.
        Decisions see what was committed before."""
        with self.front.flask.app_context():
            engine: Engine = db.engine
        engines: dict[str | None, Any] = db._app_engines[self.front.flask]
        with engine.connect() as connection, connection.begin() as outer:
            connection.begin_nested()
            engines[None] = connection
            try:
                yield
            finally:
                engines[None] = engine
                outer.rollback()

    def user(self, name: str, *, sysadmin: bool = False, password: str = PASSWORD) -> int:
        chosen = choose(password)
        with self.changes():
            return users.create("test", username=name, password=chosen, email=f"{name}@example.com", sysadmin=sysadmin).id

    def project(self, name: str, owner: int, *, public: bool = False) -> int:
        with self.changes():
            return projects.create("test", owner, name, {"public": str(public).lower()}).id

    def member(self, project: str, username: str, role: Role) -> int:
        with self.changes():
            return members.add(operator("test"), projects.get_by_name(project), users.get_by_name(username), role).id

    def api(self, method: str, path: str, who: str | None = None, **options: Any) -> TestResponse:
        """Call the API as a user with the usual password, or as nobody."""
        headers = dict(options.pop("headers", {})) | (basic(who) if who else {})
        return self.client.open(f"/api/v2.0{path}", method=method, headers=headers, **options)

    def crowd(self, *asked: tuple[str, str, str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> list[TestResponse]:
        """Call the API many times at once, with method, path, who and body of each; the answers, in this order."""

        def ask(method: str, path: str, who: str, body: Any) -> TestResponse:
            return Client(self.nginx).open(f"/api/v2.0{path}", method=method, json=body, headers=basic(who) | dict(headers))

        with ThreadPoolExecutor(len(asked)) as pool:
            return list(pool.map(ask, *zip(*asked, strict=True)))

    def token(self, *scopes: str, who: str | None = None, **query: Any) -> TestResponse:
        """GET a token as a user with the usual password, or as nobody."""
        values = {"service": "harbor-registry"} | query | ({"scope": list(scopes)} if scopes else {})
        return self.client.get("/service/token", query_string=values, headers=basic(who) if who else {})

    def granted(self, *scopes: str, who: str | None = None) -> dict[str, list[str]]:
        """What a token grants: name -> actions."""
        response = self.token(*scopes, who=who)
        assert response.status_code == 200, response.text
        return granted_by(str(response.get_json()["token"]))


def claims_of(token: str) -> dict[str, Any]:
    """A token's claims, not verified."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def granted_by(token: str) -> dict[str, list[str]]:
    """What a token grants: name -> actions."""
    return {entry["name"]: entry["actions"] for entry in claims_of(token)["access"]}
