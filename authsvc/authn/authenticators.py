"""From credentials to a principal, by a chain of authenticators.

Each has three answers: an identity (or the proof that makes one, where people come aboard at their first login), None
("not mine"), or `InvalidCredentials` ("mine and wrong"). Wrong never becomes anonymous. Fresh successes are remembered
under a keyed hash, so that one `docker pull` costs one password hash.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from typing import Protocol

from flask import Flask

from authsvc.authn import credentials
from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.authn.onboarding import Proof, onboard
from authsvc.authn.snapshot import Snapshot
from authsvc.core.db import transaction
from authsvc.core.errors import Denied, InvalidCredentials
from authsvc.rbac.principal import ANONYMOUS, Principal

_MAX_REMEMBERED = 100_000
_KEY = os.urandom(32)


def fingerprint(*parts: str) -> bytes:
    """A keyed hash under which secrets may be remembered; the key dies with the process."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), key=_KEY, digest_size=20).digest()


class Authenticator(Protocol):
    """One way to prove who one is. Called in an application context without a transaction: it opens its own `reading()` for
    its queries, and holds none while it waits for the network or hashes."""

    def __call__(self, credential: Basic) -> Identity | Proof | None: ...


class Authentication:
    """The chain, and what it remembers.

    A password's success is remembered for `seconds` and dies with the user's epoch. A secret of ours is remembered
    within the snapshot only, since revoking it is a policy change; finding it again costs one indexed query.
    """

    def __init__(self, app: Flask, chain: Sequence[Authenticator], seconds: float) -> None:
        self._app = app
        self._chain = chain
        self._seconds = seconds
        self._remembered: dict[bytes, tuple[float, Identity]] = {}

    def identify(self, header: str, snapshot: Snapshot) -> tuple[Principal, Identity | None]:
        """The caller behind an Authorization header; `ANONYMOUS` if there is none.

        Raises:
            InvalidCredentials: there is one and it is wrong.
            Denied: the account is disabled; said only to who knows its password.
        """
        if not header:
            return ANONYMOUS, None
        key = fingerprint("header", header)
        known = self._known(key, snapshot)
        if known is not None:
            return known
        credential = credentials.parse(header)
        if not isinstance(credential, Basic):
            raise InvalidCredentials("a user name with a password or token is expected here")
        return self._prove(key, credential, snapshot)

    def check(self, credential: Basic, snapshot: Snapshot) -> tuple[Principal, Identity]:
        """The caller behind a user name and secret.

        Raises:
            InvalidCredentials, Denied
        """
        key = fingerprint("credential", credential.username, credential.secret)
        return self._known(key, snapshot) or self._prove(key, credential, snapshot)

    def _known(self, key: bytes, snapshot: Snapshot) -> tuple[Principal, Identity] | None:
        identity = self._recall(key, snapshot)
        principal = self._principal(identity, snapshot) if identity else None
        return (principal, identity) if principal and identity else None

    def _prove(self, key: bytes, credential: Basic, snapshot: Snapshot) -> tuple[Principal, Identity]:
        identity = self._ask(credential)
        principal = self._principal(identity, snapshot)
        if principal is None:
            raise InvalidCredentials("the user name or password is not right")
        self._remember(key, identity, snapshot)
        return principal, identity

    def _principal(self, identity: Identity, snapshot: Snapshot) -> Principal | None:
        account = snapshot.account(identity.user_id)
        if account is None or account.principal.epoch != identity.epoch:
            return None
        if account.disabled:
            raise Denied(f"the account {account.principal.name} is disabled; a system administrator can enable it")
        return account.principal

    def _ask(self, credential: Basic) -> Identity:
        with self._app.app_context():
            for authenticate in self._chain:
                found = authenticate(credential)
                if isinstance(found, Proof):
                    with transaction():
                        return onboard(found)
                if found is not None:
                    return found
        raise InvalidCredentials("the user name or password is not right")

    def _recall(self, key: bytes, snapshot: Snapshot) -> Identity | None:
        if (secret := snapshot.identities.get(key)) is not None:
            identity: Identity = secret
            return identity
        until, remembered = self._remembered.get(key, (0.0, None))
        return remembered if time.monotonic() < until else None

    def _remember(self, key: bytes, identity: Identity, snapshot: Snapshot) -> None:
        if identity.token_id is not None:
            snapshot.remember_identity(key, identity)
            return
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (time.monotonic() + self._seconds, identity)
