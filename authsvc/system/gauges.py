"""How things stand, for Prometheus: read from the database when somebody asks. Names and labels are Harbor's where it has
them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import current_app
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

import authsvc
from authsvc.artifacts import condemned
from authsvc.artifacts.models import Artifact, Blob, Damage, Intent
from authsvc.authn.configuration import auth_mode
from authsvc.backup import service as backups
from authsvc.backup import tasks as backup_job
from authsvc.configuration import service as configuration
from authsvc.core import certificate_files
from authsvc.core.db import db, present, reading
from authsvc.core.errors import Unavailable
from authsvc.core.faults import is_outage, told
from authsvc.core.kept import Kept
from authsvc.core.layout import Layout
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.inbox.models import PENDING, QUARANTINED, InboxEvent
from authsvc.jobs import monitor
from authsvc.jobs.models import Schedule
from authsvc.nodes import service as nodes
from authsvc.projects.models import Project, ProjectMember, StorageUsage
from authsvc.repositories.models import Repository
from authsvc.system import health

# Of so many projects, those that store most, each has its own numbers: series are what a Prometheus has to pay for.
PROJECTS = 1000
_KEPT, _LONGEST_KEPT = 60.0, 600.0  # seconds, of what has to be counted
_LOOKED = 5.0  # seconds, of what has to be looked at

_KINDS = frozenset({"IMAGE", "CHART", "CNAB", "WASM", "SBOM", "MODEL"})

Families = Iterator[Metric]


class Counts:
    """What takes long to count, kept for a minute and counted by one at a time."""

    def __init__(self) -> None:
        self.latest: Kept[list[Metric]] = Kept(_counted, _KEPT, _LONGEST_KEPT)


class Places:
    """What lies in directories: one of another host, when that is away, does not answer for as long as it likes."""

    def __init__(self) -> None:
        settings: Settings = current_app.config["TIDEGATE"]
        self.latest: Kept[list[Metric]] = Kept(lambda: list(_places(settings)), _LOOKED, _LONGEST_KEPT)


def families(settings: Settings, version: str) -> Families:
    """All of them; without the database what can be known without it. `version`: the Harbor whose API we answer."""
    components = own(health.Looks).latest.get()
    yield _one("harbor_health", "Whether all is well", not any(part.error for part in components))
    yield _many("harbor_up", "Whether each part is there", ["component"], {(part.name,): not part.error for part in components})
    yield _many("tidegate_build", "This Tidegate", ["version"], {(authsvc.__version__,): 1})
    with suppress(Unavailable):
        yield from own(Places).latest.get()
    try:
        with reading():
            found = [*_system(version), *_work(present())]
        yield from found
        yield from own(Counts).latest.get()
    except Unavailable:
        return  # `harbor_up` says so, or they take too long to count
    except SQLAlchemyError as error:
        if not is_outage(error):
            raise


def _places(settings: Settings) -> Families:
    layout = Layout(settings)
    places = {(name,): shutil.disk_usage(path) for name, path in layout.disks.items()}
    free, size = "tidegate_disk_free_bytes", "tidegate_disk_size_bytes"
    yield _many(free, "Of the file system with state or blobs", ["place"], {key: one.free for key, one in places.items()})
    yield _many(size, "Of the file system with state or blobs", ["place"], {key: one.total for key, one in places.items()})
    expiry = certificate_files.expiry(settings.tls_certificate or layout.server_certificate)
    if settings.tls and expiry is not None:
        name = "tidegate_certificate_expiry_timestamp_seconds"
        yield _one(name, "When the certificate expires that clients are shown", expiry.timestamp())
    yield from _backups(settings)


def _backups(settings: Settings) -> Families:
    found = backups.shelf(settings).backups() if settings.backup_directory else []
    newest = found[0].made_at.timestamp() if found else 0
    yield _one("tidegate_backup_timestamp_seconds", "When the newest backup was made; 0: there is none", newest)
    interval = backup_job.seconds(settings)
    yield _one("tidegate_backup_interval_seconds", "How often one is made; 0: Tidegate makes none by itself", interval)


def _system(version: str) -> Families:
    labels = (auth_mode(), version, str(configuration.values()["self_registration"]).lower())
    names = ["auth_mode", "harbor_version", "self_registration"]
    yield _many("harbor_system_info", "About this system", names, {labels: 1})


def _work(now: datetime) -> Families:
    queues = monitor.queues()
    sizes = {(queue.kind,): queue.count for queue in queues}
    everyone = nodes.everyone()
    seen = {(one.name, one.version): one.seen_at.timestamp() for one in everyone}
    yield _many("tidegate_node_seen_timestamp_seconds", "When a node was heard of last", ["node", "version"], seen)
    ahead = {(one.name,): one.clock_ahead.total_seconds() for one in everyone}
    yield _many("tidegate_node_clock_ahead_seconds", "A node's clock against the database's", ["node"], ahead)
    yield _many("harbor_task_queue_size", "Tasks that wait", ["type"], sizes)
    ages = {(queue.kind,): queue.latency for queue in queues}
    yield _many("harbor_task_queue_latency", "Age of the oldest task that waits, in seconds", ["type"], ages)
    schedules = db.session.scalar(select(func.count(Schedule.id))) or 0
    yield _one("harbor_task_scheduled_total", "Schedules", schedules)
    slots: dict[tuple[str], int] = defaultdict(int)
    for pool in monitor.pools():
        slots[(pool.host,)] += pool.concurrency
    yield _many("tidegate_job_slots", "Tasks that workers of a host may run at a time", ["host"], slots)
    statuses = select(InboxEvent.status, func.count(), func.min(InboxEvent.received_at)).group_by(InboxEvent.status)
    found = {status: (count, oldest) for status, count, oldest in db.session.execute(statuses)}
    counts = {(name,): found.get(status, (0, now))[0] for name, status in (("pending", PENDING), ("quarantined", QUARANTINED))}
    yield _many("tidegate_inbox_events", "Events of registries that are not recorded", ["status"], counts)
    oldest = found.get(PENDING, (0, now))[1]
    yield _one("tidegate_inbox_oldest_seconds", "For how long an event has waited", max(0.0, (now - oldest).total_seconds()))
    blobs, size = condemned.waiting()
    yield _one("tidegate_condemned_blobs", "Blobs that nothing needs, to be deleted when their grace time is over", blobs)
    yield _one("tidegate_condemned_bytes", "The bytes of these blobs", size)
    for name, says, table in (
        ("tidegate_damages", "Tags and digests that cannot be read", Damage.repository),
        ("tidegate_unfinished_writes", "Writes of manifests that have not come to an end", Intent.id),
    ):
        yield _one(name, says, db.session.scalar(select(func.count(table))) or 0)


def _counted() -> list[Metric]:
    try:
        with reading():
            return [*_totals(), *_projects()]
    except SQLAlchemyError as error:
        raise told(error) or error from error


def _totals() -> Families:
    projects = _by_publicity(select(Project.public, func.count()).group_by(Project.public))
    repositories = select(Project.public, func.count()).where(Repository.project_id == Project.id).group_by(Project.public)
    found = {"project": projects, "repo": _by_publicity(repositories)}
    yield _many("harbor_project_total", "Projects", ["public"], {("true",): projects[True], ("false",): projects[False]})
    for kind, counts in found.items():
        amounts = {"total": sum(counts.values()), "public": counts[True], "private": counts[False]}
        for which, amount in amounts.items():
            yield _one(f"harbor_statistics_{which}_{kind}_amount", f"{which.capitalize()} {kind}s", amount)
    stored = db.session.scalar(select(func.sum(Blob.size))) or 0
    yield _one("harbor_statistics_total_storage_consumption", "Bytes of all blobs, each once", int(stored))


def _by_publicity(statement: Any) -> dict[bool, int]:
    found = {bool(public): count for public, count in db.session.execute(statement)}
    return {True: found.get(True, 0), False: found.get(False, 0)}


def _projects() -> Families:
    columns = (Project.id, Project.name, Project.public, Project.storage_limit, func.coalesce(StorageUsage.bytes, 0))
    largest = select(*columns).outerjoin(StorageUsage, StorageUsage.project_id == Project.id)
    rows = db.session.execute(largest.order_by(StorageUsage.bytes.desc(), Project.id).limit(PROJECTS)).all()
    labels = {id_: (name, str(public).lower()) for id_, name, public, _, _ in rows}
    names = {id_: (name,) for id_, name, *_ in rows}
    quota, usage = {names[row[0]]: row[3] for row in rows}, {names[row[0]]: row[4] for row in rows}
    yield _many("harbor_project_quota_byte", "Bytes that a project may store; -1: any number", ["project_name"], quota)
    yield _many("harbor_project_quota_usage_byte", "Bytes that a project stores", ["project_name"], usage)
    stored = _grouped(Repository.project_id, func.count(), func.sum(Repository.pull_count), among=names)
    repositories = {labels[id_]: count for id_, count, _ in stored}
    yield _many("harbor_project_repo_total", "Repositories of a project", ["project_name", "public"], repositories)
    pulls = {names[id_]: int(count or 0) for id_, _, count in stored}
    yield _many("harbor_artifact_pulled", "Pulls of a project's artifacts", ["project_name"], pulls)
    members = {names[id_]: count for id_, count in _grouped(ProjectMember.project_id, func.count(), among=names)}
    yield _many("harbor_project_member_total", "Members of a project", ["project_name"], members)
    counted = _grouped(Artifact.project_id, func.count(), Artifact.type, among=names, by=[Artifact.type])
    artifacts: dict[tuple[str, ...], int] = defaultdict(int)
    for id_, count, kind in counted:  # which whoever pushes may choose
        artifacts[(*labels[id_], kind if kind in _KINDS else "OTHER")] += count
    yield _many("harbor_project_artifact_total", "Artifacts of a project", ["project_name", "public", "artifact_type"], artifacts)


def _grouped(project: Any, *columns: Any, among: dict[int, Any], by: Any = ()) -> list[Any]:
    statement = select(project, *columns).group_by(project, *by)
    if len(among) == PROJECTS:
        statement = statement.where(project.in_(list(among)))
    return [row for row in db.session.execute(statement) if row[0] in among]


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=float(value))


def _many(name: str, says: str, labels: list[str], values: dict[Any, Any]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for key, value in values.items():
        family.add_metric([str(part) for part in key], float(value))
    return family
