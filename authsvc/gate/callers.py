"""Who calls below `/v2/`, as things stand now: by a registry token that we gave out, or by user name and password.

A token is a promise of some minutes. Here it is held against the present: its holder must still be there, with the same
credentials, and may do no more than both the token says and the holder's roles allow today.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from authsvc.authn import credentials
from authsvc.authn.authenticators import Authentication, fingerprint
from authsvc.authn.backends.keyless import rules
from authsvc.authn.credentials import Bearer
from authsvc.authn.identity import Identity
from authsvc.authn.principals import LiveSecret
from authsvc.authn.snapshot import Snapshot, Snapshots
from authsvc.core.errors import Denied, InvalidCredentials
from authsvc.rbac.authority import Door
from authsvc.rbac.principal import ANONYMOUS, Principal
from authsvc.scanning import credentials as scans
from authsvc.secrets.rules import limited, may_come_from
from authsvc.token.issuer import LEEWAY, Holder, Issuer, Verified, holder_of

_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as of one snapshot. `token` is what a registry token says; None where a password came instead."""

    principal: Principal
    token: Verified | None = None
    identity: Identity | None = field(default=None, repr=False)

    @property
    def holder(self) -> Holder | None:
        """The account behind it; None for nobody."""
        if self.token is not None:
            return self.token.holder
        return holder_of(self.identity) if self.identity else None


class Callers:
    """Finds callers; remembers which tokens were signed by us, so that a signature is verified once."""

    def __init__(self, snapshots: Snapshots, authentication: Authentication, issuer: Issuer) -> None:
        self.snapshots = snapshots
        self.issuer = issuer
        self._authentication = authentication
        self._verified: dict[bytes, Verified] = {}

    def find(self, header: str, snapshot: Snapshot, address: str, *, may_pass_on: bool = False) -> Caller | None:
        """The caller behind an Authorization header, who asks from `address`; None if there is no header.

        Raises:
            InvalidCredentials: forged, expired, revoked, or of an account that is gone.
            Denied: the account is disabled or has expired, or may not come from there.
            Guessable: it may be a password, which others than this process can look at; if `may_pass_on`.
            Unavailable
        """
        if not header:
            return None
        if header[:7].lower() != "bearer ":
            principal, identity = self._authentication.identify(header, snapshot, address, may_pass_on=may_pass_on)
            principal.authority.require(Door.REGISTRY)
            return Caller(principal, identity=identity)
        token = self._verify(header)
        return Caller(_present(token, snapshot, address), token)

    def _verify(self, header: str) -> Verified:
        key = fingerprint("registry-token", header)
        token = self._verified.get(key)
        if token is None:
            credential = credentials.parse(header)
            token = self.issuer.verify(credential.token if isinstance(credential, Bearer) else "")
            if len(self._verified) >= _MAX_REMEMBERED:
                self._verified.clear()
            self._verified[key] = token
        if token.expires_at + LEEWAY <= time.time():
            raise InvalidCredentials("the token has expired")
        return token


def _present(token: Verified, snapshot: Snapshot, address: str) -> Principal:
    holder = token.holder
    if holder is None:
        if token.subject:  # one of our own processes: none of them comes this way
            raise InvalidCredentials("the token is not for this")
        return ANONYMOUS
    if holder.kind == "workload":
        return rules.workload(token.subject, [rule for id_ in holder.rules if (rule := snapshot.trust_rule(id_))])
    if holder.kind == "scanner":
        given = ((access.project_id, access.name) for access in token.access.values() if "pull" in access.actions)
        return scans.scanner(given)
    account = snapshot.account(holder.kind, holder.id)
    if account is not None and (refusal := account.refusal(time.time())):
        raise Denied(refusal)
    if account is None or account.principal.epoch != holder.epoch:
        raise InvalidCredentials("the account is gone, or its credentials were changed since; log in again")
    if holder.secret_id:
        secret = _live(holder.secret_id, snapshot, address)
        if secret.limits is not None:
            return limited(account.principal, secret.limits)
    return account.principal


def _live(secret_id: int, snapshot: Snapshot, address: str) -> LiveSecret:
    secret = snapshot.secret(secret_id)
    if secret is None or secret.expires_at <= time.time():
        raise InvalidCredentials("the login or access token was revoked or has expired; log in again")
    if secret.networks and not may_come_from(secret.networks, address):
        raise Denied(f"this access token may not be used from {address}; its owner said from where it may")
    return secret
