"""A client of the OCI distribution API (spec 1.1), for any `/v2`: manifests, tags, blobs and the catalog.

Absence is an answer (None, on a 404 only); everything else that is not a success is an error. Nobody may conclude from
an error that something is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from authsvc.core.errors import Unavailable
from authsvc.distribution.manifest import ACCEPTED, MAX_BYTES
from authsvc.distribution.transport import SILENT, Refused, Transport, Unreadable

__all__ = ["Content", "Refused", "RegistryClient", "Unreadable"]

_PAGE = 1000  # registry 2.8 refuses more
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as the registry stores it, with the digest of these very bytes."""

    data: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Described:
    """What a HEAD of a manifest tells: its digest, and of how many bytes and which type it is."""

    digest: str
    media_type: str
    size: int


class RegistryClient:
    """Of our own registry, or, with a `session` that is guarded and a `name`, of any other (see `Transport`)."""

    def __init__(
        self, url: str, authorize: Callable[[str], str], session: requests.Session | None = None, name: str = "the registry"
    ) -> None:
        self.transport = Transport(url, authorize, session, name)

    def ping(self) -> None:
        """Ask whether it is there and knows us.

        Raises:
            Unavailable
        """
        response = self.transport.get("/v2/", "registry:catalog:*")
        if response is not None:
            response.close()

    def manifest(self, repository: str, reference: str, *, patience: float = SILENT) -> Content | None:
        """GET a manifest by tag or digest, within `patience` seconds; None if there is none.

        Raises:
            Unreadable: it has one that it cannot give, or bytes that are not what their digest says.
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{reference}"
        response = self.transport.get(path, f"repository:{repository}:pull", ", ".join(ACCEPTED), patience=patience)
        if response is None:
            return None
        data = self.transport.bounded(response, MAX_BYTES)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if reference.startswith("sha256:") and reference != digest:
            raise Unreadable(f"what {self.transport.name} has as {reference} is {digest}")
        return Content(data, response.headers.get("Content-Type", ""), digest)

    def digest_of(self, repository: str, reference: str) -> str | None:
        """HEAD a manifest: its digest, or None if there is none.

        Raises:
            Unreadable, Unavailable
        """
        found = self.described(repository, reference)
        return found.digest if found is not None else None

    def described(self, repository: str, reference: str, *, patience: float = SILENT) -> Described | None:
        """HEAD a manifest, within `patience` seconds; None if there is none.

        Raises:
            Unreadable, Unavailable
        """
        path, accepted = f"/v2/{repository}/manifests/{reference}", ", ".join(ACCEPTED)
        response = self.transport.send("HEAD", path, f"repository:{repository}:pull", accepted, patience=patience)
        if response.status_code == 404:
            return None
        digest, size = response.headers.get("Docker-Content-Digest", ""), response.headers.get("Content-Length", "")
        if response.status_code != 200 or not digest:
            raise self.transport.unexpected(response, path)
        return Described(digest, response.headers.get("Content-Type", ""), int(size) if size.isdigit() else 0)

    def blob(self, repository: str, digest: str, limit: int) -> bytes | None:
        """A blob's bytes; None if it is gone or longer than `limit` bytes.

        Raises:
            Unreadable, Unavailable
        """
        response = self.transport.get(f"/v2/{repository}/blobs/{digest}", f"repository:{repository}:pull")
        if response is None:
            return None
        if int(response.headers.get("Content-Length", 0)) > limit:
            response.close()
            return None
        return self.transport.bounded(response, limit)

    def blob_size(self, repository: str, digest: str) -> int | None:
        """HEAD a blob: its size in bytes, or None if there is none.

        Raises:
            Unreadable, Unavailable
        """
        path = f"/v2/{repository}/blobs/{digest}"
        response = self.transport.send("HEAD", path, f"repository:{repository}:pull")
        if response.status_code == 404:
            return None
        size = response.headers.get("Content-Length", "")
        if response.status_code != 200 or not size.isdigit():
            raise self.transport.unexpected(response, path)
        return int(size)

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """PUT a manifest by tag or digest; returns its digest.

        Raises:
            Refused: the registry will not have it (a blob is missing, say).
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{reference}"
        self.transport.write("PUT", path, _push(repository), 201, data=data, media_type=media_type)
        return "sha256:" + hashlib.sha256(data).hexdigest()

    def put_blob(self, repository: str, data: bytes) -> str:
        """Upload a blob that fits into memory; returns its digest.

        Raises:
            Refused, Unavailable
        """
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        started = self.transport.write("POST", f"/v2/{repository}/blobs/uploads/", _push(repository), 202)
        path = _ending(self.transport.location(started), digest)
        self.transport.write("PUT", path, _push(repository), 201, data=data, media_type="application/octet-stream")
        return digest

    def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Let a repository have a blob that another one has, with no byte copied; False if that one has it not.

        Raises:
            Refused, Unavailable
        """
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
        response = self.transport.write("POST", path, f"{_push(repository)} repository:{source}:pull", 201, 202)
        if response.status_code == 202:  # an upload was begun instead; nobody will continue it
            self.transport.send("DELETE", self.transport.location(response), f"repository:{repository}:delete")
        return response.status_code == 201

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]] | None:
        """The descriptors of what names a digest as its subject; None if the registry has no referrers API.

        Raises:
            Unreadable, Unavailable
        """
        path = f"/v2/{repository}/referrers/{digest}"
        found: list[dict[str, Any]] = []
        for page in self._pages(path, f"repository:{repository}:pull"):
            if page is None:
                return None
            found += _objects(page.get("manifests"))
        return found

    def delete(self, repository: str, digest: str) -> bool:
        """Delete a manifest and every tag on it; False if it is gone already.

        Raises:
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{digest}"
        response = self.transport.send("DELETE", path, f"repository:{repository}:delete")
        if response.status_code not in (202, 404):
            raise self.transport.unexpected(response, path)
        return response.status_code == 202

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag the way registry 3 has for it, one that is gone already included; False where the registry
        deletes by digest only (2.8 answers 400, others 405).

        Raises:
            Unavailable
        """
        path = f"/v2/{repository}/manifests/{tag}"
        response = self.transport.send("DELETE", path, f"repository:{repository}:delete")
        if response.status_code not in (202, 404, 400, 405):
            raise self.transport.unexpected(response, path)
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
            found += _texts(page.get("tags"))
        return found

    def repositories(self) -> Iterator[str]:
        """The catalog: every repository that ever existed.

        Raises:
            Unavailable
        """
        for page in self._pages(f"/v2/_catalog?n={_PAGE}", "registry:catalog:*"):
            yield from _texts((page or {}).get("repositories"))

    def _pages(self, path: str, scope: str) -> Iterator[dict[str, Any] | None]:
        for _ in range(_MOST_PAGES):
            response = self.transport.get(path, scope)
            if response is None:
                yield None
                return
            page = self.transport.json_of(response)
            if not isinstance(page, dict):
                raise Unavailable(f"the answer of {self.transport.name} to {path.partition('?')[0]} cannot be read")
            yield page
            following = response.links.get("next", {}).get("url", "")
            if not following:
                return
            target = urlsplit(urljoin(self.transport.url + path, following))
            path = f"{target.path}?{target.query}"
        raise Unavailable(f"{self.transport.name} comes to no end with {path.partition('?')[0]}")


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _ending(upload: str, digest: str) -> str:
    return f"{upload}{'&' if '?' in upload else '?'}digest={digest}"
