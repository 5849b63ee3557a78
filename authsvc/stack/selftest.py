"""The proof that the whole path works: a real login, push, pull and recorded event, through nginx, as any client does them.

Each run has a user and a private project of its own, and takes both away again, and those of runs that were killed. The user
shows an access token: nobody guesses those, so no lockout keeps us out.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from flask import Flask
from sqlalchemy import select

from authsvc.core.clock import rfc3339
from authsvc.core.crypto import write_private
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.challenge import parse_challenge
from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.secrets.service import issue_access_token
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity

NAME = "tidegate-selftest"
_RECORDED_WITHIN = 10.0
_NEAR = {"/api/v2.0/ping": 200, "/v2/": 401}
_KILLED = timedelta(minutes=10)  # a run that began so long ago is over
_ACTOR = "tidegate:selftest"


class SelfTestFailed(Exception):
    """The path is broken; the text says at which step, and what came instead."""


@dataclass(frozen=True, slots=True)
class _Visitor:
    user_id: int
    username: str
    token: str
    project: str
    left_over: tuple[str, ...]


class SelfTest:
    """One run against the running stack."""

    def __init__(self, app: Flask, settings: Settings, at: str = "") -> None:
        self._app = app
        self._settings = settings
        self._repository = ""
        self._pool = _pool(settings, at)
        self._authorization = ""

    def run(self) -> None:
        """Prove the path.

        Raises:
            SelfTestFailed
        """
        visitor = self._arrive()
        self._repository = f"{visitor.project}/hello"
        try:
            self._login(visitor)
            digest, layer = self._push()
            self._pull(digest, layer)
            self._recorded(visitor, digest)
        finally:
            self._leave(visitor)

    def is_near(self) -> bool:
        """Whether nginx is there, and reaches those behind it: containers that were made anew have new addresses, which it finds
        out some seconds later."""
        try:
            asked = {path: self._request("GET", path).status for path in _NEAR}
        except SelfTestFailed:
            return False
        return asked == _NEAR

    def _arrive(self) -> _Visitor:
        name = f"{NAME}-{secrets.token_hex(4)}"
        with self._app.app_context(), transaction():
            user = users.create(_ACTOR, username=name, password=None, fits=True)
            token, _ = issue_access_token(_ACTOR, user, "self-test", days=1, scope=None, networks=())
            projects.create(_ACTOR, user.id, name)
            left_over = [project for _, projects_of_one in left_overs() for project in projects_of_one]
            for project in left_over:
                members.add(operator(_ACTOR), project, user, Role.PROJECT_ADMIN)
            return _Visitor(user.id, name, token, name, tuple(project.name for project in left_over))

    def _leave(self, visitor: _Visitor) -> None:
        basic = {"Authorization": _basic(visitor)}
        for project in (visitor.project, *visitor.left_over):
            self._request("DELETE", f"/api/v2.0/projects/{project}/repositories/hello", headers=basic)
            self._request("DELETE", f"/api/v2.0/projects/{project}", headers=basic)
        with self._app.app_context(), transaction():
            for user in (users.get(visitor.user_id), *(user for user, _ in left_overs())):
                users.delete(_ACTOR, user)

    def _login(self, visitor: _Visitor) -> None:
        answer = self._expect("GET", "/v2/", 401, "asking the registry who it trusts")
        challenge = parse_challenge(answer.headers.get("WWW-Authenticate", ""))
        if challenge.realm != self._settings.realm:
            raise SelfTestFailed(f"the registry sends clients to {challenge.realm}, not to {self._settings.realm}")
        scope = f"repository:{self._repository}:pull,push"
        query = urlencode({"service": challenge.service, "scope": scope, "account": visitor.username})
        path = f"{urlsplit(challenge.realm).path}?{query}"
        answer = self._expect("GET", path, 200, "asking for a token", headers={"Authorization": _basic(visitor)})
        self._authorization = f"Bearer {json.loads(answer.data)['token']}"

    def _push(self) -> tuple[str, str]:
        layer = gzip.compress(secrets.token_bytes(64))
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._upload(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [self._upload(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        data = json.dumps(manifest).encode()
        path = f"/v2/{self._repository}/manifests/latest"
        self._expect("PUT", path, 201, "pushing a manifest", data, {"Content-Type": OCI_MANIFEST})
        return _digest(data), _digest(layer)

    def _upload(self, blob: bytes, media_type: str) -> dict[str, Any]:
        started = self._expect("POST", f"/v2/{self._repository}/blobs/uploads/", 202, "starting an upload")
        location = urljoin(self._settings.external_url, started.headers["Location"])
        parts = urlsplit(location)
        path = f"{parts.path}?{parts.query}&{urlencode({'digest': _digest(blob)})}"
        self._expect("PUT", path, 201, "uploading a blob", blob, {"Content-Type": "application/octet-stream"})
        return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}

    def _pull(self, digest: str, layer: str) -> None:
        accept = {"Accept": OCI_MANIFEST}
        answer = self._expect("GET", f"/v2/{self._repository}/manifests/latest", 200, "pulling the manifest", headers=accept)
        if _digest(answer.data) != digest:
            raise SelfTestFailed("the pulled manifest is not the pushed one")
        if _digest(self._blob(layer)) != layer:
            raise SelfTestFailed("the pulled blob is not the pushed one")

    def _blob(self, digest: str) -> bytes:
        """From the registry, or from where it sends clients."""
        path = f"/v2/{self._repository}/blobs/{digest}"
        answer = self._request("GET", path)
        if answer.status != 307 or Layout(self._settings).storage is not None:
            return self._expect("GET", path, 200, "pulling the blob").data
        store = urlsplit(answer.headers["Location"]).netloc
        try:
            sent = urllib3.PoolManager(timeout=10).request("GET", answer.headers["Location"], retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise SelfTestFailed(f"clients are sent to {store} for blobs, which does not answer from here: {error}") from error
        if sent.status != 200:
            raise SelfTestFailed(f"clients are sent to {store} for blobs, which answers {sent.status}: {sent.data[:200]!r}")
        return sent.data

    def _recorded(self, visitor: _Visitor, digest: str) -> None:
        path = f"/api/v2.0/projects/{visitor.project}/repositories/hello/artifacts/latest"
        deadline = time.monotonic() + _RECORDED_WITHIN
        while True:
            answer = self._request("GET", path, headers={"Authorization": _basic(visitor)})
            if answer.status == 200 and json.loads(answer.data)["digest"] == digest:
                return
            if time.monotonic() > deadline:
                raise SelfTestFailed(
                    f"the push was not recorded within {_RECORDED_WITHIN:.0f} s: the API answers {answer.status}"
                )
            time.sleep(0.05)

    def _expect(
        self, method: str, path: str, status: int, step: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        answer = self._request(method, path, body, headers)
        if answer.status != status:
            raise SelfTestFailed(
                f"{step}: {method} {path.partition('?')[0]} answered {answer.status}, not {status}: {answer.data[:200]!r}"
            )
        return answer

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        head = {"Host": self._settings.registry_host, "User-Agent": "tidegate-selftest"}
        if self._authorization:
            head["Authorization"] = self._authorization
        try:
            return self._pool.request(method, path, body=body, headers=head | (headers or {}), redirect=False, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise SelfTestFailed(f"{method} {path.partition('?')[0]}: {error}") from error


def left_overs() -> list[tuple[User, Sequence[Project]]]:
    """The users of runs that were killed, each with his projects. They have neither a password nor a source that they come from,
    unlike anybody else who may have such a name."""
    theirs = users.all_users().where(User.username.startswith(f"{NAME}-"), User.creation_time < utcnow() - _KILLED)
    nobodys = theirs.where(User.password_hash.is_(None), User.id.not_in(select(UserIdentity.user_id)))
    return [(user, _projects_of(user)) for user in db.session.scalars(nobodys.order_by(User.id)).all()]


def _projects_of(user: User) -> Sequence[Project]:
    return db.session.scalars(select(Project).where(Project.owner_id == user.id)).all()


def trouble(app: Flask, settings: Settings, at: str = "") -> str:
    """Run it (`at`: where nginx is, if not on this host), and note for `/health` what came of it; "" when all is well."""
    try:
        SelfTest(app, settings, at).run()
        found = ""
    except (SelfTestFailed, DomainError) as error:
        found = str(error)
    write_private(Layout(settings).selftest, json.dumps({"time": rfc3339(utcnow()), "trouble": found}))
    return found


def _pool(settings: Settings, at: str) -> urllib3.HTTPConnectionPool:
    """Connections to our own nginx, `at` a host or on this one, under the external name, wherever that name leads from here."""
    first = at or settings.listen_hosts[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)  # noqa: S104 - of all addresses one
    if not settings.tls:
        return urllib3.HTTPConnectionPool(host, settings.http_port, timeout=10)
    own = Layout(settings).ca_certificate
    name = urlsplit(settings.external_url).hostname
    return urllib3.HTTPSConnectionPool(
        host,
        settings.https_port,
        timeout=10,
        ca_certs=str(own) if settings.tls_certificate is None else None,
        server_hostname=name,
        assert_hostname=name,
    )


def _basic(visitor: _Visitor) -> str:
    return "Basic " + base64.b64encode(f"{visitor.username}:{visitor.token}".encode()).decode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
