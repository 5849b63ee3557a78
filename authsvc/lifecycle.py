"""Beginning and end of what many rooms know of: whole verbs, which routes, commands and jobs call alike.

Each is one function, so that what belongs to a project is read here and forgotten nowhere. What others made in the registry under
its name goes with a project: the next one of that name is somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from authsvc.allowlist import service as allowlists
from authsvc.artifacts import journal, removal
from authsvc.audit import service as audit
from authsvc.authn.backends.keyless import service as keyless
from authsvc.core.db import db, hold, reading, transaction
from authsvc.core.errors import PreconditionFailed
from authsvc.distribution import stores
from authsvc.distribution.client import RegistryClient
from authsvc.groups import service as groups
from authsvc.groups.models import UserGroup
from authsvc.labels import service as labels
from authsvc.notification import service as notification
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.retention import service as retention
from authsvc.robots import service as robots

_PATIENCE, _PAUSE = 3.0, 0.02  # seconds


def create_project(creator: Principal, owner_id: int, name: str, metadata: Mapping[str, str | None] | None = None) -> Project:
    """A new project, whose place in the registry is empty; a system administrator may also take over what is stored there.

    Raises:
        BadRequest, Conflict: as `projects.service.create`.
        PreconditionFailed: the registry holds images under that name.
    """
    project = projects.create(creator.name, owner_id, name, metadata)
    storage = stores.storage()
    if storage.has_manifests(name):
        if not creator.is_sysadmin:
            raise PreconditionFailed(f"the registry holds images below {name}: a system administrator can take them over")
    elif not storage.take_project(name):
        raise PreconditionFailed(f"the registry holds layers below {name} that cannot be taken away; its log says why")
    return project


def require_deletable(project: Project) -> None:
    """
    Raises:
        PreconditionFailed: there is something in it, or about to be.
    """
    repositories.require_empty(project)
    if journal.are_open(project.id):
        raise PreconditionFailed("something is being written to the project at this moment; try again")
    if stores.storage().has_manifests(project.name):
        raise PreconditionFailed(
            "the registry holds images that are not in the index: authsvc reconcile records them, "
            "authsvc damages lists what it cannot"
        )


def wait_for_writes(project: Project) -> None:
    """Let what is being written to a project end, if that is a matter of moments: a notification that comes late has its tag
    looked at. It ends the present transaction, which has only read so far.
    """
    project_id, until = project.id, time.monotonic() + _PATIENCE
    db.session.rollback()
    while time.monotonic() < until:
        with reading():
            if not journal.are_open(project_id):
                return
        time.sleep(_PAUSE)


def delete_project(actor: str, project: Project) -> None:
    """Delete an empty project, with all that belongs to it; what is stored for it in the registry is nobody's afterwards.

    Raises:
        PreconditionFailed: as `require_deletable`.
        NotFound: somebody else has deleted it.
    """
    hold(project)
    require_deletable(project)
    robots.delete_of_project(actor, project.id)
    notification.delete_of_project(project.id)
    keyless.remove_of_project(project.id)
    labels.remove_of_project(project.id)
    allowlists.remove(project.id)
    retention.remove_of_project(project)
    projects.delete(actor, project)
    db.session.flush()
    stores.storage().take_project(project.name)


def delete_repository(actor: str, client: RegistryClient, name: str, project_id: int) -> None:
    """Delete a repository of a project and all that is in it; outside of transactions. Its layers can be had by nobody
    afterwards, unless somebody pushes to it at the same moment.

    Raises:
        Unavailable: the registry does not answer; what was deleted until then is gone, the rest stays.
    """
    removal.empty(actor, client, name, project_id)
    with transaction():
        audit.record(actor, "delete", "repository", name, project_id=project_id)
        project = db.session.get(Project, project_id)
        if project is not None:
            hold(project)
        if (found := repositories.lock(name)) is not None:
            db.session.delete(found)
            db.session.flush()
        if project is not None and not journal.are_open(project_id, name):
            stores.storage().take_repository(name)
    stores.storage().clear_removed()


def delete_group(actor: str, group: UserGroup) -> None:
    """Delete a group with its roles and memberships."""
    members.remove_group(actor, group)
    groups.delete(actor, group)
