"""Guessing passwords is bounded: so many different ones for an account, and from an address, within a window.

A guess is counted before it is looked at, in the database, so that the bound is exact whatever runs in parallel and over
restarts, and taken back if it was right or never got looked at. It counts by (account, digest of the password): a client that
repeats one wrong password counts once. Secrets that we made, and sessions, are no guesses and go on. Nobody sleeps:
the answer is 429 with `Retry-After`. Names that do not exist count like those that do, so nobody learns which do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, Select, delete, func, select

from authsvc.audit import service as audit
from authsvc.authn.credentials import Basic
from authsvc.authn.models import LoginFailure, LoginLock
from authsvc.core import origin
from authsvc.core.db import db, family, reading, transaction, utcnow
from authsvc.core.errors import Forbidden, InvalidCredentials, Limit, NotFound, TooManyRequests
from authsvc.core.inserts import upsert
from authsvc.core.sealing import keyed_digest
from authsvc.core.settings import Settings
from authsvc.users import passwords
from authsvc.users import service as users
from authsvc.users.glimpse import Glimpse, glance

_BUCKETS = 256  # rows of `LoginLock`


@contextmanager
def counted(credential: Basic, address: str) -> Iterator[None]:
    """Around one look at a password, by somebody at `address`.

    Raises:
        TooManyRequests: the account or the address is locked for now; the password is not looked at.
    """
    with reading():
        account = _account(credential.username, credential.user)
    # The account is part of it: the same wrong password on many accounts is many guesses.
    digest = keyed_digest(f"{account}\0{credential.secret}")
    with transaction():
        _reserve(account, origin.source_of(address), digest)
    try:
        yield
    except InvalidCredentials:
        with transaction():
            audit.record(account, "login", "user", account, succeeded=False, description="wrong password")
        raise
    except BaseException:
        _take_back(account, digest)
        raise
    _take_back(account, digest)


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
    is_robots = credential.username.startswith((robot_prefix, users.robot_alias(robot_prefix)))
    return credential.username[:300] if is_robots else _account(credential.username, credential.user)


def _account(login: str, user: Glimpse | None) -> str:
    """What the guesses are counted under: one name for a user's name and e-mail."""
    # What is nobody's name may be a password that was typed into the wrong field.
    return user.name_key if user else f"unknown:{keyed_digest(users.name_key(login[:300]))[:32]}"


def _reserve(account: str, address: str, digest: str) -> None:
    settings: Settings = current_app.config["TIDEGATE"]
    since = utcnow() - timedelta(seconds=settings.login_window_seconds)
    one_at_a_time(("account", account), ("address", address))
    others = (LoginFailure.at > since) & (LoginFailure.digest != digest)
    _bounded(others & (LoginFailure.account == account), settings.login_attempts, "this account")
    if address:
        _bounded(others & (LoginFailure.address == address), settings.login_attempts_per_address, "your address")
    upsert(LoginFailure, [{"account": account, "address": address, "digest": digest, "at": utcnow()}])


def _bounded(failures: ColumnElement[bool], limit: int, what: str) -> None:
    last = func.max(LoginFailure.at).label("last")
    recent = select(last).where(failures).group_by(LoginFailure.digest).order_by(last.desc()).limit(limit)
    times: list[datetime] = list(db.session.scalars(recent))
    if len(times) >= limit:
        settings: Settings = current_app.config["TIDEGATE"]
        window = settings.login_window_seconds
        wait = max(1, int((times[-1] + timedelta(seconds=window) - utcnow()).total_seconds()) + 1)
        raise TooManyRequests(
            f"too many wrong passwords for {what}; try again in {wait} seconds", limit=Limit("logins", limit, window, wait)
        )


def one_at_a_time(*things: tuple[str, str]) -> None:
    """What is counted for each of these (kind, name) is counted one after the other, until the transaction ends. SQLite has
    one writer anyway."""
    if family() == "sqlite":
        return
    buckets = {_bucket(kind, name) for kind, name in things}
    db.session.execute(select(LoginLock.id).where(LoginLock.id.in_(buckets)).order_by(LoginLock.id).with_for_update())


def _bucket(kind: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{kind}\0{name}".encode()).digest()[:4]) % _BUCKETS


def _take_back(account: str, digest: str) -> None:
    with transaction():
        db.session.execute(delete(LoginFailure).where(LoginFailure.account == account, LoginFailure.digest == digest))


def failures() -> Select[str, str, int, datetime]:
    """(account, address, how many, the last time) of what is counted now, the latest first."""
    settings: Settings = current_app.config["TIDEGATE"]
    since = utcnow() - timedelta(seconds=settings.login_window_seconds)
    counted_ = func.count(LoginFailure.digest.distinct()).label("failures")
    last = func.max(LoginFailure.at).label("last")
    return (
        select(LoginFailure.account, LoginFailure.address, counted_, last)
        .where(LoginFailure.at > since)
        .group_by(LoginFailure.account, LoginFailure.address)
        .order_by(last.desc())
    )


def clear(actor: str, name: str) -> None:
    """Forget what was counted for an account or an address: both may log in again at once.

    Raises:
        NotFound: nothing is counted for that name.
    """
    matching = (LoginFailure.account == _account(name, glance(name))) | (LoginFailure.address == name)
    if not db.session.scalar(select(func.count()).select_from(LoginFailure).where(matching)):
        raise NotFound(f"no wrong passwords are counted for {name}")
    db.session.execute(delete(LoginFailure).where(matching))
    audit.record(actor, "update", "user", name, description="login failures cleared")


def purge() -> None:
    """Forget what does not count any more."""
    settings: Settings = current_app.config["TIDEGATE"]
    db.session.execute(delete(LoginFailure).where(LoginFailure.at < utcnow() - timedelta(seconds=settings.login_window_seconds)))
