"""Credentials as they come in an Authorization header (RFC 7617 Basic, RFC 6750 Bearer)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import cached_property

from authsvc.core.errors import InvalidCredentials
from authsvc.users.glimpse import Glimpse, glance

# What nginx lets through. ID tokens of people in hundreds of groups are long.
_MAX = 32 * 1024


@dataclass(frozen=True)
class Basic:
    """A user name and a password or other secret. `robot_prefix`: what robots' names begin with, if it may be one's."""

    username: str
    secret: str = field(repr=False)
    robot_prefix: str = ""

    @cached_property
    def user(self) -> Glimpse | None:
        """Whose name it is, looked up once; the first time needs a transaction. Who changed meanwhile has another epoch."""
        return glance(self.username)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token."""

    token: str = field(repr=False)


def parse(header: str) -> Basic | Bearer | None:
    """Parse an Authorization header; None if there is none.

    Raises:
        InvalidCredentials: there is one, and it is neither Basic nor Bearer, or cannot be read.
    """
    if not header:
        return None
    scheme, _, value = header.strip().partition(" ")
    if len(header) > _MAX:
        raise InvalidCredentials("the Authorization header is too long")
    if scheme.lower() == "bearer" and value.strip():
        return Bearer(value.strip())
    if scheme.lower() != "basic":
        raise InvalidCredentials("the Authorization header is neither Basic nor Bearer")
    try:
        username, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise InvalidCredentials("the Basic credentials cannot be read: base64 of UTF-8 name:password is expected") from None
    if not colon or "\0" in username + secret:
        raise InvalidCredentials("the Basic credentials cannot be read: base64 of UTF-8 name:password is expected")
    return Basic(username, secret)
