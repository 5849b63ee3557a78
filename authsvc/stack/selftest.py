"""The proof that the whole path works: a real login, push, pull and recorded event, through nginx, as any client does them.

It uses a user and a private project of its own and takes both away again.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from flask import Flask
from sqlalchemy import select

from authsvc.core.db import db, transaction
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.challenge import parse_challenge
from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.passwords import choose

NAME = "tidegate-selftest"
_RECORDED_WITHIN = 10.0


class SelfTestFailed(Exception):
    """The path is broken; the text says at which step, and what came instead."""


@dataclass(frozen=True, slots=True)
class _Visitor:
    user_id: int
    username: str
    password: str


class SelfTest:
    """One run against the running stack."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._repository = f"{NAME}/hello"
        self._pool = _pool(settings)
        self._authorization = ""

    def run(self) -> None:
        """Prove the path.

        Raises:
            SelfTestFailed
        """
        visitor = self._arrive()
        try:
            self._login(visitor)
            digest, layer = self._push()
            self._pull(digest, layer)
            self._recorded(visitor, digest)
        finally:
            self._leave(visitor)

    def _arrive(self) -> _Visitor:
        suffix, password = secrets.token_hex(4), secrets.token_urlsafe(18)
        chosen = choose(password)
        with self._app.app_context(), transaction():
            user = users.create("tidegate:selftest", username=f"{NAME}-{suffix}", password=chosen)
            left_over = db.session.scalar(select(Project).where(Project.name == NAME))  # by a run that was killed
            if left_over is None:
                projects.create("tidegate:selftest", user.id, NAME)
            else:
                members.add("tidegate:selftest", left_over, user, Role.PROJECT_ADMIN)
            return _Visitor(user.id, user.username, password)

    def _leave(self, visitor: _Visitor) -> None:
        basic = {"Authorization": _basic(visitor)}
        self._request("DELETE", f"/api/v2.0/projects/{NAME}/repositories/hello", headers=basic)
        self._request("DELETE", f"/api/v2.0/projects/{NAME}", headers=basic)
        with self._app.app_context(), transaction():
            users.delete("tidegate:selftest", users.get(visitor.user_id))

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
        answer = self._expect("GET", f"/v2/{self._repository}/blobs/{layer}", 200, "pulling the blob")
        if _digest(answer.data) != layer:
            raise SelfTestFailed("the pulled blob is not the pushed one")

    def _recorded(self, visitor: _Visitor, digest: str) -> None:
        path = f"/api/v2.0/projects/{NAME}/repositories/hello/artifacts/latest"
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


def _pool(settings: Settings) -> urllib3.HTTPConnectionPool:
    """Connections to our own nginx under the external name, wherever that name leads from here."""
    host = "127.0.0.1" if settings.listen_address in ("0.0.0.0", "::") else settings.listen_address  # noqa: S104
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
    return "Basic " + base64.b64encode(f"{visitor.username}:{visitor.password}".encode()).decode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
