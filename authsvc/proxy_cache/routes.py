"""What nginx asks for when the gate has let in a read that a proxy cache cannot answer from here.

Manifests take the way of everything else below `/v2/` that we answer. Blobs come from an address that only nginx reaches, which
asked the gate, and keeps them for those who come next. The worker reads both there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from flask import Blueprint, Response, abort, current_app, request

from authsvc.artifacts import record
from authsvc.audit import service as audit
from authsvc.core.db import transaction, utcnow
from authsvc.core.errors import DomainError, NotFound, Unavailable
from authsvc.core.names import is_tag
from authsvc.core.proxy import BY_PROXY
from authsvc.core.settings import Settings
from authsvc.distribution.client import Content, Described
from authsvc.distribution.reading import Reading
from authsvc.gate import answers
from authsvc.gate.answering import answer, raw_uri, said
from authsvc.gate.asked import Asked, parse
from authsvc.gate.callers import Caller
from authsvc.gate.checks import Absent, Refusal, Refused
from authsvc.gate.decide import Told, authorize, check_passing
from authsvc.gate.service import Gate
from authsvc.proxy_cache import upstreams
from authsvc.proxy_cache.service import RULE, Cache, unknown
from authsvc.proxy_cache.upstreams import Upstream
from authsvc.rbac.principal import ProjectRef
from authsvc.replication.copying import Pace
from authsvc.repositories import service as repositories

blueprint = Blueprint("proxy_cache", __name__)
INNER = "/internal/upstream"
_STREAMS = threading.BoundedSemaphore(12)  # half of a process's threads (gunicorn.conf.py)


@blueprint.get("/v2/<path:name>/manifests/<reference>")
def get_manifest(name: str, reference: str) -> Response:
    return answer(_manifest)


@blueprint.get(f"{INNER}/v2/<path:name>/manifests/<reference>")
def get_upstream_manifest(name: str, reference: str) -> Response:
    return _inner(_plain_manifest)


@blueprint.get(f"{INNER}/v2/<path:name>/blobs/<digest>")
def get_upstream_blob(name: str, digest: str) -> Response:
    return _inner(_blob)


def _manifest(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    snapshot = gate.callers.snapshots.current()
    project = authorize(caller, asked, snapshot)
    assert caller is not None  # noqa: S101 - authorize refuses nobody
    assert project is not None  # noqa: S101
    told = Told(request.user_agent.string)

    def require(digest: str) -> None:
        """What a tag stands for there may be here by another one, and be refused."""
        if digest != asked.reference:
            check_passing(gate.checks, caller, replace(asked, reference=digest), project, snapshot, told)

    check_passing(gate.checks, caller, asked, project, snapshot, told)
    upstream = _require(upstreams.find(asked.repository), asked)
    settings: Settings = current_app.config["TIDEGATE"]
    cache = Cache(gate.writer.client, settings.proxy_cache_seconds)
    if request.method == "HEAD":
        described = cache.describe(upstream, asked.reference)
        require(described.digest)
        return _described(described)
    content = cache.get(upstream, asked.reference)
    require(content.digest)
    _note_pull(caller.principal.name, project, asked, content.digest)
    return _given(content)


def _note_pull(username: str, project: ProjectRef, asked: Asked, digest: str) -> None:
    """Our registry tells of what is pulled from it, and nobody of this. What is not recorded yet is counted when it is."""
    now, tag = utcnow(), asked.reference if is_tag(asked.reference) else ""
    with transaction():
        repository = repositories.find(asked.repository)
        artifact = record.find(repository, digest) if repository is not None else None
        if repository is not None and artifact is not None:
            record.pulled(repository, artifact, tag or None, now)
        name = f"{asked.repository}:{tag}" if tag else f"{asked.repository}@{digest}"
        audit.record(username, "pull", "artifact", name, project_id=project.id, description=digest, at=now)


def _inner(act: Callable[[Upstream, Asked], Response]) -> Response:
    """For nginx alone, which has asked the gate or the worker's secret."""
    if not request.environ.get(BY_PROXY):
        abort(404)
    try:
        asked = parse(request.method, raw_uri().removeprefix(INNER))
        response = act(_require(upstreams.find(asked.repository), asked), asked)
    except Refused as refused:
        response = said(refused.refusal)
    except DomainError as error:
        response = said(answers.refused(error).refusal)
    response.headers.extend([answers.VERSION])
    return response


def _require(upstream: Upstream | None, asked: Asked) -> Upstream:
    if upstream is None:
        message = f"project {asked.project} caches no other registry"
        raise Absent(Refusal(404, "NAME_UNKNOWN", message, RULE))
    return upstream


def _plain_manifest(upstream: Upstream, asked: Asked) -> Response:
    with upstream.asked() as client:
        content = client.manifest(upstream.name, asked.reference)
    if content is None:
        raise unknown(upstream, asked.reference)
    return _given(content)


def _blob(upstream: Upstream, asked: Asked) -> Response:
    try:
        if request.method == "HEAD":
            with upstream.asked() as client:
                size = client.blob_size(upstream.name, asked.reference)
            if size is None:
                raise NotFound(asked.reference)
            return _headers(Response(), asked.reference, "application/octet-stream", size)
        return _carried(upstream, asked.reference)
    except NotFound:
        message = f"blob unknown: {upstream.client.transport.name} has no {asked.reference} in {upstream.name}"
        raise Absent(Refusal(404, "BLOB_UNKNOWN", message, RULE)) from None


def _carried(upstream: Upstream, digest: str) -> Response:
    """A blob, as one of those that this process carries at a time."""
    with ExitStack() as held:
        if not _STREAMS.acquire(blocking=False):
            raise Unavailable("as much is being fetched for proxy caches as may be at once; try again in a moment", retry_after=5)
        held.callback(_STREAMS.release)
        pace = Pace(lambda: None, upstream.terms.speed)
        client = held.enter_context(upstream.asked())
        size, pieces = Reading(client, upstream.name, digest, pace.passed, pace.piece).whole()
        upstream.answered()
        kept = held.pop_all()

    def carried() -> Iterator[bytes]:
        with kept:  # what goes wrong is heard there
            yield from pieces

    response = _headers(Response(carried()), digest, "application/octet-stream", size)
    response.call_on_close(kept.close)  # whoever asked may be gone before the first piece
    return response


def _described(found: Described) -> Response:
    return _headers(Response(), found.digest, found.media_type, found.size)


def _given(content: Content) -> Response:
    return _headers(Response(content.data), content.digest, content.media_type, len(content.data))


def _headers(response: Response, digest: str, media_type: str, size: int) -> Response:
    response.headers["Content-Type"] = media_type
    response.headers["Content-Length"] = str(size)
    response.headers["Docker-Content-Digest"] = digest
    response.headers["ETag"] = f'"{digest}"'
    return response
