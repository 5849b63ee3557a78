"""Manifests of a proxy cache that the gate does not find here: what a tag stands for now, and where it is to be had.

A tag is asked for by HEAD, which registries do not count as a pull, and the answer is believed for a while. Where nobody answers,
or only that we ask too often, a tag is what it was.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError

from authsvc.artifacts import record
from authsvc.artifacts import service as artifacts
from authsvc.core import names
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import DomainError, Unavailable
from authsvc.core.inserts import insert_ignore
from authsvc.core.own import own
from authsvc.distribution.client import Content, Described, RegistryClient
from authsvc.distribution.manifest import ACCEPTED, ManifestInvalid, parse
from authsvc.distribution.transport import Unexpected, Unreadable
from authsvc.gate.checks import Absent, Refusal
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT, WAITING_OR_RUNNING, Task
from authsvc.observability import metrics
from authsvc.proxy_cache.fetched import Fetched
from authsvc.proxy_cache.models import UpstreamTag
from authsvc.proxy_cache.upstreams import Upstream
from authsvc.repositories import service as repositories

KIND = "PROXY_CACHE"
_PATIENCE = 5.0  # seconds for an answer about a tag
_AS_IT_WAS = timedelta(seconds=15)  # for which a tag that could not be asked for is believed
_LARGEST = 64 * 1024  # bytes of a manifest in a row of the queue
RULE = "proxy cache"
_NO_RIGHT = (401, 403)

log = structlog.get_logger(component="proxy_cache")


@dataclass(frozen=True, slots=True)
class Cache:
    """The proxy caches of this installation: `registry` is ours; `seconds`: how long an answer about a tag is believed."""

    registry: RegistryClient
    seconds: int

    def describe(self, upstream: Upstream, reference: str) -> Described:
        """What a HEAD of a manifest answers.

        Raises:
            Absent: it is not to be had.
            Unavailable
        """
        digest = self._digest(upstream, reference)
        with _asking(upstream, reference):
            if _is_held(upstream, digest):
                found = self.registry.described(upstream.repository, digest)
            else:
                found = _described(upstream, digest)
        if found is None:
            raise unknown(upstream, reference)
        return found

    def get(self, upstream: Upstream, reference: str) -> Content:
        """A manifest, which is brought here if it is not.

        Raises:
            Absent: it is not to be had.
            Unavailable
        """
        digest = self._digest(upstream, reference)
        with _asking(upstream, reference):
            is_held = _is_held(upstream, digest)
            if is_held:
                found = self.registry.manifest(upstream.repository, digest)
            else:
                found = own(Fetched).get((upstream.project_id, upstream.repository, digest), lambda: _fetch(upstream, digest))
        if found is None:
            raise unknown(upstream, reference)
        if not is_held or (reference != digest and _stored(upstream, reference) != digest):
            _bring(upstream, found)
        return found

    def _digest(self, upstream: Upstream, reference: str) -> str:
        if not upstream.is_allowed:
            raise unknown(upstream, reference, f"{upstream.name} is none of the repositories that may be had")
        return reference if names.is_digest(reference) else self._of_tag(upstream, reference)

    def _of_tag(self, upstream: Upstream, tag: str) -> str:
        stored = _stored(upstream, tag)
        try:
            found = _described(upstream, tag)
        except DomainError as error:
            if stored is None:
                with _asking(upstream, tag):
                    raise
            log.warning("served_as_it_was", repository=upstream.repository, tag=tag, reason=error.message)
            metrics.CACHED.labels("manifest", "stale").inc()
            _believe(upstream, tag, stored, _AS_IT_WAS)
            return stored
        if found is None:
            if stored is None or not upstream.terms.stays:
                if stored is not None:
                    _forget(upstream, tag)
                raise unknown(upstream, tag)
            _believe(upstream, tag, stored, timedelta(seconds=self.seconds))
            return stored
        _believe(upstream, tag, found.digest, timedelta(seconds=self.seconds))
        return found.digest


@contextmanager
def _asking(upstream: Upstream, reference: str) -> Iterator[None]:
    """What is asked inside fails as clients understand it."""
    try:
        yield
    except Unexpected as error:
        if error.status == 429:
            message = f"too many requests to upstream registry: {error.message}"
            raise Absent(Refusal(429, "TOOMANYREQUESTS", message, RULE, retry_after=error.retry_after or 10)) from error
        if error.status in _NO_RIGHT:
            raise unknown(upstream, reference, error.message) from error
        raise


def unknown(upstream: Upstream, reference: str, why: str = "") -> Absent:
    """There is no such manifest."""
    said = why or f"{upstream.client.transport.name} has no {upstream.name} {reference}"
    return Absent(Refusal(404, "MANIFEST_UNKNOWN", f"manifest unknown: {said}", RULE))


def _is_held(upstream: Upstream, digest: str) -> bool:
    with reading():
        here = repositories.find(upstream.repository)
        return here is not None and record.find(here, digest) is not None


def _stored(upstream: Upstream, tag: str) -> str | None:
    with reading():
        here = repositories.find(upstream.repository)
        return artifacts.digests_by_tag(here, [tag]).get(tag) if here is not None else None


def _believe(upstream: Upstream, tag: str, digest: str, length: timedelta) -> None:
    until = utcnow() + length
    values = {"project_id": upstream.project_id, "repository": upstream.repository, "tag": tag, "digest": digest, "until": until}
    try:
        with transaction():
            if not insert_ignore(UpstreamTag, **values):
                row = db.session.scalar(_row(upstream, tag).with_for_update())
                if row is not None:
                    row.digest, row.until = digest, until
    except IntegrityError:  # the project was deleted meanwhile
        raise Unavailable("the project is being deleted") from None


def _forget(upstream: Upstream, tag: str) -> None:
    with transaction():
        db.session.execute(delete(UpstreamTag).where(UpstreamTag.repository == upstream.repository, UpstreamTag.tag == tag))


def _row(upstream: Upstream, tag: str) -> Select[Any]:
    return select(UpstreamTag).where(UpstreamTag.repository == upstream.repository, UpstreamTag.tag == tag)


def _described(upstream: Upstream, reference: str) -> Described | None:
    with upstream.asked() as client:
        found = client.described(upstream.name, reference, patience=_PATIENCE)
    if found is None:
        return None
    wanted = reference if names.is_digest(reference) else found.digest
    media_type = found.media_type.partition(";")[0].strip()
    if found.digest != wanted or not names.is_digest(wanted) or media_type not in ACCEPTED:
        raise Unreadable(f"{client.transport.name} does not describe {upstream.name} {reference} as a manifest")
    return replace(found, media_type=media_type)


def _fetch(upstream: Upstream, digest: str) -> Content | None:
    """A manifest, and nothing else that somebody might want us to hand out: a browser would take a page for ours."""
    with upstream.asked() as client:
        found = client.manifest(upstream.name, digest, patience=2 * _PATIENCE)
    if found is None:
        return None
    try:
        return replace(found, media_type=parse(found.data, found.media_type).media_type)
    except ManifestInvalid as error:
        raise Unreadable(f"what {client.transport.name} has as {upstream.name}@{digest} is no manifest: {error}") from None


def _bring(upstream: Upstream, content: Content) -> None:
    """Let a worker copy it here, with its tags, unless one is about to. It gets what was fetched already."""
    digest = content.digest
    key = sha256(f"{upstream.repository}@{digest}".encode()).hexdigest()
    known = {"media_type": content.media_type, "data": b64encode(content.data).decode()}
    waiting = select(Task.id).where(Task.kind == KIND, Task.key == key, Task.status.in_(WAITING_OR_RUNNING)).limit(1)
    with transaction():
        if db.session.scalar(waiting) is None:
            execution = jobs.begin(KIND, EVENT, upstream.project_id)
            shown = {"repository": upstream.repository, "digest": digest}
            jobs.add_task(execution, KIND, shown | (known if len(content.data) <= _LARGEST else {}), shown, key=key)
