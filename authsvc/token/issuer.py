"""Registry tokens: JWS compact serialisation (RFC 7515), ES256, claims as distribution's "Token Authentication
Specification" wants them: `aud` one string, integer times, exact names."""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.authn.identity import Identity
from authsvc.core.errors import InvalidCredentials
from authsvc.core.names import INTERNAL_PREFIX
from authsvc.token.grants import Access
from authsvc.token.keys import KeyStore, Signer

_ALGORITHM = ec.ECDSA(hashes.SHA256())
LEEWAY = 60  # seconds, as the registry gives
# A claim of our own, which registries pass over: what the gate needs to see whether the token is still true.
_OURS = "tidegate"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is: an account of a `kind` as of its credential `epoch`, the secret of ours that was shown for it (0:
    none), and for a workload, which has no account, the trust rules that let it in."""

    kind: str
    id: int
    epoch: int
    secret_id: int = 0
    rules: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good token says. `expires_at`: epoch seconds, without leeway; `holder` None: nobody's; `access`: by
    repository's name."""

    subject: str
    issued_at: int
    expires_at: int
    holder: Holder | None = None
    access: Mapping[str, Access] = field(default_factory=dict)


def holder_of(identity: Identity) -> Holder:
    """The holder that a token is given to."""
    return Holder(identity.kind, identity.account_id, identity.epoch, identity.secret_id or 0, identity.rules)


class Issuer:
    """Signs with the present leaf; `refresh` picks up a rotated one."""

    def __init__(
        self,
        keys: KeyStore,
        *,
        issuer: str,
        audience: str,
        lifetime: int = 300,
        elsewhere: Callable[[str], ec.EllipticCurvePublicKey | None] = lambda _: None,
    ) -> None:
        self._keys = keys
        self._elsewhere = elsewhere
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        # A token's id is never used again: a random series for each process, and a number in it.
        self._series, self._numbers = secrets.token_urlsafe(16), itertools.count()
        self.refresh()

    def refresh(self) -> None:
        """Load the leaf if its file has changed: call it when the policy version has."""
        stamp = self._keys.stamp()
        if getattr(self, "_stamp", None) != stamp:
            self._signer: Signer = self._keys.signer()
            self._public_keys = self._keys.public_keys()
            self._stamp = stamp

    def issue(
        self, subject: str, access: Sequence[Access], now: int, holder: Holder | None = None, *, lifetime: int | None = None
    ) -> bytes:
        """A signed token for `subject` ("" for nobody), good from `now` (epoch seconds) for `lifetime` seconds, ours if None."""
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "aud": self._audience,
            "exp": now + (self.lifetime if lifetime is None else lifetime),
            "nbf": now,
            "iat": now,
            "jti": f"{self._series}.{next(self._numbers)}",
            "access": [{"type": entry.type, "name": entry.name, "actions": entry.actions} for entry in access],
            _OURS: {
                "holder": [holder.kind, holder.id, holder.epoch, holder.secret_id, holder.rules] if holder else None,
                "projects": [entry.project_id for entry in access],
            },
        }
        signer = self._signer
        signed = signer.header + b"." + _base64url(orjson.dumps(claims))
        return signed + b"." + _base64url(_raw(signer.key.sign(signed, _ALGORITHM)))

    def verify(self, token: str) -> Verified:
        """Check a token of ours by our own keys and those that other nodes have told us of; whatever keys its header carries are
        not looked at.

        Raises:
            InvalidCredentials: not signed by us, expired, or for another audience.
        """
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            if key_id not in self._public_keys:
                self.refresh()  # another process may have rotated the leaf
            key = self._public_keys.get(key_id) or self._elsewhere(key_id)
            if key is None:
                raise KeyError(key_id)
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
            )
            return _verified(claims)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
            raise InvalidCredentials("the token is not valid any more, or never was") from error

    def internal(self, process: str, scope: str, now: int) -> str:
        """An Authorization header for our own request to the registry: exactly these scopes, such as
        `repository:p/a:pull`, separated by spaces."""
        access = []
        for one in scope.split(" "):
            type_, _, rest = one.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append(Access(type_, name, tuple(actions.split(","))))
        return f"Bearer {self.issue(INTERNAL_PREFIX + process, access, now).decode()}"


def _verified(claims: Mapping[str, Any]) -> Verified:
    kind, id_, epoch, secret_id, rules = claims[_OURS]["holder"] or ("", 0, 0, 0, ())
    access = {
        entry["name"]: Access(entry["type"], entry["name"], tuple(entry["actions"]), project_id)
        for entry, project_id in zip(claims["access"], claims[_OURS]["projects"], strict=True)
        if entry["type"] == "repository"
    }
    holder = Holder(kind, id_, epoch, secret_id, tuple(rules)) if kind else None
    return Verified(claims["sub"], claims["iat"], claims["exp"], holder, access)


def _raw(signature: bytes) -> bytes:
    """An ECDSA signature as JWS wants it (RFC 7518 section 3.4): r and s, 32 bytes each, instead of DER, where both are
    integers of at most 33 bytes with their length before them (`decode_dss_signature` takes five times as long)."""
    end = 4 + signature[3]
    return signature[4:end][-32:].rjust(32, b"\0") + signature[end + 2 :][-32:].rjust(32, b"\0")


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
