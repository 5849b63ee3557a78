"""Guessing passwords is bounded: so many different ones for an account, and from an address, within a window.

A guess is counted before it is looked at, in the database, so that the bound is exact whatever runs in parallel and over
restarts, and taken back if it was right or never got looked at. It counts by (account, digest of the password): a client that
repeats one wrong password counts once, and for as long as right ones are remembered it is refused without another look, by
whatever process: no directory is told twice. Secrets that we made, and sessions, are no guesses and go on. Nobody sleeps: the
answer is 429 with `Retry-After`. Names that do not exist count like those that do, so nobody learns which do.

What strangers guess does not keep anybody out where he usually is: from an address from which a password of that account was
right not long ago only guesses from there count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Select, delete, func, or_, select, update

from authsvc.audit import service as audit
from authsvc.authn.credentials import Basic
from authsvc.authn.identity import NotAboard
from authsvc.authn.models import LoginAddress, LoginFailure, LoginLock
from authsvc.core import origin
from authsvc.core.db import db, family, reading, transaction, utcnow
from authsvc.core.errors import Forbidden, InvalidCredentials, Limit, NotFound, TooManyRequests
from authsvc.core.inserts import upsert
from authsvc.core.sealing import keyed_digest
from authsvc.core.settings import Settings
from authsvc.robots import service as robots
from authsvc.robots.rules import full_name, split_name
from authsvc.users import names, passwords
from authsvc.users.glimpse import Glimpse, glance
from authsvc.users.models import UserIdentity

_BUCKETS = 256  # rows of `LoginLock`
_KNOWN = timedelta(days=30)  # how long an address is remembered for an account
_ENTRY = "entry:"


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


_present: ContextVar[Guess | None] = ContextVar("guess", default=None)


@contextmanager
def counted(credential: Basic, address: str) -> Iterator[None]:
    """Around one look at a password, by somebody at `address`.

    Raises:
        InvalidCredentials: it was looked at a moment ago and wrong.
        TooManyRequests: the account or the address is locked for now; the password is not looked at.
    """
    with reading():
        account, epoch = _account(credential.username, credential.user, credential.robot_prefix)
        guess = Guess(credential.secret, origin.source_of(address), account, epoch)
        _judge(guess, guess.account)
    with transaction():
        _reserve(guess, guess.account)
    token = _present.set(guess)
    try:
        yield
    except NotAboard:
        with transaction():
            _take_back(guess)
        raise
    except InvalidCredentials:
        with transaction():
            _note_wrong(guess)
            audit.record(account, "login", "user", account, succeeded=False, description="wrong password")
        raise
    except BaseException:
        with transaction():
            _take_back(guess)
        raise
    finally:
        _present.reset(token)
    with transaction():
        _take_back(guess)
        _note_right(guess)


def count_for() -> Callable[[str], None]:
    """What to call, on whatever thread, when whoever logs in has turned out to be some entry of a directory (`entry_of`),
    whatever he is called: the present guess counts for that one, too. To be called before the password is looked at; raises as
    `counted`."""
    guess, application = _present.get(), current_app.app_context

    def count(entry: str) -> None:
        if guess is not None:
            with application(), transaction():
                _reserve(guess, _entry(entry))

    return count


def entry_of(source: str, subject: str) -> str:
    """What `count_for` takes: an entry of a directory."""
    return f"{source}\0{subject}"


def require_own_password(username: str, password: str) -> None:
    """Somebody who is logged in has to show his password as well. A guess like any other: else a session that was left open
    would be a way to find it out.

    Raises:
        Forbidden: it is not his.
        TooManyRequests: as `counted`.
    """
    shown = Basic(username, password)
    try:
        with counted(shown, origin.current().address):
            if not passwords.verify(shown.user.password_hash if shown.user else None, password):
                raise InvalidCredentials("the old password is not right")
    except InvalidCredentials as error:
        raise Forbidden(error.message) from None


def account_of(credential: Basic, robot_prefix: str) -> str:
    """Whose credential that is, for logs: the name of a user, or of a robot by its form; or a digest of what is nobody's name.
    Needs a transaction."""
    return _account(credential.username, credential.user, robot_prefix)[0]


def _account(login: str, user: Glimpse | None, robot_prefix: str) -> tuple[str, int]:
    """What the guesses are counted under, and its epoch: one name for a user's name and e-mail, and for a robot's two names. It
    takes as many queries whether there is such a one or not."""
    if user is not None:
        return user.name_key, user.epoch
    if robot_prefix and (named := split_name(robot_prefix, login)) is not None:
        robot = robots.find(login, robot_prefix)
        return full_name(robot_prefix, *named)[:300], robot.epoch if robot else 0
    # What is nobody's name may be a password that was typed into the wrong field.
    return f"unknown:{keyed_digest(names.key(login[:300]))[:32]}", 0


def _entry(entry: str) -> str:
    return f"{_ENTRY}{keyed_digest(entry)[:32]}"


def _judge(guess: Guess, account: str) -> None:
    """
    Raises:
        InvalidCredentials, TooManyRequests: as `counted`.
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
        there = [row for row in rows if row.address == guess.address and not row.account.startswith(_ENTRY)]
        _bounded([row for row in there if row.digest not in known], settings.login_attempts_per_address, "your address")


