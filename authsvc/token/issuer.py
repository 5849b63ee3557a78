"""Registry tokens: JWS compact serialisation (RFC 7515), ES256, claims as distribution's "Token Authentication
Specification" wants them: `aud` one string, integer times, exact names."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import jwt
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authsvc.core.errors import InvalidCredentials
from authsvc.token.grants import Access
from authsvc.token.keys import KeyStore, Signer

_ALGORITHM = ec.ECDSA(hashes.SHA256())
# Subjects of our own processes. No user name can hold a colon, so nobody can be taken for one of them.
INTERNAL_PREFIX = "tidegate:"
LEEWAY = 60  # seconds, as the registry gives


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good token says."""

    subject: str
    issued_at: int


class Issuer:
    """Signs with the present leaf; `refresh` picks up a rotated one."""

    def __init__(self, keys: KeyStore, *, issuer: str, audience: str, lifetime: int = 300) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self.refresh()

    def refresh(self) -> None:
        """Load the leaf if its file has changed: call it when the policy version has."""
        stamp = self._keys.stamp()
        if getattr(self, "_stamp", None) != stamp:
            self._signer: Signer = self._keys.signer()
            self._public_keys = self._keys.public_keys()
            self._stamp = stamp

    def issue(self, subject: str, access: Sequence[Access], now: int) -> bytes:
        """A signed token for `subject` ("" for nobody), good from `now` (epoch seconds) for `lifetime` seconds."""
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "aud": self._audience,
            "exp": now + self.lifetime,
            "nbf": now,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "access": [{"type": entry.type, "name": entry.name, "actions": entry.actions} for entry in access],
        }
        signer = self._signer
        signed = signer.header + b"." + _base64url(orjson.dumps(claims))
        return signed + b"." + _base64url(_raw(signer.key.sign(signed, _ALGORITHM)))

    def verify(self, token: str) -> Verified:
        """Check a token of ours by our own keys; whatever keys its header carries are not looked at.

        Raises:
            InvalidCredentials: not signed by us, expired, or for another audience.
        """
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            if key_id not in self._public_keys:
                self.refresh()  # another process may have rotated the leaf
            key = self._public_keys[key_id]
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise InvalidCredentials("the token is not valid any more, or never was") from error
        return Verified(claims["sub"], claims["iat"])

    def internal(self, process: str, scope: str, now: int) -> str:
        """An Authorization header for our own request to the registry: exactly one scope, such as `repository:p/a:pull`."""
        type_, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        token = self.issue(INTERNAL_PREFIX + process, [Access(type_, name, tuple(actions.split(",")))], now)
        return f"Bearer {token.decode()}"


def _raw(signature: bytes) -> bytes:
    """An ECDSA signature as JWS wants it (RFC 7518 section 3.4): r and s, 32 bytes each, instead of DER."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32) + s.to_bytes(32)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
