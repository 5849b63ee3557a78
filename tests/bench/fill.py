"""Data to measure with, written straight into a prepared database, as if it had been there for long."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, func, insert, select, update

from authsvc.core import crypto
from authsvc.core.db import utcnow
from authsvc.core.versioning import PolicyVersion
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.roles import Role
from authsvc.secrets.models import Secret
from authsvc.secrets.rules import PREFIXES, Kind
from authsvc.users import passwords
from authsvc.users.models import User
from tests.support.world import PASSWORD, basic

CALLERS = 1000
REPOSITORIES = 1000
COLD = 2000  # users whose passwords nobody has shown yet
_PROJECTS_OF_A_CALLER = 10
_BATCH = 10_000
SERVICE = "harbor-registry"

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Filled:
    """What callers can show and ask for. `callers`: Authorization headers, `paths`: one for each repository, `own`: of each
    caller a repository in a project where the caller is developer."""

    callers: Sequence[str]
    paths: Sequence[str]
    own: Sequence[str]
    warm: str
    cold: Sequence[str]
    project_ids: Sequence[int]


def fill(database: Path, projects: int) -> Filled:
    """Users, that many projects, members and refresh tokens. A running server takes note before its next answer."""
    choice = random.Random(projects)  # the same data in each run
    with _connection(database) as connection:
        callers = _users(connection, "caller", CALLERS)
        owners = _users(connection, "owner", max(1, projects // 10))
        password_hash = passwords.hashed(PASSWORD).hash
        _users(connection, "cold", COLD, password_hash)
        _users(connection, "warm", 1, password_hash)
        project_ids = _projects(connection, projects, owners)
        held = _members(connection, project_ids, owners, callers, choice)
        secrets = _refresh_tokens(connection, callers)
        connection.execute(update(PolicyVersion).values(value=PolicyVersion.value + 1))
    asked = [choice.randrange(projects) for _ in range(REPOSITORIES)]
    return Filled(
        callers=[basic("<token>", secret)["Authorization"] for secret in secrets],
        paths=[path_for(f"repository:bench-{number}/app-{index}:pull") for index, number in enumerate(asked)],
        own=[f"bench-{project - project_ids[0]}/app" for project in held],
        warm=basic("warm-0")["Authorization"],
        cold=[basic(f"cold-{number}")["Authorization"] for number in range(COLD)],
        project_ids=project_ids,
    )


def path_for(scope: str) -> str:
    """The path by which clients ask for a token for one scope."""
    return f"/service/token?service={SERVICE}&scope={quote(scope)}"


@contextmanager
def _connection(database: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30})
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _insert(connection: Connection, model: Any, rows: Rows) -> None:
    for start in range(0, len(rows), _BATCH):
        connection.execute(insert(model.__table__), rows[start : start + _BATCH])


def _next_id(connection: Connection, model: Any) -> int:
    return int(connection.scalar(select(func.coalesce(func.max(model.id), 0)))) + 1


def _users(connection: Connection, kind: str, count: int, password_hash: str | None = None) -> range:
    first = _next_id(connection, User)
    names = [f"{kind}-{number}" for number in range(count)]
    rows = [
        {"id": first + number, "username": name, "name_key": name, "email": None, "password_hash": password_hash}
        for number, name in enumerate(names)
    ]
    _insert(connection, User, rows)
    return range(first, first + count)


def _projects(connection: Connection, count: int, owners: range) -> range:
    first = _next_id(connection, Project)
    rows = [
        {"id": first + number, "name": f"bench-{number}", "public": number % 2 == 0, "owner_id": owners[number % len(owners)]}
        for number in range(count)
    ]
    _insert(connection, Project, rows)
    return range(first, first + count)


def _members(connection: Connection, projects: range, owners: range, callers: range, choice: random.Random) -> list[int]:
    """Each project has an administrator; each caller is developer in a few projects. The first of these, for each caller."""
    chosen = [choice.sample(projects, min(_PROJECTS_OF_A_CALLER, len(projects))) for _ in callers]
    held = [
        {"project_id": project, "entity_type": "u", "entity_id": owners[number % len(owners)], "role": Role.PROJECT_ADMIN}
        for number, project in enumerate(projects)
    ]
    held += [
        {"project_id": project, "entity_type": "u", "entity_id": caller, "role": Role.DEVELOPER}
        for caller, few in zip(callers, chosen, strict=True)
        for project in few
    ]
    _insert(connection, ProjectMember, held)
    return [few[0] for few in chosen]


def _refresh_tokens(connection: Connection, callers: range) -> list[str]:
    secrets = [crypto.new_secret(PREFIXES[Kind.REFRESH]) for _ in callers]
    expires_at = utcnow() + timedelta(days=1)
    rows = [
        {
            "kind": Kind.REFRESH,
            "owner_kind": "user",
            "owner_id": caller,
            "digest": crypto.digest(secret),
            "epoch": 1,
            "name": "bench",
            "networks": [],
            "expires_at": expires_at,
        }
        for caller, secret in zip(callers, secrets, strict=True)
    ]
    _insert(connection, Secret, [row | {"creation_time": utcnow()} for row in rows])
    return secrets
