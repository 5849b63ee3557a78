"""A large installation, written straight into a prepared database: as many rows as a company gathers in years.

Columns that are not named get what the model gives them, or nothing of their type, so a new column needs no change here.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Connection, DateTime, Engine, func, select, text

from authsvc.artifacts.models import Accessory, Artifact, ArtifactLabel, ArtifactReference, Tag
from authsvc.audit.models import AuditLog
from authsvc.authn.backends.keyless.models import TrustRule
from authsvc.authn.models import LoginFailure
from authsvc.core import postgresql
from authsvc.core.db import Base, UtcDateTime
from authsvc.groups.models import UserGroup
from authsvc.immutability.models import ImmutableTagRule
from authsvc.inbox.models import InboxEvent
from authsvc.jobs.models import SYSTEM, Execution, Schedule, Task
from authsvc.labels.models import Label
from authsvc.notification.models import WebhookPolicy
from authsvc.projects.models import Project, ProjectMember, StorageUsage
from authsvc.rbac.roles import Role
from authsvc.registries.models import Registry
from authsvc.replication.models import ReplicationPolicy
from authsvc.repositories.models import Repository
from authsvc.retention.models import RetentionPolicy
from authsvc.robots.models import Robot, RobotPermission
from authsvc.scanners import rules
from authsvc.scanners.models import Scanner
from authsvc.scanning.models import Finding, ScanReport, Vulnerability
from authsvc.secrets.models import Secret
from authsvc.secrets.rules import Kind
from authsvc.users.models import User

BIG, MANY = "big", "many"  # the project and repository that hold more than any other
_BEGAN, _FAR = datetime(2024, 1, 1), datetime(2099, 1, 1)  # noqa: DTZ001 - as they stand in the database
RULES = 101  # immutability rules of one project: more than a page, and more than anybody keeps in mind
_BATCH = 20_000
Rows = Iterable[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. Each project has one repository; `big` has `repositories` more, and `many` with its tags."""

    projects: int = 100_000
    artifacts_each: int = 8  # in the one repository of each project
    repositories: int = 10_000
    artifacts_of_big: int = 190_000
    tags: int = 10_000
    users: int = 20_000
    members: int = 10_000
    robots: int = 10_000
    labels: int = 10_000
    audit: int = 1_000_000
    events: int = 10_000
    scanned: int = 2000  # artifacts with a report
    vulnerabilities: int = 20_011  # a prime, so that no report names one twice
    found_each: int = 500  # in each report
    few: int = 1000  # of what nobody has very many of: tags on one artifact, secrets of one user, rules of one project


SMALL = Size(150, 4, 150, 600, 400, 150, 300, 300, 300, 600, 150, 110, 1009, 10, 120)


