"""The token decision: what is granted is what was asked for and is allowed, never more. Pure.

Narrow, never fail: what may not be had comes back with empty actions. A name that we do not know and one that the
caller may not know of look the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authsvc.core.names import is_repository, project_of
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.token.scope import Scope

# The registry's actions and the permission each needs; in this order they stand in tokens. Never `*`: registries differ
# in what they take it for.
REPOSITORY_ACTIONS = {
    "pull": Permission(Resource.REPOSITORY, Action.PULL),
    "push": Permission(Resource.REPOSITORY, Action.PUSH),
    "delete": Permission(Resource.REPOSITORY, Action.DELETE),
}
_CATALOG = ("registry", "catalog")


@dataclass(frozen=True, slots=True)
class Access:
    """One entry of a token's `access` claim. `project_id`: whose project the repository was in then; 0 for none."""

    type: str
    name: str
    actions: tuple[str, ...]
    project_id: int = 0


def grant(who: Principal, asked: Sequence[Scope], find_project: Callable[[str], ProjectRef | None]) -> tuple[Access, ...]:
    """What `who` gets of what is `asked`; scopes that no registry of ours has (plugins, bad names) are left out."""
    granted = []
    for scope in asked:
        if scope.resource_class:
            continue
        if scope.type == "repository" and is_repository(scope.name):
            project = find_project(project_of(scope.name))
            actions = _repository_actions(who, scope, project)
            granted.append(Access("repository", scope.name, actions, project.id if project else 0))
        elif (scope.type, scope.name) == _CATALOG:
            actions = ("*",) if who.is_sysadmin and "*" in scope.actions else ()
            granted.append(Access("registry", "catalog", actions))
    return tuple(granted)


def _repository_actions(who: Principal, scope: Scope, project: ProjectRef | None) -> tuple[str, ...]:
    if project is None:  # for administrators as for everybody: no project, nothing to push to
        return ()
    asked = REPOSITORY_ACTIONS if "*" in scope.actions else scope.actions
    return tuple(
        action
        for action, permission in REPOSITORY_ACTIONS.items()
        if action in asked and can(who, permission, project, scope.name)
    )
