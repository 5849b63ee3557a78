"""Passwords chosen by people: argon2id (RFC 9106), and a bulkhead around it.

A hash takes tens of milliseconds of a core by design. So they run on half of the host's cores at most, and of each
process some wait; a flood of wrong passwords then costs its senders a 429, not everybody else the API.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from flask import current_app

from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, TooManyRequests
from authsvc.core.layout import Layout
from authsvc.core.places import Taken, place

MIN_LENGTH = 8
MAX_LENGTH = 1024

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Those that run, and those that wait: two thirds of the threads that a process of the API has.
_places = threading.BoundedSemaphore(8)
_PATIENCE = 5.0  # seconds


@cache
def _nobody() -> str:
    """Verified for unknown names, so that their answer takes as long as a wrong password's."""
    return _hasher.hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    """Some ten thousands of passwords found in leaks, as zxcvbn brings them; loaded when one is first chosen."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - large

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_LENGTH)


class Busy(TooManyRequests):
    """As many passwords are being looked at as may be."""

    def __init__(self) -> None:
        super().__init__("too many logins at once; try again in a moment", retry_after=2)


def require_place() -> None:
    """Ahead of what a look costs besides.

    Raises:
        Busy
    """
    if not _places.acquire(blocking=False):
        raise Busy
    _places.release()


@contextmanager
def _bulkhead() -> Iterator[None]:
    must_be_free("hashing a password")
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        with _at_a_time():
            yield
    except Taken:
        raise Busy from None
    finally:
        _places.release()


def _at_a_time() -> AbstractContextManager[None]:
    """On half of the host's cores, of all processes: the others are for machines."""
    if not current_app:
        return nullcontext()
    directory = Layout(current_app.config["TIDEGATE"]).hashing
    return place(directory, max(1, (os.cpu_count() or 1) // 2), _PATIENCE)


def check_rules(password: str, username: str = "") -> None:
    """Length, and none that everybody tries first; no composition rules (NIST SP 800-63B 5.1.1.2).

    Raises:
        BadRequest: too short, too long, holding a control character, the user's name, or one of the common ones.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadRequest(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise BadRequest("a password cannot hold control characters")
    if password.casefold() == username.casefold() or password.lower() in _common():
        raise BadRequest("that is one of the passwords that everybody tries first; choose another")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A password that may be set, and its argon2id hash, with parameters and salt in it: made by `choose`, before there is a
    transaction."""

    text: str = field(repr=False)
    hash: str = field(repr=False)


def choose(password: str, username: str = "") -> Chosen:
    """Somebody wants this password.

    Raises:
        BadRequest: it is against the rules.
    """
    check_rules(password, username)
    return hashed(password)


def hashed(secret: str) -> Chosen:
    """The same for a secret that other rules are for."""
    with _bulkhead():
        return Chosen(secret, _hasher.hash(secret))


def verify(password_hash: str | None, password: str) -> bool:
    """True if it is the password; for None (no such user, or none set) False, after the same time."""
    if len(password) > MAX_LENGTH:
        return False
    with _bulkhead():
        try:
            return _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
        except (Argon2Error, InvalidHashError):
            return False
