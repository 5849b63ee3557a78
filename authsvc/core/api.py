"""Harbor's REST conventions, once: schemas, pages, Location, errors, encoded repository names.

Source: Harbor API v2.0 (swagger.yaml) and what its clients rely on: `page`/`page_size`/`X-Total-Count`/`Link`, relative
`Location`, zero values left out, times in RFC 3339 with milliseconds, 422 for a body that does not fit the schema.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

import marshmallow as ma
from flask import Flask, Response, jsonify, request
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import fields
from sqlalchemy import Select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, IntegerConverter, ValidationError

from authsvc.core import conditional, idempotency, openapi, paging, web
from authsvc.core.base import Application
from authsvc.core.clock import rfc3339
from authsvc.core.errors import Unprocessable, UnsupportedMediaType
from authsvc.core.text import is_storable

PREFIX = "/api/v2.0"
MAX_PAGE_SIZE = 100
MAX_ID = 2**63 - 1
_SLASHES = re.compile("//+")


class Api(SmorestApi):  # type: ignore[misc] # it carries no types
    """flask-smorest with our error shape and a complete document."""

    def __init__(self, app: Flask) -> None:
        self.spec: Any = None
        self._undocumented: list[Blueprint] = []
        self._documenting = threading.Lock()
        super().__init__(app)

    def _init_spec(self, **_options: Any) -> None:
        """Made when it is asked for."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
        if messages is not None:  # webargs: the body or query does not fit the schema
            return web.error_response(Unprocessable(f"validation failure list:\n{_flatten(messages)}", detail=messages))
        return web.http_error(error)

    def register_blueprint(self, blueprint: Blueprint, *, url_prefix: str) -> None:
        """Routes at once; their documentation takes as long to make as all else of a start, and most processes need none."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blueprint.name] = self
        self._app.register_blueprint(blueprint, url_prefix=url_prefix)
        self._undocumented.append(blueprint)

    def _openapi_json(self) -> Response:
        with self._documenting:
            if self.spec is None:
                super()._init_spec()
            while self._undocumented:
                blueprint = self._undocumented.pop(0)
                blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            return jsonify(openapi.complete(self.spec.to_dict(), PREFIX))


class Blueprint(SmorestBlueprint):  # type: ignore[misc] # it carries no types
    """flask-smorest's, with operation ids from the names of functions: `list_users` is `listUsers`."""

    def response(self, status_code: int, schema: Any = None, *, content_type: str | None = None, **options: Any) -> Any:
        """As flask-smorest has it; a content type without a schema is that of a text or file."""
        if content_type is not None and schema is None:
            schema = {} if content_type == "application/json" else {"type": "string"}
        return super().response(status_code, schema, content_type=content_type, **options)

    @staticmethod
    def strangers(function: Any) -> Any:
        """The document says that nobody need be logged in; of what is in a project, that goes for public ones. Whatever is not
        marked so answers strangers with 401."""
        return SmorestBlueprint.doc(security=[*openapi.LOGINS, {}])(function)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        first, *others = endpoint.split("_")
        for method, doc in self._docs[endpoint].items():
            if method != "parameters":
                doc.setdefault("manual_doc", {}).setdefault("operationId", first + "".join(map(str.capitalize, others)))


def _flatten(messages: Any, path: str = "") -> str:
    if isinstance(messages, Mapping):
        return "\n".join(_flatten(value, f"{path}.{key}" if path else str(key)) for key, value in messages.items())
    return "\n".join(f"{path}: {message}" for message in messages)


class Time(fields.Field[datetime]):
    """RFC 3339 in UTC with milliseconds; Harbor's zero time for None."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return rfc3339(value)


class Bounded(ma.Schema):
    """Whole numbers are what the database can hold."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        if isinstance(field_obj, fields.Integer):
            field_obj.validators.insert(0, ma.validate.Range(-MAX_ID - 1, MAX_ID))


class Schema(Bounded):
    """Input: fields that it does not name are dropped, so that no body can set them, and null is as if nothing were said, as
    in Go, except for the fields in `nullable`. Output: Harbor leaves out "", 0, false, null and empty lists, except for the
    fields in `always`."""

    always: ClassVar[frozenset[str]] = frozenset()
    nullable: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        unknown = ma.EXCLUDE

    @ma.pre_load
    def _null_says_nothing(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key in self.nullable}

    @ma.post_dump
    def _omit_zero_values(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if value or key in self.always}


