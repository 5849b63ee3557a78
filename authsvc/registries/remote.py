"""Asking a remote registry whether it is there and takes our credentials (OCI distribution spec, "Determining Support")."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import requests

from authsvc.core import connections, outgoing
from authsvc.distribution.challenge import Challenge, parse_challenge
from authsvc.registries import providers

_TIMEOUT = (3.0, 10.0)  # seconds to connect, seconds between bytes
_MAX_ANSWER = 256 * 1024
_MAX_TOKEN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Remote:
    """Where, whom to trust there, and by which name and secret."""

    kind: str
    url: str
    insecure: bool = False
    ca: str = ""
    key: str = ""
    secret: str = field(default="", repr=False)

    @property
    def auth(self) -> tuple[str, str] | None:
        """Basic credentials, if there are any."""
        return (self.key, self.secret) if self.key or self.secret else None


def problem(remote: Remote, networks: Sequence[str]) -> str:
    """What is wrong with a registry; "" if it answers, and takes the credentials. Never holds a secret."""
    try:
        with outgoing.session(networks, verify=not remote.insecure, ca=remote.ca) as session:
            return _Probe(session, remote).run()
    except connections.Refused as error:
        return str(error)
    except outgoing.FAILURES as error:
        return f"it cannot be asked ({type(error).__name__})"


class _Probe:
    def __init__(self, session: requests.Session, remote: Remote) -> None:
        self._session = session
        self._remote = remote
        self._url = providers.distribution_url(remote.kind, remote.url).rstrip("/") + "/v2/"

    def run(self) -> str:
        status, challenge = self._ask("")
        if status == 200:
            return ""
        if status != 401:
            return f"it answers {status} to GET /v2/"
        if challenge.scheme == "basic":
            return self._with_password()
        return (
            self._with_token(challenge) if challenge.scheme == "bearer" else "it asks for a login of a kind that we do not know"
        )

    def _with_password(self) -> str:
        if self._remote.auth is None:
            return "it asks for a name and a secret"
        status, _ = self._ask("", self._remote.auth)
        return "" if status == 200 else f"it does not take the credentials ({status})"

    def _with_token(self, challenge: Challenge) -> str:
        here, realm = urlsplit(self._url), urlsplit(challenge.realm)
        if not providers.may_give_tokens(self._remote.kind, here.netloc, realm.netloc) or realm.scheme != here.scheme:
            return f"it sends us for a token to {realm.netloc[:100]}, which is another host"
        question = {key: value for key, value in (("service", challenge.service), ("scope", challenge.scope)) if value}
        status, body = self._read(f"{challenge.realm}?{urlencode(question)}", auth=self._remote.auth)
        if status != 200:
            return f"it does not take the credentials ({status})"
        answer = json.loads(body)
        token = str(answer.get("token") or answer.get("access_token") or "") if isinstance(answer, dict) else ""
        if not token or len(token) > _MAX_TOKEN or not token.isascii() or not token.isprintable():
            return "it answers no token"
        status, _ = self._ask(f"Bearer {token}")
        return "" if status == 200 else f"it does not take the token that it gave ({status})"

    def _ask(self, authorization: str, auth: tuple[str, str] | None = None) -> tuple[int, Challenge]:
        headers = {"Authorization": authorization} if authorization else {}
        with self._get(self._url, headers, auth) as response:
            return response.status_code, parse_challenge(response.headers.get("WWW-Authenticate", ""))

    def _read(self, url: str, auth: tuple[str, str] | None) -> tuple[int, bytes]:
        with self._get(url, {}, auth) as response:
            return response.status_code, response.raw.read(_MAX_ANSWER, decode_content=True)

    def _get(self, url: str, headers: dict[str, str], auth: tuple[str, str] | None) -> requests.Response:
        named = headers | {"User-Agent": "tidegate", "Accept": "application/json"}
        return self._session.get(url, headers=named, auth=auth, timeout=_TIMEOUT, allow_redirects=False, stream=True)
