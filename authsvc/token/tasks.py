"""Rotation of the signing key, which each host has one of; and housekeeping of secrets, counted failures and registrations, as a
job."""

from typing import Any

import structlog

from authsvc.authn import lockout, registration
from authsvc.core import versioning
from authsvc.core.db import db, transaction
from authsvc.jobs.context import JobContext
from authsvc.secrets import service as secrets
from authsvc.token.keys import KeyStore

log = structlog.get_logger(component="keys")


def rotate_if_due(keys: KeyStore) -> bool:
    """A new leaf for this host when a third of the present one's time is left; whether there is one."""
    if not keys.is_due():
        return False
    rotated = keys.rotate()
    with transaction():
        versioning.bump(db.session)
    log.info("key_rotated", key_id=rotated)
    return True


def purge(context: JobContext) -> dict[str, Any]:
    """Forget secrets that ended a while ago, and what is counted no longer."""
    with transaction():
        secrets.purge()
        lockout.purge()
        registration.purge()
    return {}
