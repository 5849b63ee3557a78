"""From credentials to a principal, by a chain of authenticators.

Each has three answers: an identity (or the proof that makes one, where people come aboard at their first login), None
("not mine"), or `InvalidCredentials` ("mine and wrong"). Wrong never becomes anonymous. Fresh successes are remembered
under a keyed hash, so that one `docker pull` costs one password hash.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import structlog
from flask import Flask

from authsvc.authn import credentials, lockout
from authsvc.authn.credentials import Basic, Bearer
from authsvc.authn.identity import Identity, NotAboard
from authsvc.authn.onboarding import Proof, welcome
from authsvc.authn.snapshot import Snapshot, Snapshots
from authsvc.core import origin
from authsvc.core.db import reading
from authsvc.core.errors import Denied, DomainError, InvalidCredentials, PasswordChangeRequired
from authsvc.core.text import is_login, is_storable
from authsvc.observability import metrics
from authsvc.rbac.principal import ANONYMOUS, Principal
from authsvc.secrets.rules import may_come_from
from authsvc.users.passwords import Busy

log = structlog.get_logger(component="login")

_MAX_REMEMBERED = 100_000
_KEEPS_EVERY = 1.0  # seconds
_KEY = os.urandom(32)
T = TypeVar("T")


def fingerprint(*parts: str) -> bytes:
    """A keyed hash under which secrets may be remembered; the key dies with the process."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), key=_KEY, digest_size=20).digest()


class Guessable(Exception):
    """Nobody but a look at it says whether that is a password, and another process has the time."""


class Authenticator(Protocol):
    """One way to prove who one is. Called in an application context without a transaction: it opens its own `reading()` for
    its queries, and holds none while it waits for the network or hashes."""

    def __call__(self, credential: Basic) -> Identity | Proof | None: ...


class BearerAuthenticator(Protocol):
    """The same for a token that is all there is."""

    def __call__(self, token: str) -> Identity | Proof | None: ...


@dataclass(frozen=True, slots=True)
class Chain:
    """Asked in this order; the last answers for every name. Only what people chose can be guessed, and is counted.

    `before`: may say that nobody can be told right from wrong now, before anything is counted. `after_wrong`: makes wrong
    passwords take the same time whoever they are for. `confirm`: may say that whoever showed the right secret is not, or not
    for long, who he was.
    """

    unguessable: Sequence[Authenticator]
    bearer: Sequence[BearerAuthenticator]
    guessable: Sequence[Authenticator]
    before: Sequence[Callable[[Basic], None]] = ()
    after_wrong: Sequence[Callable[[Basic], None]] = ()
    confirm: Sequence[Callable[[Identity], Identity]] = ()


def _with_own_password(found: tuple[Principal, Identity]) -> tuple[Principal, Identity]:
    if found[0].held_back:
        raise PasswordChangeRequired(f"the password of {found[0].name} was generated: change it first, it opens nothing else")
    return found


