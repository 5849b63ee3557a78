"""What a new installation still lacks until people can work with it, each told by what there is: nobody ticks anything off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import exists, select

from authsvc.artifacts.models import Artifact
from authsvc.audit.models import AuditLog
from authsvc.authn.models import IdentitySource
from authsvc.backup import service as backups
from authsvc.backup.tasks import KIND as BACKUP
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs.models import SUCCESS, Execution
from authsvc.projects.models import Project
from authsvc.users.models import User

_MADE_BY_US = "library"
_HERE = ("", "127.0.0.1", "::1")
_LOGINS = 1000  # the newest, among which somebody from elsewhere is looked for


def first_steps(settings: Settings) -> dict[str, bool]:
    """Step -> whether it is done, in the order in which they help."""
    return {name: step(settings) for name, step in _STEPS.items()}


def is_new() -> bool:
    """Whether nobody has pushed anything yet. One look into an index."""
    return not _there_is(select(Artifact.id))


def _there_is(statement: Any) -> bool:
    return bool(db.session.scalar(select(exists(statement))))


def _password(_: Settings) -> bool:
    """No system administrator has a password that somebody else knows."""
    return not _there_is(select(User.id).where(User.sysadmin, User.password_temporary))


def _address(_: Settings) -> bool:
    """Somebody has logged in from another host."""
    logins = select(AuditLog.address).where(AuditLog.operation == "login").order_by(AuditLog.op_time.desc(), AuditLog.id.desc())
    newest = logins.limit(_LOGINS).subquery()
    return _there_is(select(newest.c.address).where(newest.c.address.not_in(_HERE)))


def _certificate(settings: Settings) -> bool:
    """Clients trust it without being told to; plain HTTP is somebody else's TLS in front, or a choice."""
    return not settings.own_authority


def _people(_: Settings) -> bool:
    return _there_is(select(IdentitySource.id).where(IdentitySource.enabled))


def _project(_: Settings) -> bool:
    return _there_is(select(Project.id).where(Project.name != _MADE_BY_US))


def _push(_: Settings) -> bool:
    return not is_new()


def _backup(settings: Settings) -> bool:
    """A job has made one, or one lies where they are kept, as far as this process sees that place."""
    if _there_is(select(Execution.id).where(Execution.vendor_type == BACKUP, Execution.status == SUCCESS)):
        return True
    place = settings.backup_directory
    return place is not None and place.is_dir() and bool(backups.shelf(settings).backups())


_STEPS: dict[str, Callable[[Settings], bool]] = {
    "password": _password,
    "address": _address,
    "certificate": _certificate,
    "project": _project,
    "push": _push,
    "people": _people,
    "backup": _backup,
}
