"""From rows to frozen principals: one query for the account, one for its roles."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from authsvc.authn.backends.keyless.models import TrustRule
from authsvc.authn.identity import Identity
from authsvc.authn.models import IdentitySource
from authsvc.configuration.items import ITEMS
from authsvc.configuration.models import ConfigurationValue
from authsvc.groups.models import GroupMembership
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.authority import Authority
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Permissions, Principal, ProjectRef
from authsvc.rbac.roles import Role
from authsvc.robots.models import Robot, RobotPermission
from authsvc.robots.rules import full_name
from authsvc.secrets.models import Secret
from authsvc.secrets.rules import limited
from authsvc.secrets.service import scope_of
from authsvc.users.models import FIRST_EPOCH, User, UserIdentity
from authsvc.users.service import BUILT_IN_ADMIN

# How statements are run: by a session, or by `core.direct.DirectReader`, which is several times as fast.
Execute = Callable[..., Any]
_MAX_SHOWN = 1000  # credentials of one account


@dataclass(frozen=True, slots=True)
class Account:
    """A principal, and whether it may act at all; `expires_at` in epoch seconds, a robot's. `gone`: a user's directory or
    provider knows him no more; `closed_source`: it is switched off, and this is its name; `lapses_at` (epoch seconds): until when
    its last word counts."""

    principal: Principal
    disabled: bool
    expires_at: float | None = None
    gone: bool = False
    closed_source: str = ""
    lapses_at: float | None = None
    _shown: dict[Hashable, Principal] = field(default_factory=dict, repr=False)

    def shown_by(self, identity: Identity) -> Principal:
        """The principal with what the credential is good for, which is never more than the account is; made once for each."""
        key = identity.authority.secret_id or identity.authority
        who = self._shown.get(key)
        if who is None:
            who = limited(self.principal, identity.limits) if identity.limits is not None else self.principal
            who = replace(who, authority=self._within(identity.authority))
            if len(self._shown) >= _MAX_SHOWN:
                self._shown.clear()
            self._shown[key] = who
        return who

    def _within(self, authority: Authority) -> Authority:
        ends = [end for end in (authority.expires_at, self.expires_at) if end is not None]
        return replace(authority, expires_at=min(ends)) if ends else authority

    def refusal(self, now: float) -> str:
        """Why it may do nothing at all at this time; "" if it may."""
        what = "robot" if self.principal.kind == "robot" else "account"
        if self.disabled:
            return f"the {what} {self.principal.name} is disabled; an administrator can enable it"
        if self.gone:
            return f"the account {self.principal.name} has ended where it comes from; if it has not, log in there again"
        if self.closed_source:
            return f"the account {self.principal.name} comes from {self.closed_source}, which is switched off"
        if self.lapses_at is not None and self.lapses_at <= now:
            return f"nobody has said for long that the account {self.principal.name} is still there: log in where it comes from"
        if self.expires_at is not None and self.expires_at <= now:
            return f"the {what} {self.principal.name} has expired; an administrator can renew it"
        return ""


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """A secret of ours that was not revoked: until when it is good (epoch seconds), from where (none: everywhere), and what
    it is limited to (None: nothing)."""

    expires_at: float
    networks: tuple[str, ...]
    limits: Permissions | None


# Made once: building a statement takes SQLAlchemy longer than running it takes SQLite.
_ACCOUNT = (
    select(
        User.username,
        User.sysadmin,
        User.disabled,
        User.epoch,
        User.password_temporary,
        UserIdentity.sysadmin.label("by_group"),
        UserIdentity.gone,
        UserIdentity.source,
        UserIdentity.lapses_at,
        IdentitySource.enabled.label("source_enabled"),
    )
    .outerjoin(UserIdentity, UserIdentity.user_id == User.id)
    .outerjoin(IdentitySource, and_(IdentitySource.kind == UserIdentity.kind, IdentitySource.name == UserIdentity.source))
    .where(User.id == bindparam("user_id"), User.deleted.is_(False))
)
_GROUPS = select(GroupMembership.group_id).where(GroupMembership.user_id == bindparam("user_id"))
_ROLES = select(ProjectMember.project_id, ProjectMember.role).where(
    or_(
        and_(ProjectMember.entity_type == "u", ProjectMember.entity_id == bindparam("user_id")),
        and_(ProjectMember.entity_type == "g", ProjectMember.entity_id.in_(_GROUPS)),
    )
)
_PROJECT = select(Project.id, Project.name, Project.public, Project.registry_id, Project.settings).where(
    Project.name == bindparam("name")
)

_ROBOT = select(Robot.id, Robot.name, Robot.project_id, Robot.disabled, Robot.expires_at, Robot.epoch).where(
    Robot.id == bindparam("robot_id")
)
_ROBOT_PROJECT = select(Project.name).where(Project.id == bindparam("project_id"))
_ROBOT_PERMISSIONS = select(RobotPermission.place, RobotPermission.resource, RobotPermission.action).where(
    RobotPermission.robot_id == bindparam("robot_id")
)
_ROBOT_PREFIX = select(ConfigurationValue.value).where(ConfigurationValue.name == "robot_name_prefix")


def load(execute: Execute, key: tuple[str, int]) -> Account | None:
    """The account with that kind and id, or None: deleted, or never there."""
    kind, account_id = key
    return load_robot(execute, account_id) if kind == "robot" else load_account(execute, account_id)


def load_robot(execute: Execute, robot_id: int) -> Account | None:
    """The robot with that id, or None."""
    row = execute(_ROBOT, {"robot_id": robot_id}).first()
    if row is None:
        return None
    project = execute(_ROBOT_PROJECT, {"project_id": row.project_id}).scalar() or ""
    prefix = execute(_ROBOT_PREFIX).scalar() or ITEMS["robot_name_prefix"].default
    permissions: dict[int, set[Permission]] = {}
    for place, resource, action in execute(_ROBOT_PERMISSIONS, {"robot_id": robot_id}):
        permissions.setdefault(place, set()).add(Permission(Resource(resource), Action(action)))
    principal = Principal(
        kind="robot",
        id=0,
        robot_id=robot_id,
        name=full_name(prefix, project, row.name),
        epoch=row.epoch,
        permissions={place: frozenset(held) for place, held in permissions.items()},
    )
    return Account(principal, bool(row.disabled), row.expires_at.timestamp() if row.expires_at else None)


def load_account(execute: Execute, user_id: int) -> Account | None:
    """The account with that id, or None: deleted, or never there."""
    row = execute(_ACCOUNT, {"user_id": user_id}).first()
    if row is None:
        return None
    principal = Principal(
        kind="user",
        id=user_id,
        name=row.username,
        is_sysadmin=bool(row.sysadmin or row.by_group),
        epoch=row.epoch,
        roles=_roles(execute, user_id),
        temporary_password=bool(row.password_temporary),
        held_back=bool(row.password_temporary) and not _is_as_set_up(user_id, row.epoch),
    )
    return Account(
        principal,
        bool(row.disabled),
        gone=bool(row.gone),
        closed_source=row.source if row.source and not row.source_enabled else "",
        lapses_at=row.lapses_at.timestamp() if row.lapses_at else None,
    )


def _is_as_set_up(user_id: int, epoch: int) -> bool:
    """The first administrator with the password of the first start: made on the operator's own host and shown there alone, so
    that it is nobody else's. The pages ask for another one; commands and clients may start with it."""
    return user_id == BUILT_IN_ADMIN and epoch == FIRST_EPOCH