class StrictSchema(Schema):
    """Input beyond Harbor's API: a field that it does not name is refused, since it may be a limit that was misspelt. What it
    only shows may be sent back."""

    @ma.pre_load
    def _refuse_unknown(self, data: Any, **_: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise ma.ValidationError({name[:64]: ["there is no such field"] for name in sorted(unknown)})
        return data


class PageArguments(Bounded):
    """The query string of every list: which part of it."""

    class Meta:
        unknown = ma.EXCLUDE

    page = fields.Integer(
        load_default=1, validate=ma.validate.Range(max=2**31), metadata={"description": "counts from 1; below: the first"}
    )
    page_size = fields.Integer(
        load_default=10,
        validate=ma.validate.Range(max=MAX_PAGE_SIZE),
        metadata={"description": "at most 100; 0 or negative: all"},
    )


class ListArguments(PageArguments):
    """And of those that can be narrowed and ordered (`core.query`)."""

    q = fields.String(
        load_default="", validate=ma.validate.Length(max=2048), metadata={"description": "`k=v,k=~v,k=[a~b],k={a b}`"}
    )
    sort = fields.String(load_default="", validate=ma.validate.Length(max=256), metadata={"description": "`key,-key`"})


def page_of(
    statement: Select[*tuple[Any, ...]],
    arguments: Mapping[str, Any],
    *,
    scalars: bool = True,
    counted: Select[*tuple[Any, ...]] | None = None,
) -> tuple[Sequence[Any], dict[str, str]]:
    """One page of a select, with Harbor's `X-Total-Count` and `Link` headers; rows of one entity, or tuples unless `scalars`.
    `counted`: a select of as many rows that is simpler."""
    page, size = max(1, arguments["page"]), arguments["page_size"]
    skipped = (page - 1) * size if size > 0 else 0
    rows, total = paging.fetch(statement, size, skipped, scalars=scalars, counted=counted)
    return rows, page_headers(page, size, total, goes_on=page * size < total)


def page_headers(page: int, size: int, total: int, *, goes_on: bool) -> dict[str, str]:
    """Harbor's headers of a page; `goes_on`: there is one behind it."""
    headers = {"X-Total-Count": str(total)}
    if link := _link(page, size, goes_on=goes_on):
        headers["Link"] = link
    return headers


def _link(page: int, size: int, *, goes_on: bool) -> str:
    if size <= 0:
        return ""
    neighbours = [("prev", page - 1, page > 1), ("next", page + 1, goes_on)]
    query = request.args.to_dict(flat=False)
    return " , ".join(
        f'<{quote(request.path, safe="/%:@")}?{_query(query | {"page": [str(number)], "page_size": [str(size)]})}>; rel="{name}"'
        for name, number, exists in neighbours
        if exists
    )


def _query(parameters: Mapping[str, list[str]]) -> str:
    """As Harbor writes it: by name, and `q` readable; but what would end the link stays encoded."""
    return urlencode(sorted(parameters.items()), doseq=True, quote_via=quote, safe="=~[](){}:/*")


def created(identifier: int | str) -> tuple[None, int, dict[str, str]]:
    """201 with an empty body and a relative `Location`: the request's path and the new id."""
    return None, 201, {"Location": f"{request.path.rstrip('/')}/{identifier}"}


class Id(IntegerConverter):
    """An id in a path: what fits the database's, else there is no such path (404). By its length, since Werkzeug takes a number
    that is too large for a method that is not allowed (405)."""

    regex = r"\d{1,18}"


class RepositoryName(BaseConverter):
    """A repository's name within its project as one path segment; slashes in it come encoded once or twice."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        name = unquote(value)
        if "\0" in name:
            raise ValidationError
        return name


def clean_path(environ: dict[str, Any]) -> None:
    """What is routed below the API, as Harbor's router has it: a slash at the end means nothing, and several are one.

    Servers decode the path before, and `a%2Fb` would become two segments. So an encoded slash (once or twice) in what the client
    sent stays `%2F` in PATH_INFO, for `RepositoryName` to decode.
    """
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
    if raw.startswith(PREFIX) and "%2f" in raw.lower():
        once = raw.replace("%252F", "%2F").replace("%252f", "%2F").replace("%2f", "%2F")
        path = "%2F".join(unquote(piece) for piece in once.split("%2F"))
        environ["PATH_INFO"] = path.encode().decode("latin-1")
    if environ["PATH_INFO"].startswith(PREFIX):
        environ["PATH_INFO"] = _SLASHES.sub("/", environ["PATH_INFO"]).rstrip("/")


def _require_readable_body() -> None:
    """A body is JSON that can be stored: no NUL and no half of a surrogate pair in its strings, whatever the schema says.

    Raises:
        UnsupportedMediaType: it is no JSON.
        Unprocessable: it cannot be read.
    """
    data = request.get_data(cache=True) if request.url_rule and request.path.startswith(PREFIX) else b""
    if not data:
        return
    if not request.is_json:
        raise UnsupportedMediaType(f'unsupported media type "{request.mimetype}", only [application/json] are allowed')
    try:
        body = json.loads(data, parse_constant=_finite, parse_float=_finite)
        usable = is_storable(body)
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"the body is no JSON that can be read: {error}"[:200]) from error
    if not usable:
        raise Unprocessable("there is a NUL character, or half of a surrogate pair, in a string of the body")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is no number of JSON's")
    return number


def _no_null(response: Response) -> Response:
    """Where there is nothing to say flask-smorest writes `null`; Harbor's clients expect an empty body, and parse what is said
    to be JSON."""
    if response.content_length == len(b"null\n") and response.is_json and response.get_data() == b"null\n":
        response.set_data(b"")
        response.headers.pop("Content-Type")
    return response


def init(app: Application) -> Api:
    """The API on the application, with its OpenAPI document at `/api/v2.0/openapi.json` and a page to browse it."""
    app.before_request(_require_readable_body)
    conditional.init(app, PREFIX)
    idempotency.init(app, PREFIX)
    app.after_request(_no_null)
    app.url_map.converters["int"] = Id
    app.url_map.converters["repository"] = RepositoryName
    app.config |= {
        "API_TITLE": "Tidegate",
        "API_VERSION": "v2.0",
        "OPENAPI_VERSION": "3.0.3",
        "OPENAPI_URL_PREFIX": PREFIX,
        "OPENAPI_JSON_PATH": "openapi.json",
        "API_SPEC_OPTIONS": openapi.OPTIONS,
    }
    return Api(app)
