"""Harbor's REST conventions, once: schemas, pages, Location, errors, encoded repository names.

Source: Harbor API v2.0 (swagger.yaml) and what its clients rely on: `page`/`page_size`/`X-Total-Count`/`Link`, relative
`Location`, zero values left out, times in RFC 3339 with milliseconds, 422 for a body that does not fit the schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote, urlencode

import marshmallow as ma
from flask import Flask, Response, request
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as Blueprint  # noqa: PLC0414 - for all features, so that the library stays behind this file
from marshmallow import fields
from sqlalchemy import Select, func
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, Map

from authsvc.core import web
from authsvc.core.clock import rfc3339
from authsvc.core.db import db
from authsvc.core.errors import Unprocessable

PREFIX = "/api/v2.0"
MAX_PAGE_SIZE = 100
MAX_ID = 2**63 - 1


class Api(SmorestApi):  # type: ignore[misc] # it carries no types
    """flask-smorest with our error shape, and schemas of the same name told apart by their modifiers."""

    ERROR_SCHEMA = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
        if messages is not None:  # webargs: the body or query does not fit the schema
            return web.error_response(Unprocessable(f"validation failure list:\n{_flatten(messages)}"))
        return web.http_error(error)


def _flatten(messages: Any, path: str = "") -> str:
    if isinstance(messages, Mapping):
        return "\n".join(_flatten(value, f"{path}.{key}" if path else str(key)) for key, value in messages.items())
    return "\n".join(f"{path}: {message}" for message in messages)


class Time(fields.Field[datetime]):
    """RFC 3339 in UTC with milliseconds; Harbor's zero time for None."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return rfc3339(value)


class Schema(ma.Schema):
    """Input: fields that it does not name are dropped, so that no body can set them. Output: Harbor leaves out "", 0,
    false, null and empty lists, except for the fields in `always`."""

    always: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        unknown = ma.EXCLUDE

    @ma.post_dump
    def _omit_zero_values(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if value or key in self.always}


class ListArguments(ma.Schema):
    """The query string of every list."""

    class Meta:
        unknown = ma.EXCLUDE

    page = fields.Integer(load_default=1, validate=ma.validate.Range(1, 2**31), metadata={"description": "counts from 1"})
    page_size = fields.Integer(
        load_default=10,
        validate=ma.validate.Range(-1, MAX_PAGE_SIZE),
        metadata={"description": "at most 100; 0 or -1: all"},
    )
    q = fields.String(
        load_default="", validate=ma.validate.Length(max=2048), metadata={"description": "`k=v,k=~v,k=[a~b],k={a b}`"}
    )
    sort = fields.String(load_default="", validate=ma.validate.Length(max=256), metadata={"description": "`key,-key`"})


def page_of(
    statement: Select[*tuple[Any, ...]], arguments: Mapping[str, Any], *, scalars: bool = True
) -> tuple[Sequence[Any], dict[str, str]]:
    """One page of a select, with Harbor's `X-Total-Count` and `Link` headers; rows of one entity, or tuples unless `scalars`."""
    page, size = arguments["page"], arguments["page_size"]
    total = db.session.scalar(statement.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)) or 0
    if size > 0:
        statement = statement.limit(size).offset((page - 1) * size)
    rows: Sequence[Any] = db.session.scalars(statement).all() if scalars else db.session.execute(statement).all()
    headers = {"X-Total-Count": str(total)}
    if link := _link(page, size, total):
        headers["Link"] = link
    return rows, headers


def _link(page: int, size: int, total: int) -> str:
    if size <= 0:
        return ""
    neighbours = [("prev", page - 1, page > 1), ("next", page + 1, page * size < total)]
    query = request.args.to_dict(flat=False)
    return " , ".join(
        f'<{request.path}?{urlencode(query | {"page": [number], "page_size": [size]}, doseq=True)}>; rel="{name}"'
        for name, number, exists in neighbours
        if exists
    )


def created(identifier: int | str) -> tuple[None, int, dict[str, str]]:
    """201 with an empty body and a relative `Location`: the request's path and the new id."""
    return None, 201, {"Location": f"{request.path.rstrip('/')}/{identifier}"}


class Id(IntegerConverter):
    """An id in a path: what fits the database's, else there is no such path (404)."""

    def __init__(self, map: Map, **options: Any) -> None:  # noqa: A002 - Werkzeug's name for it
        super().__init__(map, **{"max": MAX_ID, **options})


class RepositoryName(BaseConverter):
    """A repository's name within its project as one path segment; slashes in it come encoded once or twice."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value)


def keep_encoded_slashes(environ: dict[str, Any]) -> None:
    """Servers decode the path before routing, and `a%2Fb` would become two segments. Route on what the client sent:
    below the API, an encoded slash (once or twice) stays `%2F` in PATH_INFO, for `RepositoryName` to decode."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
    if raw.startswith(PREFIX) and "%2f" in raw.lower():
        once = raw.replace("%252F", "%2F").replace("%252f", "%2F").replace("%2f", "%2F")
        path = "%2F".join(unquote(piece) for piece in once.split("%2F"))
        environ["PATH_INFO"] = path.encode().decode("latin-1")


def _no_null(response: Response) -> Response:
    """Where there is nothing to say flask-smorest writes `null`; Harbor's clients expect an empty body."""
    if response.content_length == len(b"null\n") and response.is_json and response.get_data() == b"null\n":
        response.set_data(b"")
    return response


def init(app: Flask) -> Api:
    """The API on the application, with its OpenAPI document at `/api/v2.0/openapi.json` and a page to browse it."""
    app.after_request(_no_null)
    app.url_map.converters["int"] = Id
    app.url_map.converters["repository"] = RepositoryName
    app.config |= {
        "API_TITLE": "Tidegate",
        "API_VERSION": "v2.0",
        "OPENAPI_VERSION": "3.0.3",
        "OPENAPI_URL_PREFIX": PREFIX,
        "OPENAPI_JSON_PATH": "openapi.json",
        "API_SPEC_OPTIONS": {
            "info": {"description": "Harbor's REST API v2.0, as served by Tidegate."},
            "components": {"securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
            "security": [{"basic": []}, {}],
        },
    }
    return Api(app)
