"""Requests that we make to others because somebody configured their address: providers, issuers, remote registries, webhooks.

Such an address may be made up to reach what only we can reach, so connections are guarded (`core.connections`); no redirect is
followed, no proxy taken from the environment, and answers are bounded in time and size.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from authsvc.core.connections import TIMEOUT, Adapter, Refused, allowed
from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, Unavailable

_TOTAL = 10.0  # seconds for all of it
_MAX_ANSWER = 1024 * 1024
_MAX_SAID = 64 * 1024  # of an answer that only says whether all is well

# An answer may break off, be no JSON, or nest without end.
FAILURES = (requests.RequestException, HTTPError, OSError, ValueError, RecursionError)


class Answered(Unavailable):
    """An answer with another status than 200; `said`: the JSON object in it, if there is one."""

    def __init__(self, message: str, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(message, retry_after=10)
        self.status = status
        self.said = said


def check_url(name: str, url: str, networks: Sequence[str]) -> str:
    """An address that somebody configures for us to send requests to, without a slash at its end.

    A host given as number, in whatever form, is checked here; a name when a connection is made, each time, since what it stands
    for can change (and so that asking us tells nobody what our name servers know).

    Raises:
        BadRequest: it is no http or https address, holds a user or a fragment, or is one that requests may not go to.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadRequest(f"{name} is not an address") from None
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\<>\"'`{}|^")
    if parts.scheme not in ("http", "https") or not host or not plain or "@" in parts.netloc or parts.fragment or len(url) > 512:
        raise BadRequest(f"{name} must look like https://registry.example.com, with no user, blanks or fragment in it")
    if not _may_be_allowed(host, networks):
        raise BadRequest(f"{name}: requests may not go to {host}; TIDEGATE_OUTGOING_ALLOW can allow it")
    return url.rstrip("/")


def _may_be_allowed(host: str, networks: Sequence[str]) -> bool:
    """False for an address in numbers (`127.1`, `0x7f000001`, `[::1]`, ...) or a name of this host that is not allowed."""
    bare = host.rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return allowed("127.0.0.1", networks)
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True
    return all(allowed(str(address[0]), networks) for *_, address in found)


@contextmanager
def lasting_session(networks: Sequence[str], *, verify: bool = True, ca: str = "") -> Iterator[requests.Session]:
    """A guarded session for what takes its time, such as copying images; who uses it says when to stop."""
    with requests.Session() as made:
        made.trust_env = False
        adapter = Adapter(networks, verify, ca, is_bounded=False)
        made.mount("https://", adapter)
        made.mount("http://", adapter)
        yield made


@contextmanager
def session(networks: Sequence[str], *, verify: bool = True, ca: str = "", seconds: float = _TOTAL) -> Iterator[requests.Session]:
    """A guarded session, which ends after so many seconds: timeouts are for single pieces, and who sends one now and then would
    hold us for ever. `ca`: certificates in PEM, besides the system's. Whatever goes wrong is one of `FAILURES`."""
    must_be_free("asking somebody else")
    adapter = Adapter(networks, verify, ca)
    timer = threading.Timer(seconds, adapter.hang_up)
    timer.daemon = True
    with requests.Session() as made:
        made.trust_env = False
        made.mount("https://", adapter)
        made.mount("http://", adapter)
        timer.start()
        try:
            yield made
        finally:
            timer.cancel()


def ask_json(
    method: str,
    url: str,
    networks: Sequence[str],
    *,
    data: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    verify: bool = True,
    ca: str = "",
) -> Any:
    """The JSON of an answer with status 200.

    Raises:
        Answered: with another status.
        Unavailable: not reached, refused by the guard, too slow, too large, or no JSON; without secrets.
    """
    try:
        with (
            session(networks, verify=verify, ca=ca) as sent_by,
            sent_by.request(
                method, url, data=data, auth=auth, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as response,
        ):
            body = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
            if response.status_code != 200:
                raise Answered(f"{_where(url)} answered {response.status_code}", response.status_code, _object_in(body))
            if len(body) > _MAX_ANSWER:
                raise Unavailable(f"{_where(url)} answered too much", retry_after=10)
            return json.loads(body)
    except Refused as error:
        raise Unavailable(f"{_where(url)}: {error}", retry_after=60) from None
    except FAILURES as error:
        raise Unavailable(f"{_where(url)} cannot be asked ({type(error).__name__})", retry_after=10) from None


def post(url: str, networks: Sequence[str], body: bytes, headers: Mapping[str, str], *, verify: bool = True) -> tuple[int, bytes]:
    """Status and the first part of an answer.

    Raises:
        Refused: requests may not go there.
        Unavailable: not reached, or too slow. It names the host alone: the rest of such an address may be all that it takes to
            write there.
    """
    try:
        with (
            session(networks, verify=verify) as sent_by,
            sent_by.post(url, data=body, headers=dict(headers), timeout=TIMEOUT, allow_redirects=False, stream=True) as response,
        ):
            return response.status_code, response.raw.read(_MAX_SAID, decode_content=True)
    except FAILURES as error:
        raise Unavailable(f"{urlsplit(url).hostname} cannot be asked ({type(error).__name__})", retry_after=10) from None


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _where(url: str) -> str:
    return url.partition("?")[0][:200]
