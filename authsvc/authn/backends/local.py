"""Local users: name or e-mail, and a password. With people of a provider it is the CLI secret of their choice."""

from __future__ import annotations

from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.db import reading
from authsvc.core.errors import InvalidCredentials
from authsvc.rbac.authority import OWN, Authority, Credential
from authsvc.users import passwords


def authenticate(credential: Basic) -> Identity | None:
    """Check a password. The last in the chain: it answers for every name, known or not, after the same time.

    Raises:
        InvalidCredentials: no such user, or not the password; nobody learns which.
    """
    with reading():
        user = credential.user
    if not passwords.verify(user.password_hash if user else None, credential.secret) or user is None:
        raise InvalidCredentials("the user name or password is not right")
    return Identity(user.id, user.epoch, Authority(Credential.CLI) if user.kind == "oidc" else OWN)
