"""Harbor's five project roles as a table. Roles grow by union, so each row reads as its difference to the row before.

Held against a hand-reviewed copy of Harbor's matrix in `tests/rbac/role_matrix.csv`.
"""

from enum import IntEnum

from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission, permissions
from authsvc.rbac.permissions import Resource as R


class Role(IntEnum):
    """Harbor's role ids, as they stand in its API and database. Not ordered by power: see `BY_POWER`."""

    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3
    MAINTAINER = 4
    LIMITED_GUEST = 5

    @property
    def label(self) -> str:
        """Harbor's `role_name`, such as `projectAdmin`."""
        return _LABELS[self]


_LABELS = {
    Role.PROJECT_ADMIN: "projectAdmin",
    Role.DEVELOPER: "developer",
    Role.GUEST: "guest",
    Role.MAINTAINER: "maintainer",
    Role.LIMITED_GUEST: "limitedGuest",
}

_LIMITED_GUEST = (
    permissions(R.ACCESSORY, A.LIST)
    | permissions(R.ARTIFACT, A.LIST, A.READ)
    | permissions(R.ARTIFACT_ADDITION, A.READ)
    | permissions(R.CONFIGURATION, A.READ)
    | permissions(R.PROJECT, A.READ)
    | permissions(R.QUOTA, A.READ)
    | permissions(R.REPOSITORY, A.LIST, A.PULL, A.READ)
    | permissions(R.SBOM, A.READ)
    | permissions(R.SCAN, A.READ)
    | permissions(R.SCANNER, A.READ)
    | permissions(R.TAG, A.LIST)
)
_GUEST = (
    _LIMITED_GUEST
    | permissions(R.LABEL, A.LIST, A.READ)
    | permissions(R.MEMBER, A.LIST, A.READ)
    | permissions(R.ROBOT, A.LIST, A.READ)
)
_DEVELOPER = (
    _GUEST
    | permissions(R.ARTIFACT, A.CREATE)
    | permissions(R.ARTIFACT_LABEL, A.CREATE, A.DELETE)
    | permissions(R.EXPORT_CVE, A.CREATE, A.LIST, A.READ)
    | permissions(R.REPOSITORY, A.CREATE, A.PUSH, A.UPDATE)
    | permissions(R.TAG, A.CREATE)
    | permissions(R.TAG_RETENTION, A.CREATE, A.DELETE, A.LIST, A.OPERATE, A.READ, A.UPDATE)
)
_MAINTAINER = (
    _DEVELOPER
    | permissions(R.ARTIFACT, A.DELETE)
    | permissions(R.IMMUTABLE_TAG, A.CREATE, A.DELETE, A.LIST, A.UPDATE)
    | permissions(R.LABEL, A.CREATE, A.DELETE, A.UPDATE)
    | permissions(R.METADATA, A.READ)
    | permissions(R.NOTIFICATION_POLICY, A.LIST, A.READ)
    | permissions(R.REPOSITORY, A.DELETE)
    | permissions(R.SBOM, A.CREATE, A.STOP)
    | permissions(R.SCAN, A.CREATE, A.STOP)
    | permissions(R.TAG, A.DELETE)
)
_PROJECT_ADMIN = (
    _MAINTAINER
    | permissions(R.CONFIGURATION, A.UPDATE)
    | permissions(R.LOG, A.LIST)
    | permissions(R.MEMBER, A.CREATE, A.DELETE, A.UPDATE)
    | permissions(R.METADATA, A.CREATE, A.DELETE, A.UPDATE)
    | permissions(R.NOTIFICATION_POLICY, A.CREATE, A.DELETE, A.UPDATE)
    | permissions(R.PREHEAT_POLICY, A.CREATE, A.DELETE, A.LIST, A.READ, A.UPDATE)
    | permissions(R.PROJECT, A.DELETE, A.UPDATE)
    | permissions(R.ROBOT, A.CREATE, A.DELETE, A.UPDATE)
    | permissions(R.SCANNER, A.CREATE)
)

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.PROJECT_ADMIN: _PROJECT_ADMIN,
    Role.MAINTAINER: _MAINTAINER,
    Role.DEVELOPER: _DEVELOPER,
    Role.GUEST: _GUEST,
    Role.LIMITED_GUEST: _LIMITED_GUEST,
}
BY_POWER: tuple[Role, ...] = tuple(ROLE_PERMISSIONS)  # the strongest first

# What anybody, logged in or not, may do in a public project.
PUBLIC_PERMISSIONS: frozenset[Permission] = (
    permissions(R.ACCESSORY, A.LIST)
    | permissions(R.ARTIFACT, A.LIST, A.READ)
    | permissions(R.ARTIFACT_ADDITION, A.READ)
    | permissions(R.LABEL, A.LIST, A.READ)
    | permissions(R.PROJECT, A.READ)
    | permissions(R.REPOSITORY, A.LIST, A.PULL)
    | permissions(R.SCAN, A.READ)
    | permissions(R.SCANNER, A.READ)
    | permissions(R.TAG, A.LIST)
)

# Beyond the roles only a system administrator (and, later, a robot that was given it) may do these.
ALL_PERMISSIONS: frozenset[Permission] = _PROJECT_ADMIN | permissions(R.METADATA, A.LIST)


def strongest(roles: frozenset[Role]) -> Role | None:
    """The most powerful of several roles: Harbor's `current_user_role_id`."""
    return next((role for role in BY_POWER if role in roles), None)
