"""Who asks, and about which project: frozen data, all that a decision looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from authsvc.rbac.roles import Role

_NO_ROLES: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """A project as decisions see it."""

    id: int
    name: str
    public: bool


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller, or nobody. `name` is what the registry reports as actor; "" for nobody."""

    kind: Literal["user", "anonymous"]
    id: int
    name: str
    is_sysadmin: bool = False
    epoch: int = 0
    roles: Mapping[int, frozenset[Role]] = field(default_factory=dict)

    @property
    def is_authenticated(self) -> bool:
        return self.kind != "anonymous"

    def roles_in(self, project: ProjectRef | None) -> frozenset[Role]:
        """All roles held in a project; empty where there is none."""
        return self.roles.get(project.id, _NO_ROLES) if project is not None else _NO_ROLES


ANONYMOUS = Principal(kind="anonymous", id=0, name="")
