"""Where somebody may do something: the decision of `policy.why`, asked the other way round, for lists and counts. Pure.

`reach(who, permission).holds(project)` says for every project what `why` says of it, and `holds_on` what it says of one of its
repositories; `tests/rbac/test_reach.py` holds them against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from authsvc.core import wildcards
from authsvc.rbac.permissions import Permission
from authsvc.rbac.principal import EVERYWHERE, SYSTEM, Principal, ProjectRef
from authsvc.rbac.roles import PUBLIC_PERMISSIONS, ROLE_PERMISSIONS

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """Every project, or `projects` by their ids, and all public ones if `public`; of these only those `within`, if it is not
    None. `bound`: on which repositories of a project only, by patterns for what comes after its name."""

    everywhere: bool = False
    public: bool = False
    projects: frozenset[int] = _NONE
    within: frozenset[int] | None = None
    bound: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def holds(self, project: ProjectRef) -> bool:
        """True if it is held in that project, on some repository of it or on all."""
        if self.within is not None and project.id not in self.within:
            return False
        return self.everywhere or project.id in self.projects or (self.public and project.public)

    def holds_on(self, project: ProjectRef, repository: str) -> bool:
        """True if it is held on that repository (its full name)."""
        if not self.holds(project):
            return False
        patterns = self.bound.get(project.id)
        if patterns is None or (self.public and project.public):
            return True
        rest = repository.partition("/")[2]
        return any(wildcards.matches(pattern, rest) for pattern in patterns)


def reach(who: Principal, permission: Permission) -> Reach:
    """Where `who` holds `permission`."""
    within: frozenset[int] | None = None
    if who.limits is not None and permission not in who.limits.get(EVERYWHERE, frozenset()):
        within = frozenset(place for place, allowed in who.limits.items() if place > SYSTEM and permission in allowed)
    by_permission = frozenset(place for place, held in who.permissions.items() if place > SYSTEM and permission in held)
    by_role = frozenset(
        place for place, roles in who.roles.items() if any(permission in ROLE_PERMISSIONS[role] for role in roles)
    )
    return Reach(
        everywhere=who.is_sysadmin or permission in who.permissions.get(EVERYWHERE, frozenset()),
        public=permission in PUBLIC_PERMISSIONS,
        projects=by_permission | by_role,
        within=within,
        bound={}
        if who.is_sysadmin
        else {place: _patterns(who, place, permission) for place in who.repositories if place not in by_role},
    )


def _patterns(who: Principal, place: int, permission: Permission) -> tuple[str, ...]:
    return who.bound_to(ProjectRef(place, "", public=False), permission)