def _recent(account: str, address: str, since: datetime) -> Sequence[Any]:
    of_them = (
        or_(LoginFailure.account == account, LoginFailure.address == address) if address else LoginFailure.account == account
    )
    columns = (LoginFailure.account, LoginFailure.address, LoginFailure.digest, LoginFailure.at)
    statement = select(*columns, LoginFailure.wrong_until, LoginFailure.epoch).where(of_them, LoginFailure.at > since)
    return db.session.execute(statement).all()


def _reserve(guess: Guess, account: str) -> None:
    one_at_a_time(("account", account), ("address", guess.address))
    _judge(guess, account)
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
    return db.session.scalar(select(LoginAddress.at).where(*here, LoginAddress.at > utcnow() - _KNOWN)) is not None


def _of(guess: Guess) -> Any:
    return or_(
        *((LoginFailure.account == account) & (LoginFailure.digest == digest) for account, digest in list(guess.accounts.items()))
    )


def _note_wrong(guess: Guess) -> None:
    settings: Settings = current_app.config["TIDEGATE"]
    until = utcnow() + timedelta(seconds=settings.credential_cache_seconds)
    db.session.execute(update(LoginFailure).where(_of(guess)).values(wrong_until=until))


def _take_back(guess: Guess) -> None:
    db.session.execute(delete(LoginFailure).where(_of(guess)))


def _note_right(guess: Guess) -> None:
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


def failures() -> Select[str, str, int, datetime]:
    """(account, address, how many, the last time) of what is counted now, the latest first."""
    settings: Settings = current_app.config["TIDEGATE"]
    since = utcnow() - timedelta(seconds=settings.login_window_seconds)
    counted_ = func.count(LoginFailure.digest.distinct()).label("failures")
    last = func.max(LoginFailure.at).label("last")
    return (
        select(LoginFailure.account, LoginFailure.address, counted_, last)
        .where(LoginFailure.at > since, ~LoginFailure.account.startswith(_ENTRY))
        .group_by(LoginFailure.account, LoginFailure.address)
        .order_by(last.desc())
    )


def clear(actor: str, name: str) -> None:
    """Forget what was counted for an account or an address: both may log in again at once.

    Raises:
        NotFound: nothing is counted for that name.
    """
    user = glance(name)
    accounts = [_account(name, user, robots.prefix())[0]]
    if user is not None and user.kind == "ldap":
        subjects = db.session.scalars(select(UserIdentity.subject).where(UserIdentity.user_id == user.id))
        accounts += [_entry(entry_of(str(user.source), subject)) for subject in subjects]
    matching = LoginFailure.account.in_(accounts) | (LoginFailure.address == name)
    if not db.session.scalar(select(func.count()).select_from(LoginFailure).where(matching)):
        raise NotFound(f"no wrong passwords are counted for {name}")
    db.session.execute(delete(LoginFailure).where(matching))
    audit.record(actor, "update", "user", name, description="login failures cleared")


def purge() -> None:
    """Forget what does not count any more."""
    settings: Settings = current_app.config["TIDEGATE"]
    db.session.execute(delete(LoginFailure).where(LoginFailure.at < utcnow() - timedelta(seconds=settings.login_window_seconds)))
    db.session.execute(delete(LoginAddress).where(LoginAddress.at < utcnow() - _KNOWN))