def _roles(execute: Execute, user_id: int) -> dict[int, frozenset[Role]]:
    """Project id -> roles held, by the user himself or by a group of his."""
    roles: dict[int, set[Role]] = {}
    for project_id, role in execute(_ROLES, {"user_id": user_id}):
        roles.setdefault(project_id, set()).add(Role(role))
    return {project_id: frozenset(held_roles) for project_id, held_roles in roles.items()}


def load_project(execute: Execute, name: str) -> ProjectRef | None:
    """The project of that name, or None."""
    row = execute(_PROJECT, {"name": name}).first()
    return ProjectRef(row.id, row.name, bool(row.public), row.registry_id or 0, row.settings) if row else None


_SECRET = select(Secret.expires_at, Secret.networks, Secret.scope).where(
    Secret.id == bindparam("id"), Secret.revoked_at.is_(None)
)
_RULE = select(TrustRule.project_id, TrustRule.repositories, TrustRule.actions).where(
    TrustRule.id == bindparam("id"), TrustRule.enabled.is_(True)
)


def load_secret(execute: Execute, secret_id: int) -> LiveSecret | None:
    """The secret with that id, or None: revoked, or never there."""
    row = execute(_SECRET, {"id": secret_id}).first()
    if row is None:
        return None
    scope = scope_of(row.scope)
    limits = scope.limits if scope else None
    return LiveSecret(row.expires_at.timestamp() if row.expires_at else inf, tuple(row.networks), limits)


def load_trust_rule(execute: Execute, rule_id: int) -> Any:
    """What the trust rule with that id gives (`project_id`, `repositories`, `actions`), or None: disabled, or gone."""
    return execute(_RULE, {"id": rule_id}).first()
