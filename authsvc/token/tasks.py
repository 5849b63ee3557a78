"""Rotation of the signing key, and housekeeping of secrets, counted failures and registrations, as a job."""

from typing import Any

from authsvc.authn import lockout, registration
from authsvc.core import versioning
from authsvc.core.db import db, transaction
from authsvc.core.layout import Layout
from authsvc.jobs.context import JobContext
from authsvc.secrets import service as secrets
from authsvc.token.keys import KeyStore


def rotate_if_due(context: JobContext) -> dict[str, Any]:
    """A new leaf when a third of the present one's time is left."""
    keys = KeyStore(Layout(context.settings).keys)
    rotated = keys.rotate() if keys.is_due() else ""
    with transaction():
        secrets.purge()
        lockout.purge()
        registration.purge()
        if rotated:
            versioning.bump(db.session)
    return {"key_id": rotated} if rotated else {}
