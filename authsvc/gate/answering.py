"""Requests below `/v2/` that Flask answers: who asks for what is found out, and every refusal is said as the registry would."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from flask import Response, current_app, request

from authsvc.core import origin
from authsvc.core.errors import DomainError
from authsvc.core.proxy import MIRROR
from authsvc.distribution.client import Refused as RefusedByRegistry
from authsvc.distribution.manifest import ManifestInvalid
from authsvc.gate import answers, decisions
from authsvc.gate.asked import Asked
from authsvc.gate.asked import parse as parse_request
from authsvc.gate.callers import Caller
from authsvc.gate.checks import Absent, Refusal, Refused
from authsvc.gate.service import Gate


def answer(act: Callable[[Gate, Caller | None, Asked], Response]) -> Response:
    """What `act` answers, or the refusal that it raises, as the registry would say it."""
    gate: Gate = current_app.extensions["gate"]
    caller = asked = None
    header = request.headers.get("Authorization", "")
    try:
        asked = parse_request(request.method, raw_uri())
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


def raw_uri() -> str:
    """What the client asked for, before anything was decoded."""
    environ = request.environ
    return str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path.rstrip("?"))


def _refuse(gate: Gate, refused: Refused, caller: Caller | None, asked: Asked | None) -> Response:
    refusal, decision_id = refused.refusal, ""
    if caller is not None and asked is not None and refused.challenge is None and not isinstance(refused, Absent):
        decision_id = decisions.new_id()
        project = gate.callers.snapshots.current().project(asked.project)
        decision = decisions.decision(decision_id, caller, asked, project.id if project else 0, refusal, refused.facts)
        decisions.tell(decision)
        decisions.keep([(decision, refusal)])
    response = said(refusal, decision_id)
    if refused.challenge is not None:
        response.headers["WWW-Authenticate"] = gate.challenge(asked, refused.challenge, request.environ.get(MIRROR, ""))
    return response


def said(refusal: Refusal, decision_id: str = "") -> Response:
    """A refusal in the registry's shape."""
    response = Response(orjson.dumps(answers.body(refusal, decision_id)), refusal.status, mimetype="application/json")
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
