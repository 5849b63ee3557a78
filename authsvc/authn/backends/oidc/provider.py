"""A provider or issuer: its discovery document and keys, fetched when needed and kept for a while.

Sources: OpenID Connect Discovery 1.0, RFC 7517 (JWK), OpenID Connect Core 1.0 section 3.1.3.7 (checks of an ID token).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jwt

from authsvc.core.errors import InvalidCredentials, Unavailable
from authsvc.core.kept import Kept
from authsvc.core.outgoing import ask_json

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
LEEWAY = 60  # seconds
_FAR = 2**40  # seconds: tokens without a sensible end have one
# Access tokens (RFC 9068) and logout tokens (OpenID Connect Back-Channel Logout 2.4) are signed with the same keys.
_OTHER_TYPES = frozenset({"at+jwt", "application/at+jwt", "logout+jwt"})
# Claims and headers are whatever somebody wrote: numbers without end, brackets without end.
_UNREADABLE = (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_KEEP, _LONGEST = 3600.0, 6 * 3600.0  # seconds that documents are kept, and at most, while the issuer does not answer
_PAUSE = 30.0  # seconds between two fetches because of a key that we do not know
_MAX_KEYS = 100
_MAX_ISSUERS = 100


class Issuer:
    """Verifies what one issuer signs. Shared by the threads of a process, of which one at a time asks the issuer."""

    def __init__(self, issuer: str, networks: Sequence[str], *, verify: bool = True, ca: str = "") -> None:
        self.issuer = issuer
        self._networks = networks
        self._verify = verify
        self._ca = ca
        self._document: Kept[Mapping[str, Any]] = Kept(self._fetch_document, _KEEP, _LONGEST)
        self._keys: Kept[Mapping[str, Any]] = Kept(self._fetch_keys, _KEEP, _LONGEST)

    def ask(self, method: str, url: str, **options: Any) -> Any:
        """A guarded request to this provider."""
        return ask_json(method, url, self._networks, verify=self._verify, ca=self._ca, **options)

    def discover(self) -> Mapping[str, Any]:
        """The discovery document.

        Raises:
            Unavailable: not to be had, or it speaks of another issuer.
        """
        return self._document.get()

    def _fetch_document(self) -> Mapping[str, Any]:
        document = self.ask("GET", f"{self.issuer}/.well-known/openid-configuration")
        if not isinstance(document, dict) or str(document.get("issuer", "")).rstrip("/") != self.issuer:
            raise Unavailable(f"{self.issuer} calls itself by another name", retry_after=60)
        return document

    def _fetch_keys(self) -> Mapping[str, Any]:
        return _parse_keys(self.ask("GET", self.endpoint("jwks_uri")))

    def endpoint(self, name: str) -> str:
        """An endpoint by its name in the document.

        Raises:
            Unavailable: it has none.
        """
        url = self.discover().get(name)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise Unavailable(f"{self.issuer} has no {name}", retry_after=60)
        return url

    def verify(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token that this issuer signed for `audience`.

        Raises:
            InvalidCredentials: wrong in any way.
            Unavailable: the keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "")).lower() in _OTHER_TYPES:
                raise InvalidCredentials("that is a token for something else than to say who somebody is")
            key_id = header.get("kid", "")
            key = self._key(key_id if isinstance(key_id, str) else "")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except _UNREADABLE as error:
            raise InvalidCredentials("the token is not one that the issuer signed for us, or has expired") from error
        if str(claims["iss"]).rstrip("/") != self.issuer:
            raise InvalidCredentials("the token is from another issuer")
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp", audience) != audience:
            raise InvalidCredentials("the token was given to somebody else (azp)")
        return claims

    def _key(self, key_id: str) -> Any:
        keys = self._keys.get()
        if key_id not in keys and (key_id or len(keys) != 1):
            keys = self._keys.get(younger_than=_PAUSE)
        if key_id in keys:
            return keys[key_id]
        if not key_id and len(keys) == 1:
            return next(iter(keys.values()))
        raise InvalidCredentials("the token is signed with a key that the issuer does not have")


def _parse_keys(document: Any) -> dict[str, Any]:
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = {}
    for entry in listed[:_MAX_KEYS] if isinstance(listed, list) else ():
        try:
            if entry.get("use", "sig") == "sig" and entry.get("kty") != "oct":
                keys[str(entry.get("kid", ""))] = jwt.PyJWK(entry)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue  # of a kind that we do not know: it signs nothing that we take
    return keys


class Issuers:
    """The issuers that a process has asked, with what it knows of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Any, ...], Issuer] = {}

    def of(self, url: str, networks: Sequence[str], *, verify: bool = True, ca: str = "") -> Issuer:
        """The one at that address, asked in that way."""
        key = (url, tuple(networks), verify, ca)
        with self._lock:
            if key not in self._known:
                if len(self._known) >= _MAX_ISSUERS:
                    self._known.clear()
                self._known[key] = Issuer(url, networks, verify=verify, ca=ca)
            return self._known[key]


def good_until(claims: Mapping[str, Any]) -> float:
    """When (seconds since 1970) checked claims are no proof any longer."""
    return float(min(int(claims["exp"]), _FAR) + LEEWAY)


def stated_at(claims: Mapping[str, Any]) -> datetime:
    """When checked claims were true for certain, by our clock, of which the provider's may differ; for ever ago if they do
    not say so."""
    issued = claims.get("iat")
    moment = int(issued) if isinstance(issued, int | float) else 0
    return datetime.fromtimestamp(max(0, min(moment, int(time.time())) - LEEWAY), UTC)


def unverified_issuer(token: str) -> str:
    """The issuer that a token says it is from, to find out whose keys to check it with; "" if it is no JWT."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except _UNREADABLE:
        return ""
    issuer = claims.get("iss", "")
    return issuer.rstrip("/") if isinstance(issuer, str) else ""
