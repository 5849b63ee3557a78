"""What nginx sends here instead of to the registry: writes of manifests, and whatever lists what there is.

Source: OCI distribution spec 1.1, "Pushing Manifests", "Deleting tags", "Deleting Manifests" and "Content Discovery".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint as PageBlueprint
from flask import Response, current_app, request

from authsvc.core import origin
from authsvc.core.api import Blueprint
from authsvc.core.errors import DomainError
from authsvc.distribution.client import Refused as RefusedByRegistry
from authsvc.distribution.manifest import MAX_BYTES, OCI_INDEX, ManifestInvalid, parse
from authsvc.gate import answers, decisions, discovery, replay
from authsvc.gate.asked import Asked
from authsvc.gate.asked import parse as parse_request
from authsvc.gate.callers import Caller
from authsvc.gate.checks import Refusal, Refused
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
    return _answer(_put)


@blueprint.delete(PATH)
def delete_manifest(name: str, reference: str) -> Response:
    return _answer(_delete)


@blueprint.get("/v2/_catalog")
def get_catalog() -> Response:
    return _answer(_catalog)


@blueprint.get("/v2/<path:name>/tags/list")
def list_tags(name: str) -> Response:
    return _answer(_tags)


@blueprint.get("/v2/<path:name>/referrers/<digest>")
def list_referrers(name: str, digest: str) -> Response:
    return _answer(_referrers)


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
    authorize(caller, asked, gate.callers.snapshots.current())
    return _listed(discovery.tags(asked.repository, request.args))


def _referrers(gate: Gate, caller: Caller | None, asked: Asked) -> Response:
    authorize(caller, asked, gate.callers.snapshots.current())
    response = _listed(discovery.referrers(asked.repository, asked.reference, request.args))
    response.mimetype = OCI_INDEX
    if request.args.get("artifactType"):
        response.headers["OCI-Filters-Applied"] = "artifactType"
    return response


def _listed(listing: Listing) -> Response:
    response = Response(orjson.dumps(listing.body), mimetype="application/json")
    if listing.following is not None:
        response.headers["Link"] = f'<{request.path}?{listing.following}>; rel="next"'
    return response


def _answer(act: Callable[[Gate, Caller | None, Asked], Response]) -> Response:
    """What `act` answers, or the refusal that it raises, as the registry would say it."""
    gate: Gate = current_app.extensions["gate"]
    caller = asked = None
    header = request.headers.get("Authorization", "")
    try:
        asked = parse_request(request.method, _raw_uri())
        caller = gate.callers.find(header, gate.callers.snapshots.current(), origin.current().address)
        response = act(gate, caller, asked)
    except Refused as refused:
        response = _refuse(gate, refused, caller, asked)
    except RefusedByRegistry as error:
        response = Response(error.body, status=error.status, mimetype="application/json")
    except ManifestInvalid as error:
        response = _refuse(
            gate, Refused(Refusal(400, "MANIFEST_INVALID", f"manifest invalid: {error}", "registry API")), None, asked
        )
    except DomainError as error:
        response = _refuse(gate, answers.refused(error, header), None, asked)
    response.headers.extend([answers.VERSION])
    return response


def _raw_uri() -> str:
    environ = request.environ
    return str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path.rstrip("?"))


def _refuse(gate: Gate, refused: Refused, caller: Caller | None, asked: Asked | None) -> Response:
    refusal, decision_id = refused.refusal, ""
    if caller is not None and asked is not None and refused.challenge is None:
        decision_id = decisions.new_id()
        project = gate.callers.snapshots.current().project(asked.project)
        decision = decisions.decision(decision_id, caller, asked, project.id if project else 0, refusal, refused.facts)
        decisions.tell(decision)
        decisions.keep([(decision, refusal)])
    response = Response(orjson.dumps(answers.body(refusal, decision_id)), refusal.status, mimetype="application/json")
    if refused.challenge is not None:
        response.headers["WWW-Authenticate"] = gate.challenge(asked, refused.challenge)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


@decision_blueprint.get("/<decision_id>")
@decision_blueprint.response(200, DecisionSchema)
def get_decision(decision_id: str) -> dict[str, Any]:
    row = replay.get(decision_id, require_login())
    gate: Gate = current_app.extensions["gate"]
    return {"row": row, "then": replay.was(row), "now": replay.now(row, gate.callers.snapshots.current(), gate.checks)}
