"""`/v2/_catalog` from the index, filtered by what the caller may see.

Source: OCI distribution spec / distribution HTTP API V2, "Listing Repositories": `n`, `last`, `Link`. Names are sorted
by bytes; `last` need not exist.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy import exists

from authsvc.artifacts.models import Artifact
from authsvc.authn import credentials
from authsvc.authn.credentials import Bearer
from authsvc.authn.subjects import account_of
from authsvc.core import origin
from authsvc.core.db import db
from authsvc.core.errors import InvalidCredentials, envelope
from authsvc.rbac.principal import ANONYMOUS, Principal
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

blueprint = Blueprint("catalog", __name__)
MAX_PAGE = 1000


@blueprint.get("/v2/_catalog")
def get_catalog() -> Response:
    extension: Any = current_app.extensions["tidegate"]
    try:
        who = _caller(extension, request.headers.get("Authorization", ""))
    except InvalidCredentials:
        return _challenge(extension.settings.realm, extension.settings.token_service, ',error="invalid_token"')
    if who is None:
        return _challenge(extension.settings.realm, extension.settings.token_service, "")
    size = request.args.get("n", str(MAX_PAGE))
    if not size.isascii() or not size.isdigit() or len(size) > 9:
        return _refused(400, "PAGINATION_NUMBER_INVALID", "n is a number of at least 0")
    return _page(who, min(int(size), MAX_PAGE), request.args.get("last", ""))


def _caller(extension: Any, header: str) -> Principal | None:
    """Who asks, by a registry token or by name and password; None if nobody says who.

    Raises:
        InvalidCredentials
    """
    snapshot = extension.snapshots.current()
    credential = credentials.parse(header)
    if credential is None:
        return None
    if not isinstance(credential, Bearer):
        principal: Principal = extension.authentication.check(credential, snapshot, origin.current().address)[0]
        return principal
    subject = extension.issuer.verify(credential.token).subject
    account = account_of(subject, snapshot) if subject else None
    if subject and (account is None or account.refusal(time.time())):
        raise InvalidCredentials("the account is gone or disabled")
    return account.principal if account else ANONYMOUS


def _page(who: Principal, size: int, last: str) -> Response:
    held = exists().where(Artifact.repository_id == Repository.id)
    visible = repositories.visible_to(who).where(held, Repository.name > last)
    found = db.session.scalars(visible.with_only_columns(Repository.name).order_by(Repository.name).limit(size + 1)).all()
    response = jsonify(repositories=list(found[:size]))
    if size and len(found) > size:
        response.headers["Link"] = f'</v2/_catalog?{urlencode({"last": found[size - 1], "n": size})}>; rel="next"'
    return _as_registry(response)


def _challenge(realm: str, service: str, error: str) -> Response:
    response = _refused(401, "UNAUTHORIZED", "authentication required")
    response.headers["WWW-Authenticate"] = f'Bearer realm="{realm}",service="{service}",scope="registry:catalog:*"{error}'
    return response


def _refused(status: int, code: str, message: str) -> Response:
    response = jsonify(envelope(code, message))
    response.status_code = status
    return _as_registry(response)


def _as_registry(response: Response) -> Response:
    response.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
    return response