def fill(engine: Engine, size: Size) -> None:
    """Fill a database that holds its administrator (id 1) and nothing else."""
    with engine.begin() as connection, _patient(connection), _indexed_afterwards(connection):
        for model, columns, rows in _everything(size):
            _write(connection, model.__table__, columns.split(), rows)
        if engine.dialect.name == "postgresql":
            _restart_sequences(connection)
    if engine.dialect.name != "mysql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, _patient(connection):
            connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """No statement is too long meanwhile."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET statement_timeout = 0"))
    yield
    if connection.dialect.name == "postgresql":
        connection.execute(text("RESET statement_timeout"))


@contextmanager
def _indexed_afterwards(connection: Connection) -> Iterator[None]:
    """Indexes made at the end take a fraction of the time; MariaDB needs them for its foreign keys."""
    tables = [] if connection.dialect.name == "mysql" else Base.metadata.sorted_tables
    indexes = [index for table in tables for index in table.indexes]
    for index in indexes:
        index.drop(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP EXTENSION IF EXISTS pg_trgm CASCADE"))
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no look at foreign keys, row by row
    yield
    for index in indexes:
        index.create(connection)
    postgresql.make_indexes(connection)


def _everything(size: Size) -> Iterator[tuple[type[Base], str, Rows]]:
    yield User, "id username name_key", ((n, f"user-{n:06}", f"user-{n:06}") for n in range(2, size.users + 2))
    groups = ((n, f"group-{n:06}", 1, f"cn=group-{n:06}") for n in range(1, size.members + 1))
    yield UserGroup, "id group_name group_type key", groups
    yield Project, "id name public owner_id creation_time", _projects(size)
    yield ProjectMember, "project_id entity_type entity_id role", _members(size)
    yield Repository, "id project_id name pull_count creation_time update_time", _repositories(size)
    yield Artifact, _ARTIFACT, _artifacts(size)
    yield Tag, "repository_id artifact_id name push_time", _tags(size)
    yield ArtifactReference, "parent_id position child_digest", ((n, 0, _digest(n + 1)) for n in range(10, size.tags, 10))
    labels = ((n, f"label-{n:05}", n % 2) for n in range(1, size.labels + 1))
    yield Label, "id name project_id", labels
    yield ArtifactLabel, "artifact_id label_id", ((n, n % size.labels + 1) for n in range(1, size.tags))
    yield Robot, "id name project_id", ((n, f"robot-{n:05}", n % 2) for n in range(1, size.robots + 1))
    yield RobotPermission, "robot_id place resource action", ((n, 1, "repository", "pull") for n in range(1, size.robots + 1))
    yield AuditLog, _AUDIT, _audit(size)
    yield InboxEvent, "event_id status received_at", ((f"e{n}", "quarantined", _time(n)) for n in range(size.events))
    yield StorageUsage, "project_id bytes", ((n, n * 1000) for n in range(1, size.projects + 1))
    yield Execution, "id vendor_type vendor_id trigger start_time extra_attrs", _executions(size)
    yield Task, "execution_id job_id kind", ((1, f"job{n}", "RETENTION") for n in range(size.few))
    yield Task, "execution_id job_id kind", ((2, f"delivery{n}", "WEBHOOK") for n in range(size.few))
    yield Task, "execution_id job_id kind", ((3, f"copy{n}", "REPLICATION") for n in range(size.few))
    yield from _findings(size)
    yield from _few(range(size.few), size)


def _few(numbers: Sequence[int], size: Size) -> Iterator[tuple[type[Base], str, Rows]]:
    """The first artifact of `many` has tags and accessories, the administrator has secrets."""
    yield Tag, "repository_id artifact_id name push_time", ((1, 1, f"w{n:04}", _time(n)) for n in numbers)
    accessories = ((size.tags - n, 1, _digest(1), "sbom.harbor") for n in numbers)
    yield Accessory, "artifact_id repository_id subject_digest type", accessories
    kinds = (Kind.ACCESS, Kind.REFRESH, Kind.SESSION)
    secrets = ((kind, 1, f"{kind}{n}", 1, _FAR) for kind in kinds for n in numbers)
    yield Secret, "kind owner_id digest epoch expires_at", secrets
    yield ImmutableTagRule, "project_id tag_pattern repository_pattern", ((1, f"v{n}", "**") for n in numbers[:RULES])
    yield Schedule, "vendor_type vendor_id", (("RETENTION", n + 2) for n in numbers)
    yield LoginFailure, "account address digest at", ((f"user-{n}", "192.0.2.1", "x", _FAR) for n in numbers)
    yield RetentionPolicy, "id project_id rules", [(1, 1, "[]")]
    yield Registry, "name url type", ((f"registry-{n}", "https://registry.example", "docker-registry") for n in numbers)
    yield ReplicationPolicy, "name destination_id trigger", ((f"copies-{n}", 1, "manual") for n in numbers)
    yield WebhookPolicy, "id project_id name", ((n + 1, 1, f"policy-{n}") for n in numbers)
    yield TrustRule, "name issuer claims", ((f"rule-{n}", "https://issuer.example", "{}") for n in numbers)


def _findings(size: Size) -> Iterator[tuple[type[Base], str, Rows]]:
    """What scanner 1, the default one, has found in the last artifacts of `many`, which belong to `big`."""
    scanners = ((n + 1, f"s{n}", f"scanner-{n}", f"https://scanner.example/{n}", n == 0, "{}") for n in range(size.few))
    yield Scanner, "id uuid name url is_default said", scanners
    reports = (
        (n, size.tags - n, 1, 1, "vulnerability", f"r{n}", _time(n), "High", n % 7, n % 11, size.found_each)
        for n in range(1, size.scanned + 1)
    )
    yield ScanReport, "id artifact_id scanner_id project_id kind uuid generated_at severity critical high total", reports
    known = (
        (n, 1, f"k{n}", f"CVE-2026-{n:05}", f"package-{n % 500:03}", n % 6, rules.SEVERITIES[n % 6], n % 101)
        for n in range(1, size.vulnerabilities + 1)
    )
    yield Vulnerability, "id scanner_id key cve_id package rank severity score_v3", known
    numbers = ((report, number) for report in range(1, size.scanned + 1) for number in range(size.found_each))
    named = ((report, (report * 37 + number * 41) % size.vulnerabilities + 1) for report, number in numbers)
    found = ((report, known, 1, rules.weight(known % 6, known % 101)) for report, known in named)
    yield Finding, "report_id vulnerability_id project_id weight", found


def _executions(size: Size) -> Rows:
    """In turns those of the one retention policy (1 is the first), deliveries of the first webhook policy (2 is the first) and
    copies of the first replication policy (3 is the first); then housekeeping."""
    run = '{"dry_run": false}'
    for n in range(1, 3 * size.few, 3):
        yield n, "RETENTION", 1, "MANUAL", _time(n), run
        yield n + 1, "WEBHOOK", 1, "EVENT", _time(n), "{}"
        yield n + 2, "REPLICATION", 1, "MANUAL", _time(n), '{"artifacts": 10, "equal": 10}'
    kinds = ("GARBAGE_COLLECTION", "PURGE_AUDIT_LOG")
    yield from ((3 * size.few + n, kinds[n % 2], SYSTEM, "MANUAL", _time(n), "{}") for n in range(1, size.events + 1))


_ARTIFACT = "id repository_id project_id digest type media_type manifest_media_type artifact_type size push_time listed tagged"
_AUDIT = "op_time username operation resource_type resource project_id succeeded address"


def _projects(size: Size) -> Rows:
    """`big` is the first; every tenth is public."""
    yield 1, BIG, False, 1, _time(0)
    for n in range(2, size.projects + 1):
        yield n, f"team-{_scattered(n, size.projects):06}", n % 10 == 0, 1 + n % size.users, _time(n)


def _members(size: Size) -> Rows:
    half = size.members // 2
    yield from ((1, "u", n, Role.DEVELOPER) for n in range(2, half + 2))
    yield from ((1, "g", n, Role.GUEST) for n in range(1, half + 1))
    yield from ((n, "u", 2 + n % size.users, Role.PROJECT_ADMIN) for n in range(2, size.projects + 1))


def _repositories(size: Size) -> Rows:
    """1 is big/many; then the other ones of `big`; then one for each other project."""
    yield 1, 1, f"{BIG}/{MANY}", 7, _time(0), _time(0)
    for n in range(2, size.repositories + 2):
        yield n, 1, f"{BIG}/app-{_scattered(n, size.repositories):05}", n % 977, _time(n), _time(n)
    for n, (project, name, *_) in enumerate(itertools.islice(_projects(size), 1, None), size.repositories + 2):
        yield n, project, f"{name}/app", n % 977, _time(n), _time(n)


def _places(size: Size) -> Iterator[tuple[int, int]]:
    """(repository, project) of each artifact, in the order of their ids."""
    yield from itertools.repeat((1, 1), size.tags)
    yield from ((2 + n % size.repositories, 1) for n in range(size.artifacts_of_big))
    first = size.repositories + 2
    for n in range(size.projects - 1):
        yield from itertools.repeat((first + n, 2 + n), size.artifacts_each)


def _artifacts(size: Size) -> Rows:
    config, manifest = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.manifest.v1+json"
    for n, (repository, project) in enumerate(_places(size), 1):
        listed = not size.tags - size.few < n <= size.tags  # the others are attached to the first one
        told = n * 7919 % 10**9, _time(n), listed, _is_tagged(n, size)
        yield n, repository, project, _digest(n), "IMAGE", config, manifest, config, *told


def _is_tagged(n: int, size: Size) -> bool:
    """In `many` every artifact; elsewhere every second one."""
    return n <= size.tags or n % 2 == 1


def _tags(size: Size) -> Rows:
    for n, (repository, _) in enumerate(_places(size), 1):
        if _is_tagged(n, size):
            yield repository, n, f"v{_scattered(n, 10**6):06}", _time(n)


def _audit(size: Size) -> Rows:
    operations = ("create", "delete", "pull", "update")
    for n in range(size.audit):
        project = 1 if n % 5 == 0 else 1 + n % size.projects
        name = f"user-{n % size.users:06}"
        yield _time(n), name, operations[n % 4], "artifact", f"p{project}/app:v{n}", project, n % 50 != 0, "192.0.2.1"


def _digest(n: int) -> str:
    return f"sha256:{hashlib.sha256(n.to_bytes(8)).hexdigest()}"


def _time(n: int) -> datetime:
    return _BEGAN + timedelta(seconds=n * 37 % 60_000_000)


def _scattered(n: int, below: int) -> int:
    """A number for each number below `below`, in no order; 7919 divides none of ours."""
    return n * 7919 % below


def _write(connection: Connection, table: Any, named: Sequence[str], rows: Rows) -> None:
    rest = {
        column.name: value for column in table.columns if column.name not in named and (value := _nothing(column)) is not None
    }
    columns = ", ".join(map(connection.dialect.identifier_preparer.quote, (*named, *rest)))
    constant = tuple(rest.values())
    complete = ((*row, *constant) for row in rows)
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        with driver.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in complete:
                copy.write_row(row)
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join([mark] * (len(named) + len(rest)))})"
    while batch := [[_plain(value) for value in row] for row in itertools.islice(complete, _BATCH)]:
        driver.cursor().executemany(statement, batch)


def _plain(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


def _nothing(column: Any) -> Any:
    """What a column holds that nobody names: its plain default, or nothing of its type; None: leave it out."""
    if column.nullable or (column.primary_key and column.autoincrement):
        return None
    default = column.default
    if default is not None and default.is_scalar:
        return default.arg
    if isinstance(column.type, (UtcDateTime, DateTime)):
        return _BEGAN
    if isinstance(column.type, JSON):
        return "{}" if default is not None and "dict" in str(default.arg) else "[]"
    return {str: "", bool: False}.get(column.type.python_type, 0)


def _restart_sequences(connection: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        if (
            "id" in table.columns
            and table.columns["id"].autoincrement
            and (top := connection.scalar(select(func.max(table.c.id))))
        ):
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :top) WHERE pg_get_serial_sequence(:name, 'id') <> ''"),
                {"name": table.name, "top": top},
            )
