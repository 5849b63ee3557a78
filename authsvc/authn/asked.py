"""Of whom an explanation speaks, and what there is to know besides the rule: people who never came, a credential's limits,
groups, lockouts, jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flask import current_app
from sqlalchemy import select

from authsvc.authn import lockout
from authsvc.authn.backends import secrets
from authsvc.authn.backends.keyless import rules
from authsvc.authn.backends.keyless import service as keyless
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.authn.backends.ldap import prospects
from authsvc.authn.backends.ldap.answers import DirectoryDown
from authsvc.authn.credentials import Basic
from authsvc.authn.principals import Account, load, load_project
from authsvc.core.db import db, reading
from authsvc.core.errors import BadRequest, InvalidCredentials, NotFound
from authsvc.core.settings import Settings
from authsvc.groups.models import GroupMembership, UserGroup
from authsvc.projects.models import ProjectMember
from authsvc.rbac.explain import Explanation, explain
from authsvc.rbac.permissions import Permission
from authsvc.rbac.principal import ANONYMOUS, Principal, ProjectRef
from authsvc.rbac.roles import Role
from authsvc.robots import service as robots
from authsvc.users import service as users


@dataclass(frozen=True, slots=True)
class Somebody:
    """A principal; `unlimited`: the same with all that the account may, where a credential was shown; and what to know."""

    principal: Principal
    unlimited: Principal
    notes: tuple[str, ...] = ()


def somebody(name: str, secret: str = "") -> Somebody:
    """Whoever has that name: a user, a robot, `anonymous`, `oidc` (a CI job, with its token), or somebody of a directory who
    has never come. `secret`: one that we made, or a job's token. Waits for directories and issuers, in no transaction.

    Raises:
        NotFound: nobody has, and no directory knows the name.
        BadRequest: may do nothing at all; why.
        InvalidCredentials: the secret is not his, or no longer good.
        Unavailable: a directory or issuer does not answer.
    """
    if name == "anonymous":
        return Somebody(ANONYMOUS, ANONYMOUS)
    if name == keyless.USERNAME and secret:
        return _job(secret)
    with reading():
        account = _account(name)
        if account is not None:
            return _known(name, account, secret)
    return _stranger(name)


def explained(name: str, secret: str, permission: Permission, project_name: str, repository: str) -> Explanation:
    """Why that somebody may or may not do it there, with what else there is to know; as `somebody`.

    Raises:
        NotFound, BadRequest, InvalidCredentials, Unavailable
    """
    who = somebody(name, secret)
    with reading():
        project = load_project(db.session.execute, project_name)
        held = memberships(who.principal, project) if project is not None and who.principal.id else ()
    found = explain(who.principal, permission, project_name, project, repository)
    notes = [*who.notes, *(f"role: {one}" for one in held)]
    if who.principal.limits is not None:
        account = explain(who.unlimited, permission, project_name, project, repository)
        notes.append(f"without the secret's limits: {'allowed' if account.allowed else 'denied'}, {account.reason}")
    return replace(found, notes=tuple(notes))


def _account(name: str) -> Account | None:
    robot = robots.find(name)
    if robot is not None:
        return load(db.session.execute, ("robot", robot.id))
    user = users.find_by_name(name)
    return load(db.session.execute, ("user", user.id)) if user else None


def _known(name: str, account: Account, secret: str) -> Somebody:
    if refusal := account.refusal(time.time()):
        raise BadRequest(f"{refusal}; until then {name} may do nothing at all")
    who, notes = account.principal, tuple(_lock(account.principal))
    if not secret:
        return Somebody(who, who, notes)
    identity = secrets.authenticate(Basic(name, secret))
    if identity is None:
        raise InvalidCredentials("that is no secret that was made here; what a password opens is what is said without one")
    networks = identity.authority.networks
    bound = (f"the secret is good from {', '.join(networks)} only",) if networks else ()
    return Somebody(account.shown_by(identity), who, notes + bound)


def _lock(who: Principal) -> Iterator[str]:
    settings: Settings = current_app.config["TIDEGATE"]
    wrong = lockout.counted_for(who.name) if who.kind == "user" else 0
    if wrong >= settings.login_attempts:
        yield f"{wrong} wrong passwords are counted: strangers' addresses are locked out (authsvc lockouts clear {who.name})"


def _job(token: str) -> Somebody:
    judged = keyless.judge(token)
    notes = tuple(f"trust rule {rule.name}: {problem or 'fits'}" for rule, problem in judged.rules)
    if not judged.fitting:
        raise BadRequest("; ".join(("no trust rule fits the token, so the job may do nothing at all", *notes)))
    who = rules.workload(keyless.name_of(judged.claims), judged.fitting)
    return Somebody(who, who, notes)


def _stranger(name: str) -> Somebody:
    proof = ldap.look_up(name)
    if proof is None:
        raise NotFound(f"nobody here is called {name}, nor in any directory")
    with reading():
        try:
            said, who = prospects.told(proof.source, proof), prospects.principal(proof)
        except DirectoryDown as error:
            raise BadRequest(f"{name} cannot log in: {error}") from None
    return Somebody(who, who, (f"{name} has never come; the directory {proof.source} knows him: {said}",))


def memberships(who: Principal, project: ProjectRef) -> tuple[str, ...]:
    """By what a user holds a role in a project: himself, or groups. Needs a transaction."""
    theirs = select(GroupMembership.group_id).where(GroupMembership.user_id == who.id)
    by_group = (ProjectMember.entity_type == "g") & ProjectMember.entity_id.in_(theirs)
    himself = (ProjectMember.entity_type == "u") & (ProjectMember.entity_id == who.id)
    rows = db.session.execute(
        select(ProjectMember.role, UserGroup.group_name)
        .outerjoin(UserGroup, (ProjectMember.entity_type == "g") & (UserGroup.id == ProjectMember.entity_id))
        .where(ProjectMember.project_id == project.id, by_group | himself)
        .order_by(ProjectMember.role)
    )
    return tuple(f"{Role(role).label} by {f'group {group}' if group else 'own membership'}" for role, group in rows)
