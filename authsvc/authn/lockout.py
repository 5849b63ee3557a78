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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import Select, delete, func, select

from authsvc.audit import service as audit
from authsvc.authn.credentials import Basic
from authsvc.authn.guesses import ENTRY, KNOWN, Guess, judge, note_right, note_wrong, reserve, take_back
from authsvc.authn.identity import NotAboard
from authsvc.authn.models import LoginAddress, LoginFailure
from authsvc.core import origin
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import Forbidden, InvalidCredentials, NotFound
from authsvc.core.sealing import keyed_digest
from authsvc.core.settings import Settings
from authsvc.robots import service as robots
from authsvc.robots.rules import full_name, split_name
from authsvc.users import names, passwords
from authsvc.users.glimpse import Glimpse, glance
from authsvc.users.models import UserIdentity

_present: ContextVar[Guess | None] = ContextVar("guess", default=None)


@contextmanager
def counted(credential: Basic, address: str) -> Iterator[None]:
    """Around one look at a password, by somebody at `address`.

    Raises:
        InvalidCredentials: it was looked at a moment ago and wrong.
        TooManyRequests: the account or the address is locked for now; the password is not looked at.
    """
    passwords.require_place()
    with reading():
        account, epoch = _account(credential.username, credential.user, credential.robot_prefix)
        guess = Guess(credential.secret, origin.source_of(address), account, epoch)
        judge(guess, guess.account)
    with transaction():
        reserve(guess, guess.account)
    token = _present.set(guess)
    try:
        yield
    except NotAboard:
        with transaction():
            take_back(guess)
        raise
    except InvalidCredentials:
        with transaction():
            note_wrong(guess)
            audit.record(account, "login", "user", account, succeeded=False, description="wrong password")
        raise
    except BaseException:
        with transaction():
            take_back(guess)
        raise
    finally:
        _present.reset(token)
    with transaction():
        take_back(guess)
        note_right(guess)


def count_for() -> Callable[[str], None]:
    """What to call, on whatever thread, when whoever logs in has turned out to be some entry of a directory (`entry_of`),
    whatever he is called: the present guess counts for that one, too. To be called before the password is looked at; raises as
    `counted`."""
    guess, application = _present.get(), current_app.app_context

    def count(entry: str) -> None:
        if guess is not None:
            with application(), transaction():
                reserve(guess, _entry(entry))

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
    return f"{ENTRY}{keyed_digest(entry)[:32]}"


def failures() -> Select[str, str, int, datetime]:
    """(account, address, how many, the last time) of what is counted now, the latest first."""
    settings: Settings = current_app.config["TIDEGATE"]
    since = utcnow() - timedelta(seconds=settings.login_window_seconds)
    counted_ = func.count(LoginFailure.digest.distinct()).label("failures")
    last = func.max(LoginFailure.at).label("last")
    return (
        select(LoginFailure.account, LoginFailure.address, counted_, last)
        .where(LoginFailure.at > since, ~LoginFailure.account.startswith(ENTRY))
        .group_by(LoginFailure.account, LoginFailure.address)
        .order_by(last.desc())
    )


def counted_for(name: str) -> int:
    """How many different wrong passwords are counted for an account now, from wherever. Needs a transaction."""
    settings: Settings = current_app.config["TIDEGATE"]
    account, _ = _account(name, glance(name), robots.prefix())
    since = utcnow() - timedelta(seconds=settings.login_window_seconds)
    theirs = (LoginFailure.account == account, LoginFailure.at > since)
    return db.session.scalar(select(func.count(LoginFailure.digest.distinct())).where(*theirs)) or 0


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
    db.session.execute(delete(LoginAddress).where(LoginAddress.at < utcnow() - KNOWN))
