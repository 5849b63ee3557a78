"""The Authorization header for what is asked of a remote registry, learnt from its challenge.

Source: distribution "Token Authentication Specification"; RFC 9110, 11.6.1. Errors never hold a secret.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from authsvc.core.errors import Unavailable
from authsvc.distribution.challenge import Challenge, parse_challenge
from authsvc.distribution.transport import Unexpected
from authsvc.registries import providers

_TIMEOUT = (3.0, 10.0)  # seconds to connect, seconds between bytes
_MAX_ANSWER = 256 * 1024
_MAX_TOKEN = 64 * 1024
_SHORTEST = 60  # seconds that a token is good for if nobody says more (the specification's)
_MARGIN = 10  # seconds before its end at which another one is asked for
_MOST = 1000  # tokens that are kept


class Login:
    """Of one registry, for one session. `auth`: name and secret, if there are any."""

    def __init__(self, session: requests.Session, kind: str, url: str, auth: tuple[str, str] | None) -> None:
        self._session, self._kind, self._url, self._auth = session, kind, f"{url}/v2/", auth
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._tokens: dict[str, tuple[str, float]] = {}

    def __call__(self, scope: str) -> str:
        """The header for these scopes, separated by spaces; "": none is wanted.

        Raises:
            Unavailable: the registry does not take the credentials, or is none.
        """
        with self._lock:
            if self._challenge is None:
                self._challenge = self._greet()
        match self._challenge.scheme:
            case "":
                return ""
            case "basic":
                return self._basic()
            case "bearer":
                return self._bearer(scope)
        raise Unavailable("it asks for a login of a kind that we do not know")

    def require(self) -> None:
        """Ask whether it takes what we have.

        Raises:
            Unavailable, or one of `outgoing.FAILURES`
        """
        header = self("")
        if header:
            with self._get(self._url, {"Authorization": header}) as response:
                if response.status_code != 200:
                    what = "token that it gave" if header.startswith("Bearer ") else "credentials"
                    raise Unavailable(f"it does not take the {what} ({response.status_code})")

    def _greet(self) -> Challenge:
        with self._get(self._url, {}) as response:
            if response.status_code == 200:
                return Challenge("")
            if response.status_code != 401:
                raise Unavailable(f"it answers {response.status_code} to GET /v2/")
            return parse_challenge(response.headers.get("WWW-Authenticate", ""))

    def _basic(self) -> str:
        if self._auth is None:
            raise Unavailable("it asks for a name and a secret")
        return basic(self._auth)

    def _bearer(self, scope: str) -> str:
        known = self._tokens.get(scope)
        if known is None or known[1] < time.monotonic():
            known = self._ask(scope)
            if len(self._tokens) >= _MOST:
                self._tokens.clear()
            self._tokens[scope] = known
        return known[0]

    def _ask(self, scope: str) -> tuple[str, float]:
        assert self._challenge is not None  # noqa: S101 - it sent us here
        here, realm = urlsplit(self._url), urlsplit(self._challenge.realm)
        if not providers.may_give_tokens(self._kind, here.netloc, realm.netloc) or realm.scheme != here.scheme:
            raise Unavailable(f"it sends us for a token to {realm.netloc[:100]}, which is another host")
        question = [("service", self._challenge.service)] if self._challenge.service else []
        question += [("scope", one) for one in scope.split(" ") if one]
        begun = time.monotonic()
        with self._get(f"{self._challenge.realm}?{urlencode(question)}", {}, self._auth) as response:
            status, body = response.status_code, response.raw.read(_MAX_ANSWER, decode_content=True)
        if status == 429:
            raise Unexpected("it says that we ask too often for tokens (429)", status, retry_after=60)
        if status != 200:
            raise Unexpected(f"it does not take the credentials ({status})", status)
        answer = _object(body)
        token, seconds = str(answer.get("token") or answer.get("access_token") or ""), answer.get("expires_in")
        if not token or len(token) > _MAX_TOKEN or not token.isascii() or not token.isprintable():
            raise Unavailable("it answers no token")
        lifetime = seconds if isinstance(seconds, int) and 0 < seconds < 10**6 else _SHORTEST
        return f"Bearer {token}", begun + max(1, lifetime - _MARGIN)

    def _get(self, url: str, headers: dict[str, str], auth: tuple[str, str] | None = None) -> requests.Response:
        named = headers | {"User-Agent": "tidegate", "Accept": "application/json"}
        return self._session.get(url, headers=named, auth=auth, timeout=_TIMEOUT, allow_redirects=False, stream=True)


def basic(auth: tuple[str, str] | None) -> str:
    """The header for a name and a secret (RFC 7617); "" without them."""
    return "Basic " + b64encode(":".join(auth).encode()).decode() if auth else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
