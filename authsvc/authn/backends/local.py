"""Local users: name or e-mail, and a password."""

from __future__ import annotations

from authsvc.authn.authenticators import Identity
from authsvc.authn.credentials import Basic
from authsvc.core.errors import InvalidCredentials
from authsvc.users import passwords
from authsvc.users import service as users


def authenticate(credential: Basic) -> Identity | None:
    """Check a password. The last in the chain: it answers for every name, known or not, after the same time.

    Raises:
        InvalidCredentials: no such user, or not the password; nobody learns which.
    """
    user = users.find(credential.username)
    if not passwords.verify(user.password_hash if user else None, credential.secret) or user is None:
        raise InvalidCredentials("the user name or password is not right")
    return Identity(user_id=user.id, epoch=user.epoch)
