"""What counts guesses, in the database: the rows of `lockout`, and what follows from them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete, or_, select, update

from authsvc.authn.models import LoginAddress, LoginFailure, LoginLock
from authsvc.core.db import db, family, utcnow
from authsvc.core.errors import InvalidCredentials, Limit, TooManyRequests
from authsvc.core.inserts import upsert
from authsvc.core.sealing import keyed_digest
from authsvc.core.settings import Settings

_BUCKETS = 256  # rows of `LoginLock`
KNOWN = timedelta(days=30)  # how long an address is remembered for an account
ENTRY = "entry:"  # what the accounts of directories' entries begin with


@dataclass(slots=True)
class Guess:
    """One look at a password: for which accounts (one, and what turned out to be the same one), from where, and as of which
    credential epoch of it."""

    secret: str = field(repr=False)
    address: str
    account: str
    epoch: int
    had_wrong: bool = False  # others were looked at, and wrong
    accounts: dict[str, str] = field(default_factory=dict)  # account -> digest

    def epoch_of(self, account: str) -> int:
        """The epoch, of what has one."""
        return self.epoch if account == self.account else 0

    def add(self, account: str) -> str:
        """Count it for that account, too. The account is part of what is counted: one wrong password on many is many guesses."""
        return self.accounts.setdefault(account, keyed_digest(f"{account}\0{self.secret}"))


def judge(guess: Guess, account: str) -> None:
    """Whether it need not, or may not, be looked at. Needs a transaction.

    Raises:
        InvalidCredentials: it was looked at a moment ago and wrong.
        TooManyRequests: the account or the address is locked for now.
    """
    settings: Settings = current_app.config["TIDEGATE"]
    now, digest = utcnow(), guess.add(account)
    rows = _recent(account, guess.address, now - timedelta(seconds=settings.login_window_seconds))
    mine = [row for row in rows if row.account == account]
    guess.had_wrong = guess.had_wrong or any(row.wrong_until for row in mine)
    epoch = guess.epoch_of(account)
    if any(row.digest == digest and row.wrong_until and row.wrong_until > now and row.epoch == epoch for row in mine):
        raise InvalidCredentials("the user name or password is not right")
    known = set(guess.accounts.values())
    others = [row for row in mine if row.digest not in known]
    if _wait(others, settings.login_attempts) and _is_known(guess):
        others = [row for row in others if row.address == guess.address]
    _bounded(others, settings.login_attempts, "this account")
    if guess.address:
        # What an entry of a directory is counted for was counted under the name already.
        there = [row for row in rows if row.address == guess.address and not row.account.startswith(ENTRY)]
        _bounded([row for row in there if row.digest not in known], settings.login_attempts_per_address, "your address")


def _recent(account: str, address: str, since: datetime) -> Sequence[Any]:
    of_them = (
        or_(LoginFailure.account == account, LoginFailure.address == address) if address else LoginFailure.account == account
    )
    columns = (LoginFailure.account, LoginFailure.address, LoginFailure.digest, LoginFailure.at)
    statement = select(*columns, LoginFailure.wrong_until, LoginFailure.epoch).where(of_them, LoginFailure.at > since)
    return db.session.execute(statement).all()


def reserve(guess: Guess, account: str) -> None:
    """Count it before it is looked at. Needs a transaction that may write.

    Raises:
        InvalidCredentials, TooManyRequests: as `judge`.
    """
    one_at_a_time(("account", account), ("address", guess.address))
    judge(guess, account)
    row = {"account": account, "address": guess.address, "digest": guess.add(account), "at": utcnow()}
    upsert(LoginFailure, [row | {"epoch": guess.epoch_of(account), "wrong_until": None}])


def _wait(rows: Sequence[Any], limit: int) -> int:
    """Seconds until fewer than `limit` different guesses are left; 0 if they are."""
    last: dict[str, datetime] = {}
    for row in rows:
        last[row.digest] = max(row.at, last.get(row.digest, row.at))
    if len(last) < limit:
        return 0
    settings: Settings = current_app.config["TIDEGATE"]
    until = sorted(last.values(), reverse=True)[limit - 1] + timedelta(seconds=settings.login_window_seconds)
    return max(1, int((until - utcnow()).total_seconds()) + 1)


def _bounded(rows: Sequence[Any], limit: int, what: str) -> None:
    if wait := _wait(rows, limit):
        settings: Settings = current_app.config["TIDEGATE"]
        raise TooManyRequests(
            f"too many wrong passwords for {what}; try again in {wait} seconds",
            limit=Limit("logins", limit, settings.login_window_seconds, wait),
        )


def _is_known(guess: Guess) -> bool:
    """True if a password of the account was right from there not long ago."""
    here = (LoginAddress.account == guess.account, LoginAddress.address == guess.address)
    return db.session.scalar(select(LoginAddress.at).where(*here, LoginAddress.at > utcnow() - KNOWN)) is not None


def _of(guess: Guess) -> Any:
    return or_(
        *((LoginFailure.account == account) & (LoginFailure.digest == digest) for account, digest in list(guess.accounts.items()))
    )


def note_wrong(guess: Guess) -> None:
    """It was looked at, and need not be for a while."""
    settings: Settings = current_app.config["TIDEGATE"]
    until = utcnow() + timedelta(seconds=settings.credential_cache_seconds)
    db.session.execute(update(LoginFailure).where(_of(guess)).values(wrong_until=until))


def take_back(guess: Guess) -> None:
    """It was right, or never looked at."""
    db.session.execute(delete(LoginFailure).where(_of(guess)))


def note_right(guess: Guess) -> None:
    """What was wrong before may be right now, where passwords are changed elsewhere; and from where it was right is
    remembered."""
    if guess.had_wrong:
        theirs = LoginFailure.account.in_(list(guess.accounts))
        db.session.execute(update(LoginFailure).where(theirs, LoginFailure.wrong_until.is_not(None)).values(wrong_until=None))
    if guess.address:
        upsert(LoginAddress, [{"account": guess.account, "address": guess.address, "at": utcnow()}])


def one_at_a_time(*things: tuple[str, str]) -> None:
    """What is counted for each of these (kind, name) is counted one after the other, until the transaction ends. SQLite has
    one writer anyway."""
    if family() == "sqlite":
        return
    buckets = {_bucket(kind, name) for kind, name in things}
    db.session.execute(select(LoginLock.id).where(LoginLock.id.in_(buckets)).order_by(LoginLock.id).with_for_update())


def _bucket(kind: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{kind}\0{name}".encode()).digest()[:4]) % _BUCKETS
