"""Local users: name or e-mail, and a password."""

from __future__ import annotations

from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.db import reading
from authsvc.core.errors import InvalidCredentials
from authsvc.users import passwords
from authsvc.users.glimpse import glance


def authenticate(credential: Basic) -> Identity | None:
    """Check a password. The last in the chain: it answers for every name, known or not, after the same time.

    Raises:
        InvalidCredentials: no such user, or not the password; nobody learns which.
    """
    with reading():
        user = glance(credential.username)
        known = (user.password_hash, Identity(user.id, user.epoch)) if user else (None, None)
    password_hash, identity = known
    if not passwords.verify(password_hash, credential.secret) or identity is None:
        raise InvalidCredentials("the user name or password is not right")
    return identity
