"""A client of the OCI distribution API (spec 1.1), for any `/v2`: reading manifests, tags, blobs and the catalog.

Absence is an answer (None, on a 404 only); everything else that is not a success is an error. Nobody may conclude from
an error that something is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from authsvc.core.errors import Unavailable
from authsvc.distribution.manifest import ACCEPTED, MAX_BYTES

_TIMEOUT = (3, 30)  # seconds to connect, seconds between bytes
_PAGE = 1000  # registry 2.8 refuses more


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as the registry stores it, with the digest of these very bytes."""

    data: bytes
    media_type: str
    digest: str


class RegistryClient:
    """`authorize` turns a scope such as `repository:p/a:pull` into the value of the Authorization header."""

    def __init__(self, url: str, authorize: Callable[[str], str]) -> None:
        self._url = url.rstrip("/")
        self._authorize = authorize
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc from the environment

    def manifest(self, repository: str, reference: str) -> Content | None:
        """GET a manifest by tag or digest; None if there is none.

        Raises:
            Unavailable: no answer, an unexpected one, or bytes that are not what their digest says.
        """
        response = self._get(repository, f"/v2/{repository}/manifests/{reference}", accept=", ".join(ACCEPTED))
        if response is None:
            return None
        data = _bounded(response, MAX_BYTES)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if reference.startswith("sha256:") and reference != digest:
            raise Unavailable(f"the registry answered {digest} for {repository}@{reference}")
        return Content(data, response.headers.get("Content-Type", ""), digest)

    def digest_of(self, repository: str, reference: str) -> str | None:
        """HEAD a manifest: its digest, or None if there is none.

        Raises:
            Unavailable
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
            Unavailable
        """
        response = self._get(repository, f"/v2/{repository}/blobs/{digest}")
        if response is None or int(response.headers.get("Content-Length", 0)) > limit:
            return None
        return _bounded(response, limit)

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest and every tag on it; one that is gone already is no error.

        Raises:
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{digest}"
        response = self._send("DELETE", path, f"repository:{repository}:delete")
        if response.status_code not in (202, 404):
            raise _unexpected(response, path)

    def tags(self, repository: str) -> list[str] | None:
        """All tags, or None if the registry does not know the repository.

        Raises:
            Unavailable: also when a page cannot be read; a partial list is never returned.
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
            response = self._send("GET", path, scope)
            if response.status_code == 404:
                yield None
                return
            try:
                if response.status_code != 200:
                    raise _unexpected(response, path)
                yield response.json()
            except requests.RequestException as error:
                raise Unavailable(f"the registry's answer to {path} cannot be read") from error
            following = response.links.get("next", {}).get("url", "")
            target = urlsplit(urljoin(self._url + path, following)) if following else None
            path = f"{target.path}?{target.query}" if target else ""

    def _get(self, repository: str, path: str, accept: str = "*/*") -> requests.Response | None:
        response = self._send("GET", path, f"repository:{repository}:pull", accept)
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise _unexpected(response, path)
        return response

    def _send(self, method: str, path: str, scope: str, accept: str = "*/*") -> requests.Response:
        headers = {"Authorization": self._authorize(scope), "Accept": accept, "User-Agent": "tidegate"}
        try:
            return self._session.request(
                method, self._url + path, headers=headers, timeout=_TIMEOUT, stream=method == "GET", allow_redirects=False
            )
        except requests.RequestException as error:
            raise Unavailable(f"the registry does not answer: {type(error).__name__}", retry_after=5) from error


def _bounded(response: requests.Response, limit: int) -> bytes:
    data = bytearray()
    try:
        for chunk in response.iter_content(64 * 1024):
            data += chunk
            if len(data) > limit:
                raise Unavailable(f"the registry's answer is longer than {limit} bytes")
    except requests.RequestException as error:
        raise Unavailable("the registry's answer broke off") from error
    return bytes(data)


def _unexpected(response: requests.Response, path: str) -> Unavailable:
    return Unavailable(f"the registry answered {response.status_code} to {path}")
