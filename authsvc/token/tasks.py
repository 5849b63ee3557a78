"""Rotation of the signing key, which each host has one of; and housekeeping of secrets, counted failures and registrations, as a
job."""

from typing import Any

import structlog
from cryptography.x509 import Certificate

from authsvc.authn import lockout, registration
from authsvc.core import versioning
from authsvc.core.db import db, transaction
from authsvc.jobs.context import JobContext
from authsvc.secrets import service as secrets
from authsvc.token import leaves
from authsvc.token.keys import KeyStore

log = structlog.get_logger(component="keys")


def rotate_if_due(keys: KeyStore) -> bool:
    """A new leaf for this host when a third of the present one's time is left; whether there is one."""
    if not keys.is_due():
        return False
    log.info("key_rotated", key_id=rotate(keys))
    return True


def rotate(keys: KeyStore) -> str:
    """A new leaf for this host, which all nodes know before it signs anything; its key id. Needs no transaction."""

    def announce(leaf: Certificate) -> None:
        with transaction():
            leaves.announce(leaf)

    rotated = keys.rotate(announce)
    with transaction():
        leaves.retire(keys.leaves()[1])
        versioning.bump(db.session)
    return rotated


def purge(context: JobContext) -> dict[str, Any]:
    """Forget secrets that ended a while ago, and what is counted no longer."""
    with transaction():
        secrets.purge()
        leaves.purge()
        lockout.purge()
        registration.purge()
    return {}
