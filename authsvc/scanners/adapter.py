"""A scanner as it is asked, by Harbor's Pluggable Scanner API 1.2: what it is, scan this, is the report there?

What it answers is bounded in size and time, and is not to be packed: nobody knows how large it would become. Errors name the
scanner's address and never its credential.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import requests

from authsvc.core import connections, outgoing
from authsvc.core.errors import Unavailable
from authsvc.scanners import rules
from authsvc.scanners.rules import VULNERABILITY, Metadata, Report

NONE, BASIC, BEARER, API_KEY = AUTHS = ("", "Basic", "Bearer", "X-ScannerAdapter-API-Key")
_METADATA = "application/vnd.scanner.adapter.metadata+json; version=1.1"
_REQUEST = "application/vnd.scanner.adapter.scan.request+json; version=1.1"
_RESPONSE = "application/vnd.scanner.adapter.scan.response+json; version=1.1"

_SMALL = 1024 * 1024  # bytes of an answer that is no report
_LARGEST = 128 * 1024 * 1024  # bytes of a report
_PIECE = 256 * 1024
_TIMEOUT = (3.0, 20.0)  # seconds to connect, and between two pieces: a report may be written while it is asked for
_SHORT, _LONG = 25.0, 300.0  # seconds for the whole of an answer
_SHORTEST_WAIT, _LONGEST_WAIT = 1, 30  # seconds after which a report is asked for again
_MAX_SAID = 300  # characters of an error that are repeated


class Broken(Unavailable):
    """The scanner says that the scan has failed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a scanner is, and how it is asked; `auth` is one of `AUTHS`."""

    url: str
    auth: str = NONE
    credential: str = field(default="", repr=False)
    verify: bool = True

    @property
    def headers(self) -> dict[str, str]:
        match self.auth:
            case "Basic":
                return {"Authorization": "Basic " + b64encode(self.credential.encode()).decode()}
            case "Bearer":
                return {"Authorization": f"Bearer {self.credential}"}
            case "X-ScannerAdapter-API-Key":
                return {API_KEY: self.credential}
        return {}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be scanned: where it is pulled from, by which Authorization, and the manifest there. `size` in bytes."""

    registry: str
    authorization: str = field(repr=False)
    repository: str
    digest: str
    media_type: str
    size: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The report is not there yet: ask again in so many `seconds`."""

    seconds: int


class Adapter:
    """One scanner. `keep_going` is called while a long answer comes."""

    def __init__(self, endpoint: Endpoint, networks: Sequence[str], keep_going: Callable[[], None] = lambda: None) -> None:
        self._endpoint = endpoint
        self._networks = networks
        self._keep_going = keep_going

    def metadata(self) -> Metadata:
        """What it says of itself.

        Raises:
            Unavailable: it does not answer, or is none.
        """
        with self._asked("GET", "/api/v1/metadata", _METADATA) as response:
            return rules.parse_metadata(self._json(response, 200))

    def scan(self, target: Target, report: str) -> str:
        """Let it begin; returns the id of the scan.

        Raises:
            Unavailable: it does not begin.
        """
        artifact = {
            "repository": target.repository,
            "digest": target.digest,
            "mime_type": target.media_type,
            "size": target.size,
        }
        wanted = {
            "registry": {"url": target.registry, "authorization": target.authorization},
            "artifact": artifact | ({"tag": target.tag} if target.tag else {}),
            "enabled_capabilities": [{"type": VULNERABILITY, "produces_mime_types": [report]}],
        }
        with self._asked("POST", "/api/v1/scan", _RESPONSE, orjson.dumps(wanted)) as response:
            return rules.parse_scan(self._json(response, 200, 202))

    def report(self, scan_id: str, report: str, now: datetime) -> Report | Later:
        """What it found, if it is ready.

        Raises:
            Broken: it failed.
            Unavailable: it does not answer, or knows nothing of the scan.
        """
        with self._asked("GET", f"/api/v1/scan/{scan_id}/report", report) as response:
            if response.status_code in (302, 307):  # it is said by a redirect to itself, which nobody follows
                said = response.headers.get("Refresh-After", "")
                wait = int(said) if said.isdecimal() and len(said) < 6 else _SHORTEST_WAIT
                return Later(min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT))
            if response.status_code == 500:
                raise Broken(f"the scan has failed{self._said(response)}")
            return rules.parse_report(self._json(response, 200, most=_LARGEST), now)

    @contextmanager
    def _asked(self, method: str, path: str, accept: str, body: bytes | None = None) -> Iterator[requests.Response]:
        endpoint = self._endpoint
        headers = endpoint.headers | {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "tidegate"}
        if body is not None:
            headers["Content-Type"] = _REQUEST
        seconds = _LONG if path.endswith("/report") else _SHORT
        try:
            with (
                outgoing.session(self._networks, verify=endpoint.verify, seconds=seconds) as session,
                session.request(
                    method, endpoint.url + path, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
                ) as response,
            ):
                if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                    raise Unavailable("the scanner packs what it answers, although it was asked not to")
                yield response
        except connections.Refused as error:
            raise Unavailable(f"the scanner: {error}", retry_after=60) from None
        except outgoing.FAILURES as error:
            raise Unavailable(f"the scanner at {endpoint.url} cannot be asked ({type(error).__name__})", retry_after=10) from None

    def _json(self, response: requests.Response, *statuses: int, most: int = _SMALL) -> Any:
        if response.status_code not in statuses:
            raise Unavailable(f"the scanner answered {response.status_code}{self._said(response)}", retry_after=10)
        read, asked = bytearray(), time.monotonic()
        for piece in response.raw.stream(_PIECE, decode_content=False):
            read += piece
            if len(read) > most:
                raise Unavailable(f"the scanner answered more than {most // 1024 // 1024} MiB")
            if time.monotonic() - asked > 1:
                self._keep_going()
                asked = time.monotonic()
        try:
            return json.loads(read)  # which takes half a surrogate pair, as scanners cut descriptions
        except (ValueError, RecursionError):
            raise Unavailable("the scanner answers no JSON that can be read") from None

    @staticmethod
    def _said(response: requests.Response) -> str:
        return _message(response.raw.read(_SMALL) or b"")


def _message(body: bytes) -> str:
    """What an error says, as far as it can be shown."""
    try:
        said: Mapping[str, Any] = orjson.loads(body)
        message = said["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    shown = "".join(char if char.isprintable() else " " for char in str(message))[:_MAX_SAID]
    return f": {shown}" if shown.strip() else ""
