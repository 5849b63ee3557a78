"""A client of the OCI distribution API (spec 1.1), for any `/v2`: manifests, tags, blobs and the catalog.

Absence is an answer (None, on a 404 only); everything else that is not a success is an error. Nobody may conclude from
an error that something is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from authsvc.core import origin
from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.distribution.manifest import ACCEPTED, MAX_BYTES
from authsvc.observability import tracing

_TIMEOUT = (3, 30)  # seconds to connect, seconds between bytes
# ENOSPC or EDQUOT, in words or as the number that registry 2.8 gives in its detail.
_NO_SPACE = re.compile(rb'no space left|quota exceeded|"Err":\s*(?:28|122)\b', re.IGNORECASE)
_SENT_ON = frozenset({302, 307})
_PAGE = 1000  # registry 2.8 refuses more
# Unexpected answers that say nothing about what was asked for: our token, its rate, what stands before it.
_OF_NOTHING = frozenset({401, 403, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as the registry stores it, with the digest of these very bytes."""

    data: bytes
    media_type: str
    digest: str


class Refused(BadRequest):
    """The registry answers, and will not take what was written; `status` and `body` are its own."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the registry refused with {status}: {body[:300].decode(errors='replace')}")
        self.status = status
        self.body = body


class Unreadable(Unavailable):
    """The registry answers, and cannot give this one thing, which it should have: its storage holds something damaged."""


class RegistryClient:
    """`authorize` turns scopes such as `repository:p/a:pull`, separated by spaces, into the value of the Authorization
    header."""

    def __init__(self, url: str, authorize: Callable[[str], str]) -> None:
        self._url = url.rstrip("/")
        self._authorize = authorize
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc from the environment

    def ping(self) -> None:
        """Ask whether it is there and knows us.

        Raises:
            Unavailable
        """
        response = self._get("/v2/", "registry:catalog:*")
        if response is not None:
            response.close()

    def manifest(self, repository: str, reference: str) -> Content | None:
        """GET a manifest by tag or digest; None if there is none.

        Raises:
            Unreadable: it has one that it cannot give, or bytes that are not what their digest says.
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._get(path, f"repository:{repository}:pull", ", ".join(ACCEPTED))
        if response is None:
            return None
        data = _bounded(response, MAX_BYTES)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if reference.startswith("sha256:") and reference != digest:
            raise Unreadable(f"what the registry has as {reference} is {digest}")
        return Content(data, response.headers.get("Content-Type", ""), digest)

    def digest_of(self, repository: str, reference: str) -> str | None:
        """HEAD a manifest: its digest, or None if there is none.

        Raises:
            Unreadable, Unavailable
        """
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._send("HEAD", path, f"repository:{repository}:pull", ", ".join(ACCEPTED))
        if response.status_code == 404:
            return None
        digest = response.headers.get("Docker-Content-Digest", "")
        if response.status_code != 200 or not digest:
            raise _unexpected(response, path)
        return digest

    def blob(self, repository: str, digest: str, limit: int) -> bytes | None:
        """A blob's bytes; None if it is gone or longer than `limit` bytes.

        Raises:
            Unreadable, Unavailable
        """
        response = self._get(f"/v2/{repository}/blobs/{digest}", f"repository:{repository}:pull")
        if response is None:
            return None
        if int(response.headers.get("Content-Length", 0)) > limit:
            response.close()
            return None
        return _bounded(response, limit)

    def blob_size(self, repository: str, digest: str) -> int | None:
        """HEAD a blob: its size in bytes, or None if there is none.

        Raises:
            Unreadable, Unavailable
        """
        path = f"/v2/{repository}/blobs/{digest}"
        response = self._send("HEAD", path, f"repository:{repository}:pull")
        if response.status_code == 404:
            return None
        size = response.headers.get("Content-Length", "")
        if response.status_code != 200 or not size.isdigit():
            raise _unexpected(response, path)
        return int(size)

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """PUT a manifest by tag or digest; returns its digest.

        Raises:
            Refused: the registry will not have it (a blob is missing, say).
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{reference}"
        self._write("PUT", path, _push(repository), 201, data=data, media_type=media_type)
        return "sha256:" + hashlib.sha256(data).hexdigest()

    def put_blob(self, repository: str, data: bytes) -> str:
        """Upload a blob that fits into memory; returns its digest.

        Raises:
            Refused, Unavailable
        """
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        started = self._write("POST", f"/v2/{repository}/blobs/uploads/", _push(repository), 202)
        target = urlsplit(urljoin(self._url, started.headers.get("Location", "")))
        query = f"{target.query}&" if target.query else ""
        path = f"{target.path}?{query}digest={digest}"
        self._write("PUT", path, _push(repository), 201, data=data, media_type="application/octet-stream")
        return digest

    def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Let a repository have a blob that another one has, with no byte copied; False if that one has it not.

        Raises:
            Refused, Unavailable
        """
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
        response = self._write("POST", path, f"{_push(repository)} repository:{source}:pull", 201, 202)
        if response.status_code == 202:  # an upload was begun instead; nobody will continue it
            location = urlsplit(urljoin(self._url, response.headers.get("Location", "")))
            self._send("DELETE", f"{location.path}?{location.query}", f"repository:{repository}:delete")
        return response.status_code == 201

    def delete(self, repository: str, digest: str) -> bool:
        """Delete a manifest and every tag on it; False if it is gone already.

        Raises:
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{digest}"
        response = self._send("DELETE", path, f"repository:{repository}:delete")
        if response.status_code not in (202, 404):
            raise _unexpected(response, path)
        return response.status_code == 202

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag the way registry 3 has for it, one that is gone already included; False where the registry
        deletes by digest only (2.8 answers 400, others 405).

        Raises:
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{tag}"
        response = self._send("DELETE", path, f"repository:{repository}:delete")
        if response.status_code not in (202, 404, 400, 405):
            raise _unexpected(response, path)
        return response.status_code in (202, 404)

    def tags(self, repository: str) -> list[str] | None:
        """All tags, or None if the registry does not know the repository.

        Raises:
            Unreadable, Unavailable: also when a page cannot be read; a partial list is never returned.
        """
        pages = self._pages(f"/v2/{repository}/tags/list?n={_PAGE}", f"repository:{repository}:pull")
        found: list[str] = []
        for page in pages:
            if page is None:
                return None
            found += page.get("tags") or []
        return found

    def repositories(self) -> Iterator[str]:
        """The catalog: every repository that ever existed.

        Raises:
            Unavailable
        """
        for page in self._pages(f"/v2/_catalog?n={_PAGE}", "registry:catalog:*"):
            yield from (page or {}).get("repositories") or []

    def _pages(self, path: str, scope: str) -> Iterator[dict[str, list[str]] | None]:
        while path:
            response = self._get(path, scope)
            if response is None:
                yield None
                return
            try:
                yield response.json()
            except requests.RequestException as error:
                raise Unavailable(f"the registry's answer to {path} cannot be read") from error
            following = response.links.get("next", {}).get("url", "")
            target = urlsplit(urljoin(self._url + path, following)) if following else None
            path = f"{target.path}?{target.query}" if target else ""

    def _get(self, path: str, scope: str, accept: str = "*/*") -> requests.Response | None:
        response = self._send("GET", path, scope, accept)
        if response.status_code == 200:
            return response
        with response:  # its body is not read, so its connection is of no more use
            if response.status_code == 404:
                return None
            raise _unexpected(response, path)

    def _write(
        self, method: str, path: str, scope: str, *expected: int, data: bytes | None = None, media_type: str = ""
    ) -> requests.Response:
        response = self._send(method, path, scope, data=data, media_type=media_type)
        if response.status_code in expected:
            return response
        if 400 <= response.status_code < 500 and response.status_code not in (401, 429):
            raise Refused(response.status_code, response.content)
        raise _unexpected(response, path)

    def _send(
        self, method: str, path: str, scope: str, accept: str = "*/*", *, data: bytes | None = None, media_type: str = ""
    ) -> requests.Response:
        must_be_free("asking the registry")
        headers = {"Authorization": self._authorize(scope), "Accept": accept, "User-Agent": _agent()}
        if media_type:
            headers["Content-Type"] = media_type
        response = self._request(method, self._url + path, headers, data)
        if response.status_code in _SENT_ON and method in ("GET", "HEAD") and "Location" in response.headers:
            response.close()
            # To where it stores its blobs, by an address that needs no credential; ours is not for others.
            return self._request(method, urljoin(self._url, response.headers["Location"]), {"User-Agent": _agent()})
        return response

    def _request(self, method: str, url: str, headers: dict[str, str], data: bytes | None = None) -> requests.Response:
        how: dict[str, Any] = {"timeout": _TIMEOUT, "stream": method == "GET", "allow_redirects": False}
        with tracing.asking(f"registry {method}", url_path=urlsplit(url).path):
            try:
                return self._session.request(method, url, headers=headers | tracing.carried(), data=data, **how)
            except requests.RequestException as error:
                raise Unavailable(f"the registry does not answer: {type(error).__name__}", retry_after=5) from error


def _agent() -> str:
    return origin.marked("tidegate", origin.current().request_id)


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _bounded(response: requests.Response, limit: int) -> bytes:
    data = bytearray()
    try:
        for chunk in response.iter_content(64 * 1024):
            data += chunk
            if len(data) > limit:
                raise Unreadable(f"what the registry has is longer than {limit} bytes")
    except requests.RequestException as error:
        raise Unavailable("the registry's answer broke off") from error
    return bytes(data)


def _unexpected(response: requests.Response, path: str) -> Unavailable:
    if response.status_code >= 500 and _NO_SPACE.search(response.content):
        return Unavailable("the registry's storage is full; an operator has to free or add space", retry_after=60)
    is_of_this = response.request.method in ("GET", "HEAD") and response.status_code not in _OF_NOTHING
    return (Unreadable if is_of_this else Unavailable)(f"the registry answered {response.status_code} to {path}")
