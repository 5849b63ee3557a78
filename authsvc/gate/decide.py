"""May this caller do that, now? First rights, then what the rules say about requests that only pass by."""

from __future__ import annotations

from dataclasses import dataclass, replace

from authsvc.authn.snapshot import Snapshot
from authsvc.core.names import project_of
from authsvc.gate.asked import Asked, Kind
from authsvc.gate.callers import Caller
from authsvc.gate.checks import BlobWrite, Checks, ManifestRead, Refusal, Refused
from authsvc.rbac.explain import explain
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.token.grants import REPOSITORY_ACTIONS

_RIGHTS = "rights"
_READ = Permission(Resource.PROJECT, Action.READ)


@dataclass(frozen=True, slots=True)
class Told:
    """What else a request says of itself: its user agent, and the length of its body ("" unknown)."""

    user_agent: str = ""
    length: str = ""


def authorize(caller: Caller | None, asked: Asked, snapshot: Snapshot) -> ProjectRef | None:
    """The project that the request is about; None for the base path.

    Raises:
        Refused: 401 if other credentials or a new token could help, 403 or 404 if they could not.
    """
    if caller is None:
        raise Refused(Refusal(401, "UNAUTHORIZED", "authentication required", _RIGHTS), "")
    projects: list[ProjectRef] = []
    for repository, actions in asked.needs():
        try:
            projects.append(_require(caller, repository, actions, snapshot))
        except Refused as refused:
            raise _unmountable(refused) if projects else refused from None
    return projects[0] if projects else None


def _unmountable(refused: Refused) -> Refused:
    """The source of a mount is what the client may do without: the registry says 401 there, and on nothing else does
    containerd go on to upload the blob."""
    return Refused(replace(refused.refusal, status=401, code="UNAUTHORIZED"), refused.challenge or "insufficient_scope")


def _require(caller: Caller, repository: str, actions: tuple[str, ...], snapshot: Snapshot) -> ProjectRef:
    project = snapshot.project(project_of(repository))
    granted = caller.token.access.get(repository) if caller.token else None
    if granted and granted.project_id and granted.project_id != (project.id if project else 0):
        message = f"the token is of a project {project_of(repository)} that is gone"
        raise Refused(Refusal(401, "UNAUTHORIZED", message, _RIGHTS), "invalid_token")
    for action in actions:
        permission = REPOSITORY_ACTIONS[action]
        if project is None or not can(caller.principal, permission, project, repository):
            raise _denied(caller.principal, permission, repository, project)
        if caller.token and (granted is None or action not in granted.actions):
            message = f"the token was not given for {action} on {repository}"
            raise Refused(Refusal(401, "UNAUTHORIZED", message, _RIGHTS), "insufficient_scope")
    assert project is not None  # noqa: S101 - every request needs some action
    return project


def _denied(who: Principal, permission: Permission, repository: str, project: ProjectRef | None) -> Refused:
    message = f"unauthorized to access repository: {repository}, action: {permission.action}"
    if not who.is_authenticated:
        return Refused(Refusal(401, "UNAUTHORIZED", f"{message}: log in first", _RIGHTS), "insufficient_scope")
    name = project_of(repository)
    if project is None and who.is_sysadmin:
        message = f"project {name} not found"
        return Refused(Refusal(404, "NAME_UNKNOWN", message, _RIGHTS, "somebody has to create it first"))
    if project is None or not _may_know(who, project):
        # Word for word the same whether there is none or none for this caller: nobody learns which private projects exist.
        reason = f"there is no project {name}, or {who.name} holds no role in it"
        return Refused(Refusal(403, "DENIED", f"{message}: {reason}", _RIGHTS, "a project administrator can add members"))
    if can(who, permission, project):
        there = ", ".join(f"{name}/{pattern}" for pattern in who.bound_to(project, permission))
        reason = f"the trust rules give {who.name} {permission.action} on {there} only"
        return Refused(
            Refusal(403, "DENIED", f"{message}: {reason}", _RIGHTS, "a system administrator can change the trust rules")
        )
    return Refused(Refusal(403, "DENIED", f"{message}: {explain(who, permission, name, project).reason}", _RIGHTS))


def _may_know(who: Principal, project: ProjectRef) -> bool:
    return (
        project.public
        or can(who, _READ, project)
        or any(can(who, permission, project) for permission in REPOSITORY_ACTIONS.values())
    )


def check_passing(checks: Checks, caller: Caller, asked: Asked, project: ProjectRef, snapshot: Snapshot, told: Told) -> None:
    """Ask the rules about a read, a step of an upload, or the deletion of a blob.

    Raises:
        Refused: by one of them; or it is a write of a manifest, which goes another way.
    """
    if asked.kind is Kind.MANIFEST:
        if asked.method not in ("GET", "HEAD"):
            raise Refused(Refusal(405, "UNSUPPORTED", "manifests are not written this way", "registry API"))
        checks.read(
            ManifestRead(
                principal=caller.principal,
                project=project,
                repository=asked.repository,
                reference=asked.reference,
                method=asked.method,
                user_agent=told.user_agent,
                by_token=caller.token is not None,
                configured=snapshot.configured,
                execute=snapshot.execute,
            )
        )
    elif asked.method not in ("GET", "HEAD"):
        checks.upload(
            BlobWrite(
                principal=caller.principal,
                project=project,
                repository=asked.repository,
                method=asked.method,
                digest=asked.reference if asked.kind is Kind.BLOB else asked.digest,
                source=asked.source,
                size=int(told.length) if told.length.isascii() and told.length.isdigit() else None,
                configured=snapshot.configured,
                execute=snapshot.execute,
            )
        )
