"""Scanners, by what they are given for one scan."""

from __future__ import annotations

from authsvc.authn.credentials import Basic
from authsvc.authn.identity import Identity
from authsvc.core.errors import InvalidCredentials
from authsvc.scanning import credentials


def authenticate(credential: Basic) -> Identity | None:
    """A scan's credential, under whatever name; None for all else.

    Raises:
        InvalidCredentials: it has ended, or is not one of ours.
    """
    if not credential.secret.startswith(credentials.PREFIX):
        return None
    scan = credentials.read(credential.secret)
    if scan is None:
        raise InvalidCredentials("the credential of the scan has ended, or is not one of ours")
    who = credentials.scanner([(scan.project_id, scan.repository)], expires_at=scan.until)
    return Identity(account_id=0, epoch=0, authority=who.authority, kind="scanner", until=scan.until, principal=who)
