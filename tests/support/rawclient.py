"""A registry client of few lines, for what real clients do not let one do: exact requests, many at once, retries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, digest_of
from tests.support.stack import Stack


@dataclass
class RawClient:
    """Speaks for one user (None: for nobody) through nginx."""

    stack: Stack
    auth: tuple[str, str] | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.verify = str(self.stack.ca)
        self.session.trust_env = False

    def token(self, scope: str) -> str:
        answer = self.session.get(
            f"{self.stack.url}/service/token",
            params={"service": "harbor-registry", "scope": scope},
            auth=self.auth or _Anonymous(),
            timeout=30,
        )
        if answer.status_code != 200:
            raise Refused(answer)
        return str(answer.json()["token"])

    def request(self, method: str, path: str, scope: str = "", *, token: str = "", **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if scope or token:
            headers["Authorization"] = f"Bearer {token or self.token(scope)}"
        return self.session.request(
            method, f"{self.stack.url}{path}", headers=headers, timeout=60, allow_redirects=False, auth=_Anonymous(), **options
        )

    def upload(self, repository: str, data: bytes, media_type: str, token: str) -> dict[str, Any]:
        started = self.request("POST", f"/v2/{repository}/blobs/uploads/", token=token)
        _expect(started, 202)
        location = urljoin(self.stack.url, started.headers["Location"]).removeprefix(self.stack.url)
        _expect(self.request("PUT", location, token=token, params={"digest": digest_of(data)}, data=data), 201)
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def image(self, repository: str, content: str, token: str) -> bytes:
        """Upload the blobs of a tiny image that differs by `content`; returns its manifest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "author": content}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.upload(repository, config, CONFIG_TYPE, token),
            "layers": [self.upload(repository, f"layer {content}".encode(), LAYER_TYPE, token)],
        }
        return json.dumps(manifest).encode()

    def push(self, repository: str, tag: str, content: str = "x", token: str = "") -> str:
        """Push a tiny image that differs by `content`; returns its digest. A refusal raises `Refused`."""
        token = token or self.token(f"repository:{repository}:pull,push")
        data = self.image(repository, content, token)
        path = f"/v2/{repository}/manifests/{tag}"
        _expect(self.request("PUT", path, token=token, data=data, headers={"Content-Type": OCI_MANIFEST}), 201)
        return digest_of(data)

    def manifest(self, repository: str, reference: str, method: str = "GET", token: str = "") -> requests.Response:
        scope = "" if token else f"repository:{repository}:pull"
        return self.request(
            method, f"/v2/{repository}/manifests/{reference}", scope, token=token, headers={"Accept": OCI_MANIFEST}
        )

    def delete(self, repository: str, digest: str) -> requests.Response:
        return self.request("DELETE", f"/v2/{repository}/manifests/{digest}", f"repository:{repository}:delete")


class Refused(Exception):
    """The registry or the token server said no; `status` says how."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"{answer.request.method} {answer.request.path_url}: {answer.status_code} {answer.text[:300]}")
        self.status = answer.status_code


class _Anonymous(requests.auth.AuthBase):
    """Keeps requests from looking for credentials elsewhere."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _expect(answer: requests.Response, status: int) -> None:
    if answer.status_code != status:
        raise Refused(answer)
