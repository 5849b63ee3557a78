"""Requests to an OCI distribution API (spec 1.1), and what its answers mean before anybody reads them.

Absence is an answer; everything else that is not a success is an error. Nobody may conclude from an error that something is gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from authsvc.core import connections, origin
from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.observability import tracing

_CONNECT, SILENT = 3, 30  # seconds to connect, and between bytes
# ENOSPC or EDQUOT, in words or as the number that registry 2.8 gives in its detail.
_NO_SPACE = re.compile(rb'no space left|quota exceeded|"Err":\s*(?:28|122)\b', re.IGNORECASE)
_SENT_ON = frozenset({301, 302, 303, 307, 308})
# Unexpected answers that say nothing about what was asked for: our token, its rate, what stands before it.
_OF_NOTHING = frozenset({401, 403, 429, 502, 503, 504})
_MAX_JSON = 32 * 1024 * 1024
_LONGEST_PAUSE = 3600  # seconds that a registry may ask us to wait
# A connection may break, and its guard refuse it.
FAILURES = (requests.RequestException, HTTPError, OSError, connections.Refused)


class Refused(BadRequest):
    """The registry answers, and will not take what was written; `status` and `body` are its own."""

    def __init__(self, status: int, body: bytes, name: str = "the registry") -> None:
        super().__init__(f"{name} refused with {status}: {body[:300].decode(errors='replace')}")
        self.status = status
        self.body = body


class Unreadable(Unavailable):
    """The registry answers, and cannot give this one thing, which it should have: its storage holds something damaged."""


class Unexpected(Unavailable):
    """The registry answers with a status that says nothing about what was asked for: it does not know us, or has no time."""

    def __init__(self, message: str, status: int, *, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class Transport:
    """`authorize` turns scopes such as `repository:p/a:pull`, separated by spaces, into the value of the Authorization
    header; `name`: what errors call the registry; `session`: with what guards it needs."""

    def __init__(
        self, url: str, authorize: Callable[[str], str], session: requests.Session | None = None, name: str = "the registry"
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name
        self._authorize = authorize
        self._session = session or requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc from the environment

    def get(
        self,
        path: str,
        scope: str,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        *,
        patience: float = SILENT,
    ) -> Any:
        """The answer to a GET that succeeded, within `patience` seconds; None for a 404.

        Raises:
            Unreadable, Unavailable
        """
        response = self.send("GET", path, scope, accept, headers=headers, patience=patience)
        if response.status_code in (200, 206):
            return response
        with response:  # its body is not read, so its connection is of no more use
            if response.status_code == 404:
                return None
            raise self.unexpected(response, path)

    def write(self, method: str, path: str, scope: str, *expected: int, **what: Any) -> requests.Response:
        """The answer to what changes something, with one of the expected statuses.

        Raises:
            Refused, Unavailable
        """
        response = self.send(method, path, scope, **what)
        if response.status_code in expected:
            return response
        if 400 <= response.status_code < 500 and response.status_code not in (401, 429):
            raise Refused(response.status_code, response.content, self.name)
        raise self.unexpected(response, path)

    def send(
        self,
        method: str,
        path: str,
        scope: str,
        accept: str = "*/*",
        *,
        data: bytes | Iterable[bytes] | None = None,
        media_type: str = "",
        headers: Mapping[str, str] | None = None,
        patience: float = SILENT,
    ) -> requests.Response:
        """Whatever is answered, within `patience` seconds; a blob that is stored elsewhere is read there.

        Raises:
            Unavailable: nobody answers.
        """
        must_be_free("asking the registry")
        own = dict(headers or {}) | {"User-Agent": _agent()}
        sent = own | {"Authorization": self._authorization(scope), "Accept": accept}
        if media_type:
            sent["Content-Type"] = media_type
        response = self._request(method, self.url + path, sent, data, patience)
        if response.status_code in _SENT_ON and method in ("GET", "HEAD") and "Location" in response.headers:
            response.close()
            # To where it stores its blobs, by an address that needs no credential; ours is not for others.
            return self._request(method, urljoin(self.url, response.headers["Location"]), own)
        return response

    def _authorization(self, scope: str) -> str:
        try:
            return self._authorize(scope)
        except Unexpected as error:
            raise Unexpected(f"{self.name}: {error.message}", error.status, retry_after=error.retry_after) from None
        except Unavailable as error:
            raise Unavailable(f"{self.name}: {error.message}", retry_after=error.retry_after) from None
        except FAILURES as error:
            raise self._silent(error) from error

    def location(self, response: requests.Response) -> str:
        """The path, with its query, that an answer sends us to."""
        target = urlsplit(urljoin(self.url, response.headers.get("Location", "")))
        return f"{target.path}?{target.query}" if target.query else target.path

    def _request(
        self, method: str, url: str, headers: dict[str, str], data: Any = None, patience: float = SILENT
    ) -> requests.Response:
        how: dict[str, Any] = {"timeout": (_CONNECT, patience), "stream": method == "GET", "allow_redirects": False}
        headers = {name: value for name, value in headers.items() if value}
        with tracing.asking(f"registry {method}", url_path=urlsplit(url).path):
            try:
                return self._session.request(method, url, headers=headers | tracing.carried(), data=data, **how)
            except FAILURES as error:
                raise self._silent(error) from error

    def _silent(self, error: BaseException) -> Unavailable:
        if isinstance(error, connections.Refused):
            return Unavailable(f"{self.name}: {error}", retry_after=60)
        return Unavailable(f"{self.name} does not answer: {type(error).__name__}", retry_after=5)

    def bounded(self, response: requests.Response, limit: int) -> bytes:
        """A whole body.

        Raises:
            Unreadable: it is longer than `limit` bytes.
            Unavailable: it broke off.
        """
        data = bytearray()
        try:
            for chunk in response.iter_content(64 * 1024):
                data += chunk
                if len(data) > limit:
                    raise Unreadable(f"what {self.name} has is longer than {limit} bytes")
        except FAILURES as error:
            raise Unavailable(f"the answer of {self.name} broke off") from error
        return bytes(data)

    def json_of(self, response: requests.Response) -> Any:
        """A whole body that is JSON.

        Raises:
            Unreadable: it is longer than any such answer.
            Unavailable: it broke off, or is none.
        """
        body = self.bounded(response, _MAX_JSON)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            path = urlsplit(response.url).path
            raise Unavailable(f"the answer of {self.name} to {path} cannot be read") from None

    def unexpected(self, response: requests.Response, path: str) -> Unavailable:
        """What an answer means that is none of those which can be expected."""
        status = response.status_code
        if status >= 500 and _NO_SPACE.search(response.content):
            return Unavailable(f"the storage of {self.name} is full; an operator has to free or add space", retry_after=60)
        is_of_this = response.request.method in ("GET", "HEAD") and status not in _OF_NOTHING
        pause = response.headers.get("Retry-After", "")
        later = min(int(pause), _LONGEST_PAUSE) if pause.isascii() and pause.isdigit() else None
        said = f"{self.name} answered {status} to {path.partition('?')[0]}"
        return Unreadable(said, retry_after=later) if is_of_this else Unexpected(said, status, retry_after=later)


def _agent() -> str:
    return origin.marked("tidegate", origin.current().request_id)