class Authentication:
    """The chain, and what it remembers.

    A password's success is remembered for `seconds` and dies with the user's epoch. A secret of ours is remembered
    within the snapshot only, since revoking it is a policy change; finding it again costs one indexed query.
    """

    def __init__(self, app: Flask, snapshots: Snapshots, chain: Chain, seconds: float) -> None:
        self._app = app
        self._snapshots = snapshots
        self._chain = chain
        self._seconds = seconds
        self._remembered: dict[bytes, tuple[float, Identity]] = {}
        self._keeps_again = 0.0
        self._keeping = threading.Lock()

    def identify(
        self, header: str, snapshot: Snapshot, address: str, *, temporary: bool = False, may_pass_on: bool = False
    ) -> tuple[Principal, Identity | None]:
        """The caller behind an Authorization header, who asks from `address`; `ANONYMOUS` if there is none.

        Raises:
            InvalidCredentials: there is one and it is wrong.
            Denied: the account is disabled; said only to who knows its password.
            PasswordChangeRequired: somebody else made the password; unless `temporary`: then the caller sees to it.
            Guessable: it may be a password, which others than this process can look at; if `may_pass_on`.
        """
        if not header:
            return ANONYMOUS, None
        key, credential = fingerprint("header", header), None
        try:
            found = self._known(key, snapshot, address)
            if found is None:
                credential = credentials.parse(header)
                if credential is None:
                    return ANONYMOUS, None
                found = self._prove(key, credential, snapshot, address, may_pass_on)
            return found if temporary else _with_own_password(found)
        except DomainError as error:
            self._tell(credential, error, snapshot, address)
            raise

    def check(
        self, credential: Basic, snapshot: Snapshot, address: str, *, temporary: bool = False, may_pass_on: bool = False
    ) -> tuple[Principal, Identity]:
        """The caller behind a user name and secret, who asks from `address`.

        Raises:
            InvalidCredentials, Denied, PasswordChangeRequired, Guessable: as `identify`.
        """
        key = fingerprint("credential", credential.username, credential.secret)
        try:
            found = self._known(key, snapshot, address) or self._prove(key, credential, snapshot, address, may_pass_on)
            return found if temporary else _with_own_password(found)
        except DomainError as error:
            self._tell(credential, error, snapshot, address)
            raise

    def _tell(self, credential: Basic | Bearer | None, error: DomainError, snapshot: Snapshot, address: str) -> None:
        """One line in the log of a refusal."""
        account = ""
        if isinstance(credential, Basic) and not isinstance(error, Busy):
            with suppress(Exception), self._app.app_context(), reading():  # the reason may be that the database is away
                account = lockout.account_of(credential, snapshot.configured("robot_name_prefix"))
        come_from = origin.current()
        metrics.LOGINS.labels(error.code).inc()
        log.info(
            "login_refused",
            account=account,
            code=error.code,
            reason=error.message,
            address=address,
            user_agent=come_from.user_agent,
            request_id=come_from.request_id,
        )

    def _known(self, key: bytes, snapshot: Snapshot, address: str) -> tuple[Principal, Identity] | None:
        identity = self._recall(key, snapshot)
        principal = self.principal(identity, snapshot, address) if identity else None
        return (principal, identity) if principal and identity else None

    def _prove(
        self, key: bytes, credential: Basic | Bearer, snapshot: Snapshot, address: str, may_pass_on: bool
    ) -> tuple[Principal, Identity]:
        if isinstance(credential, Basic):
            credential = replace(credential, robot_prefix=snapshot.configured("robot_name_prefix"))
        identity = self._ask(credential, address, may_pass_on)
        snapshot = self._snapshots.current()  # whoever let him in may have said that he is less than he was
        principal = self.principal(identity, snapshot, address)
        if principal is None:
            raise InvalidCredentials("the user name or password is not right")
        self._remember(key, identity, snapshot)
        metrics.LOGINS.labels("OK").inc()
        return principal, identity

    def principal(self, identity: Identity, snapshot: Snapshot, address: str) -> Principal | None:
        """Who that is now, from `address`; None if the identity has become void.

        Raises:
            Denied: the account is disabled or has expired, or the credential may not be used from there.
        """
        if identity.until is not None and identity.until <= time.time():
            return None
        if identity.authority.networks and not may_come_from(identity.authority.networks, address):
            raise Denied(f"this access token may not be used from {address}; its owner said from where it may")
        if identity.principal is not None:
            return identity.principal
        account = snapshot.account(identity.kind, identity.account_id)
        if account is None:
            return None
        if refusal := account.refusal(time.time()):
            raise Denied(refusal)
        if account.principal.epoch != identity.epoch:
            return None
        return account.shown_by(identity)

    def _ask(self, credential: Basic | Bearer, address: str, may_pass_on: bool) -> Identity:
        if isinstance(credential, Basic) and not (is_login(credential.username) and is_storable(credential.secret)):
            raise InvalidCredentials("no name has blanks around it, several in a row, or characters that cannot be seen")
        with self._app.app_context():
            if isinstance(credential, Bearer):
                shown = self._first(self._chain.bearer, credential.token)
                if shown is None:
                    raise InvalidCredentials("that token is of no provider of ours; a user name with a password or token will do")
                return shown
            identity = self._first(self._chain.unguessable, credential)
            if identity is None:
                if may_pass_on and not self._keeps_one():
                    raise Guessable
                identity = self._guess(credential, address)
            for confirm in self._chain.confirm:
                identity = confirm(identity)
            return identity

    def _keeps_one(self) -> bool:
        """Now and then a password is looked at here although others can: whoever comes with it again is then known here, too."""
        with self._keeping:
            now = time.monotonic()
            if now < self._keeps_again:
                return False
            self._keeps_again = now + _KEEPS_EVERY
            return True

    def _guess(self, credential: Basic, address: str) -> Identity:
        for check in self._chain.before:
            check(credential)
        with lockout.counted(credential, address):
            try:
                identity = self._first(self._chain.guessable, credential)
                if identity is None:
                    raise InvalidCredentials("the user name or password is not right")
            except NotAboard:
                raise
            except InvalidCredentials:
                for even_out in self._chain.after_wrong:
                    even_out(credential)
                raise
            return identity

    @staticmethod
    def _first(chain: Sequence[Callable[[T], Identity | Proof | None]], credential: T) -> Identity | None:
        for authenticate in chain:
            found = authenticate(credential)
            if isinstance(found, Proof):
                return welcome(found)
            if found is not None:
                return found
        return None

    def _recall(self, key: bytes, snapshot: Snapshot) -> Identity | None:
        if (secret := snapshot.identities.get(key)) is not None:
            identity: Identity = secret
            return identity
        until, remembered = self._remembered.get(key, (0.0, None))
        return remembered if time.monotonic() < until else None

    def _remember(self, key: bytes, identity: Identity, snapshot: Snapshot) -> None:
        if identity.secret_id is not None or identity.principal is not None:
            snapshot.remember_identity(key, identity)
            return
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (time.monotonic() + self._seconds, identity)
