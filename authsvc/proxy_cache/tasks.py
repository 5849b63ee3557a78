"""Bringing what was pulled through a proxy cache into our own registry, as a job: with its tags, as far as they are known.

It reads where nginx keeps what clients fetch at this moment, and writes by the way of every push (docs/adr/0017-proxy-cache.md).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from authsvc.artifacts import record
from authsvc.authn.snapshot import Snapshots
from authsvc.core.crypto import read_private
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import DomainError, Unavailable
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.distribution import stores
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.transport import SILENT
from authsvc.gate.checks import Checks
from authsvc.jobs.context import Failed, JobContext
from authsvc.proxy_cache import upstreams
from authsvc.proxy_cache.models import UpstreamTag
from authsvc.proxy_cache.storing import CacheWriter
from authsvc.rbac.principal import operator
from authsvc.replication.copying import Copier, Pace
from authsvc.replication.local import Local
from authsvc.repositories import service as repositories

ACTOR = "tidegate:proxy-cache"
ATTEMPTS = 5
_OLD = timedelta(days=1)


def run(context: JobContext, checks: Checks) -> dict[str, Any]:
    """One artifact.

    Raises:
        Unavailable: it is not to be had now; it is tried again.
        Failed: it is not taken here.
    """
    repository, digest = context.payload["repository"], context.payload["digest"]
    upstream, known = upstreams.find(repository), _known(context.payload)
    if upstream is None:
        context.log("the project is gone")
        return {}
    storage = stores.of(context.settings)
    directory = stores.directory(storage)
    writer = CacheWriter(context.registry, checks, directory, storage)
    is_in_reach = directory is not storage or directory.is_visible
    reader = VersionReader(db.engine)
    try:
        local = Local(writer, Snapshots(reader), operator(ACTOR))
        source = context.registry if local.held(repository, [digest]) else door(context.settings, upstream.project_id, known)
        copier = Copier(source, repository, local, repository, Pace(context.keep_going), context.log, whole=not is_in_reach)
        copier.copy(digest, _tags(repository, digest))
    except Unavailable:
        raise
    except DomainError as error:
        raise Failed(error.message) from error
    finally:
        reader.close()
    _count(repository, digest)
    _forget_old(upstream.project_id)
    return {}


class _Door(RegistryClient):
    """Where nginx has what proxy caches fetch, by our names of repositories; `known` is not asked for again."""

    def __init__(self, url: str, secret: str, known: Content | None) -> None:
        super().__init__(url, lambda _: f"Bearer {secret}", name="the upstream registry")
        self._known = known

    def manifest(self, repository: str, reference: str, *, patience: float = SILENT) -> Content | None:
        if self._known is not None and self._known.digest == reference:
            return self._known
        return super().manifest(repository, reference, patience=patience)


def door(settings: Settings, project_id: int, known: Content | None = None) -> RegistryClient:
    """The way from a worker to the registry whose images a project caches."""
    secret = read_private(Layout(settings).proxy_secret).decode().strip()
    return _Door(f"http://{settings.cache_address}/{project_id}", secret, known)


def _known(payload: Mapping[str, Any]) -> Content | None:
    if "data" not in payload:
        return None
    return Content(b64decode(payload["data"]), payload["media_type"], payload["digest"])


def _tags(repository: str, digest: str) -> tuple[str, ...]:
    known = select(UpstreamTag.tag).where(UpstreamTag.repository == repository, UpstreamTag.digest == digest)
    with reading():
        return tuple(db.session.scalars(known.order_by(UpstreamTag.tag)))


def _count(repository: str, digest: str) -> None:
    """The pull for which it was brought."""
    with transaction():
        here = repositories.find(repository)
        found = record.find(here, digest) if here is not None else None
        if here is not None and found is not None and found.pull_time is None:
            record.pulled(here, found, None, utcnow())


def _forget_old(project_id: int) -> None:
    """What was said of tags that nobody has asked for since: no more than there are tags in use."""
    with transaction():
        old = (UpstreamTag.project_id == project_id) & (UpstreamTag.until < utcnow() - _OLD)
        db.session.execute(delete(UpstreamTag).where(old), execution_options={"synchronize_session": False})
