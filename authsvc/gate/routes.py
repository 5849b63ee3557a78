"""What nginx sends here instead of to the registry: writes of manifests, and whatever lists what there is.

Source: OCI distribution spec 1.1, "Pushing Manifests", "Deleting tags", "Deleting Manifests" and "Content Discovery".
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint as PageBlueprint
from flask import Response, current_app, request

from authsvc.core.api import Blueprint
from authsvc.core.proxy import MIRROR
from authsvc.distribution.manifest import MAX_BYTES, OCI_INDEX, parse
from authsvc.gate import discovery, replay
from authsvc.gate.answering import answer
from authsvc.gate.asked import Asked
from authsvc.gate.callers import Caller
from authsvc.gate.decide import authorize
from authsvc.gate.discovery import Listing
from authsvc.gate.schemas import DecisionSchema
from authsvc.gate.service import Gate
from authsvc.rbac.guard import require_login

blueprint = PageBlueprint("gate", __name__)
decision_blueprint = Blueprint("decision", __name__, url_prefix="/system/decisions", description="Why the gate let in or refused")
PATH = "/v2/<path:name>/manifests/<reference>"


@blueprint.put(PATH)
def put_manifest(name: str, reference: str) -> Response:
    return answer(_put)


@blueprint.delete(PATH)
def delete_manifest(name: str, reference: str) -> Response:
    return answer(_delete)


@blueprint.get("/v2/_catalog")
def get_catalog() -> Response:
    return answer(_catalog)


@blueprint.get("/v2/<path:name>/tags/list")
def list_tags(name: str) -> Response:
    return answer(_tags)


@blueprint.get("/v2/<path:name>/referrers/<digest>")
def list_referrers(name: str, digest: str) -> Response:
    return answer(_referrers)


def _put(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    request.max_content_length = MAX_BYTES
    snapshot = gate.callers.snapshots.current()
    project = authorize(caller, asked, snapshot)
    data = request.get_data(cache=False)
    manifest = parse(data, request.content_type or "")
    assert caller is not None  # noqa: S101 - authorize refuses nobody
    assert project is not None  # noqa: S101
    gate.writer.put(caller, asked, project, snapshot, manifest, data)
    location = f"/v2/{asked.repository}/manifests/{manifest.digest}"
    response = Response(status=201, headers={"Location": location, "Docker-Content-Digest": manifest.digest})
    if manifest.subject is not None:
        response.headers["OCI-Subject"] = manifest.subject.digest
    return response


def _delete(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    snapshot = gate.callers.snapshots.current()
    project = authorize(caller, asked, snapshot)
    assert caller is not None  # noqa: S101 - authorize refuses nobody
    assert project is not None  # noqa: S101
    gate.writer.delete(caller, asked, project, snapshot)
    return Response(status=202)


def _catalog(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    authorize(caller, asked, gate.callers.snapshots.current())
    assert caller is not None  # noqa: S101 - authorize refuses nobody
    return _listed(discovery.catalog(caller.principal, request.args))


def _tags(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    project = authorize(caller, asked, gate.callers.snapshots.current())
    also = gate.elsewhere.tags(asked.repository) if project is not None and project.upstream else ()
    return _listed(discovery.tags(asked.repository, request.args, also))


def _referrers(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    project = authorize(caller, asked, gate.callers.snapshots.current())
    also = gate.elsewhere.referrers(asked.repository, asked.reference) if project is not None and project.upstream else ()
    response = _listed(discovery.referrers(asked.repository, asked.reference, request.args, also))
    response.mimetype = OCI_INDEX
    if request.args.get("artifactType"):
        response.headers["OCI-Filters-Applied"] = "artifactType"
    return response


def _listed(listing: Listing) -> Response:
    response = Response(orjson.dumps(listing.body), mimetype="application/json")
    if listing.following is not None:
        gate: Gate = current_app.extensions["gate"]
        project = gate.settings.mirrors.get(request.environ.get(MIRROR, ""), "")
        path = request.path.replace(f"/v2/{project}/", "/v2/", 1) if project else request.path
        response.headers["Link"] = f'<{path}?{listing.following}>; rel="next"'
    return response


@decision_blueprint.get("/<decision_id>")
@decision_blueprint.response(200, DecisionSchema)
def get_decision(decision_id: str) -> dict[str, Any]:
    row = replay.get(decision_id, require_login())
    gate: Gate = current_app.extensions["gate"]
    return {"row": row, "then": replay.was(row), "now": replay.now(row, gate.callers.snapshots.current(), gate.checks)}
