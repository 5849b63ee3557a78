"""Who asks, and about which project: frozen data, all that a decision looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from authsvc.core import wildcards
from authsvc.rbac.authority import CLOSED, OWN, Authority, Door
from authsvc.rbac.permissions import Permission
from authsvc.rbac.roles import Role

_NO_ROLES: frozenset[Role] = frozenset()
_NOTHING: frozenset[Permission] = frozenset()
# Where a permission holds: in the project of that id, in every project, or outside of projects.
EVERYWHERE, SYSTEM = -1, 0
Permissions = Mapping[int, frozenset[Permission]]


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """A project as decisions see it. `upstream`: the id of the registry whose images it caches; 0: it has its own; `settings`:
    Harbor's metadata of it."""

    id: int
    name: str
    public: bool
    upstream: int = 0
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller, or nobody. `name` is what the registry reports as actor; "" for nobody.

    `id` is the user's; of who is no user it is 0, and a robot's is `robot_id`. People hold roles, robots, workloads and scanners
    permissions; `repositories` says for a project on which repositories a workload or scanner holds which of them, by patterns
    for what comes after the project's name. `limits`: with this credential no more than that may be done, whatever the roles.
    `authority`: what the credential itself is good for.
    `temporary_password`: it was generated, and the pages ask for another one first; `held_back`: somebody else made it, and it
    opens nothing else at all.
    """

    kind: Literal["user", "robot", "workload", "scanner", "anonymous"]
    id: int
    name: str
    is_sysadmin: bool = False
    epoch: int = 0
    roles: Mapping[int, frozenset[Role]] = field(default_factory=dict)
    robot_id: int = 0
    permissions: Permissions = field(default_factory=dict)
    limits: Permissions | None = None
    repositories: Mapping[int, Mapping[str, frozenset[Permission]]] = field(default_factory=dict)
    authority: Authority = CLOSED
    temporary_password: bool = False
    held_back: bool = False

    def bound_to(self, project: ProjectRef, permission: Permission) -> tuple[str, ...]:
        """The patterns of the only repositories of the project on which this principal was given that; none: not bound."""
        bound = self.repositories.get(project.id, {})
        return tuple(pattern for pattern, held in bound.items() if permission in held)

    def is_given(self, permission: Permission, project: ProjectRef | None, repository: str) -> bool:
        """True if it is among `permissions`, and for that repository (full name; "": for any)."""
        if not permitted(self.permissions, permission, project):
            return False
        if project is None or not repository or project.id not in self.repositories:
            return True
        rest = repository.partition("/")[2]
        return any(wildcards.matches(pattern, rest) for pattern in self.bound_to(project, permission))

    @property
    def credential_key(self) -> tuple[str, ...]:
        """The account and the credential that it showed, the same each time; passwords and sessions of one user are alike, since
        either opens what the other does."""
        authority = self.authority
        own = authority.opens(Door.CREDENTIALS)
        shown = () if own else (authority.credential, str(authority.secret_id))
        return (self.kind, str(self.id or self.robot_id), self.name, *shown)

    @property
    def is_authenticated(self) -> bool:
        return self.kind != "anonymous"

    def roles_in(self, project: ProjectRef | None) -> frozenset[Role]:
        """All roles held in a project; empty where there is none."""
        return self.roles.get(project.id, _NO_ROLES) if project is not None else _NO_ROLES


def permitted(permissions: Permissions, permission: Permission, project: ProjectRef | None) -> bool:
    """True if `permission` is among those that hold in `project` (None: outside of projects)."""
    if project is None:
        return permission in permissions.get(SYSTEM, _NOTHING)
    return permission in permissions.get(project.id, _NOTHING) or permission in permissions.get(EVERYWHERE, _NOTHING)


ANONYMOUS = Principal(kind="anonymous", id=0, name="")


def operator(name: str) -> Principal:
    """Whoever runs commands on our own host: everything that is decided here is in his hands anyway."""
    return Principal(kind="user", id=0, name=name, is_sysadmin=True, authority=OWN)
