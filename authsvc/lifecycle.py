"""Beginning and end of what many rooms know of: whole verbs, which routes, commands and jobs call alike.

Each is one function, so that what belongs to a project is read here and forgotten nowhere. What others made in the registry under
its name goes with a project: the next one of that name is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from authsvc.allowlist import service as allowlists
from authsvc.artifacts import journal, removal, settling
from authsvc.audit import service as audit
from authsvc.authn.backends.keyless import service as keyless
from authsvc.core.db import db, hold, let_go, transaction
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
from authsvc.registries.models import Registry
from authsvc.repositories import service as repositories
from authsvc.retention import service as retention
from authsvc.robots import service as robots


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project of that name will be: nobody else has it, and what others had stored there is gone."""

    name: str
    intent_id: int


def take_place(creator: Principal, name: str) -> Place:
    """Hold the place of a project that is to be made, and empty it; a system administrator may also take over what is stored
    there. It ends the present transaction, which has only read so far; whoever dies, or takes more than a minute, holds it no
    longer.

    Raises:
        BadRequest, Conflict: as `projects.service.create`.
        PreconditionFailed: the registry holds images under that name.
        Unavailable: somebody else holds it, or the storage does not answer.
    """

    def open_() -> int:
        projects.require_free(name)
        intent = journal.close(0, name, creator.name)
        projects.require_free(name)  # whoever held it until this moment may have made it
        return intent.id

    let_go()
    place = Place(name, settling.enter(None, open_, what="project"))
    with _held(place.intent_id) as keep_going:
        storage = stores.storage()
        if storage.has_manifests(name):
            if not creator.is_sysadmin:
                raise PreconditionFailed(f"the registry holds images below {name}: a system administrator can take them over")
            return place
        keep_going()  # looking may have taken long
        if not storage.take_project(name, keep_going):
            raise PreconditionFailed(f"the registry holds layers below {name} that cannot be taken away; its log says why")
    return place


@contextmanager
def place_of(creator: Principal, name: str) -> Iterator[Place]:
    """`take_place`, given back where no project comes of it."""
    place = take_place(creator, name)
    with _held(place.intent_id):
        yield place


def create_project(
    creator: Principal,
    owner_id: int,
    place: Place,
    metadata: Mapping[str, str | None] | None = None,
    registry: Registry | None = None,
) -> Project:
    """A new project, in the caller's transaction. One that caches the images of a `registry` keeps what was pulled within a week.

    Raises:
        BadRequest, Conflict: as `projects.service.create`.
        Unavailable: the place is held no longer.
    """
    project = projects.create(creator.name, owner_id, place.name, metadata, registry.id if registry is not None else None)
    if registry is not None:
        retention.create(creator.name, project, retention.OF_CACHES)
    journal.finish(place.intent_id)
    return project


@contextmanager
def _held(intent_id: int) -> Iterator[Callable[[], None]]:
    """Whatever goes wrong inside, the intent is over; yields what holds it for longer."""
    try:
        yield partial(journal.keep, intent_id)
    except BaseException:
        db.session.rollback()
        with transaction():
            journal.end(intent_id)
        raise


def require_deletable(project: Project) -> None:
    """
    Raises:
        PreconditionFailed: there is something in it, or about to be.
        Unavailable: the storage does not answer.
    """
    repositories.require_empty(project)
    if journal.are_open(project.id):
        raise PreconditionFailed("something is being written to the project at this moment; try again")
    name = project.name
    let_go()  # a bucket may take its time
    _require_no_manifests(name)


def _require_no_manifests(name: str) -> None:
    if stores.storage().has_manifests(name):
        raise PreconditionFailed(
            "the registry holds images that are not in the index: authsvc reconcile records them, "
            "authsvc damages lists what it cannot"
        )


def delete_project(actor: str, find: Callable[[], Project], client: RegistryClient | None = None) -> None:
    """Delete an empty project, with all that belongs to it; nothing is stored under its name afterwards. What is being written to
    it is waited for, for some seconds. It ends the present transaction, which has only read so far, and has transactions of its
    own; `find` reads the project in each, and refuses by raising.

    Raises:
        PreconditionFailed: something is in it.
        NotFound: somebody else has deleted it.
        Unavailable: somebody writes to it and does not get done, or the storage does not answer.
    """

    def open_() -> tuple[int, str]:
        project = find()
        intent = journal.close(project.id, project.name, actor)
        repositories.require_empty(project)
        return intent.id, project.name

    let_go()
    intent_id, name = settling.enter(client, open_, what="project")
    with _held(intent_id) as keep_going:
        _require_no_manifests(name)
        keep_going()  # looking may have taken long
        stores.storage().take_project(name, keep_going)
        with transaction():
            project = find()
            hold(project)
            journal.finish(intent_id)
            repositories.require_empty(project)
            _delete_with_all(actor, project)


def _delete_with_all(actor: str, project: Project) -> None:
    robots.delete_of_project(actor, project.id)
    notification.delete_of_project(project.id)
    keyless.remove_of_project(project.id)
    labels.remove_of_project(project.id)
    allowlists.remove(project.id)
    retention.remove_of_project(project)
    projects.delete(actor, project)
    db.session.flush()


def delete_repository(actor: str, client: RegistryClient, name: str, project_id: int) -> None:
    """Delete a repository of a project and all that is in it; outside of transactions. Its layers can be had by nobody
    afterwards, unless somebody pushes to it at the same moment: what is recorded by then stays, and the repository with it.

    Raises:
        NotFound: its project is gone.
        Unavailable: the registry does not answer; what was deleted until then is gone, the rest stays.
    """

    def open_() -> int:
        intent = journal.close(project_id, name, actor)
        if not removal.is_empty(name):
            raise journal.Held(None)
        return intent.id

    removal.empty(actor, client, name, project_id)
    try:
        intent_id = settling.enter(client, open_, wait=0)
    except settling.Occupied:
        _forget_repository(actor, name, project_id)
        return
    with _held(intent_id) as keep_going:
        stores.storage().take_repository(name, keep_going)
        _forget_repository(actor, name, project_id, intent_id)
    stores.storage().clear_removed()


def _forget_repository(actor: str, name: str, project_id: int, intent_id: int = 0) -> None:
    with transaction():
        if intent_id:
            journal.finish(intent_id)
        audit.record(actor, "delete", "repository", name, project_id=project_id)
        if (found := repositories.lock(name)) is not None and removal.is_empty(name):
            db.session.delete(found)


def delete_group(actor: str, group: UserGroup) -> None:
    """Delete a group with its roles and memberships."""
    members.remove_group(actor, group)
    groups.delete(actor, group)
