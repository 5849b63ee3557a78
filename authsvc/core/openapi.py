"""Completes the OpenAPI document: what holds of every operation is said here once, and not at each route.

The routes say what they take and what they answer when all goes well. Added are Harbor's operation ids, the answers that any
operation of its kind can give, the headers that go with them, and the operations of Harbor's that answer 501.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from authsvc.core.harbor import HarborOperation, operations, shape

Json = dict[str, Any]
_METHODS = ("get", "head", "post", "put", "patch", "delete")
_WRITES = frozenset({"post", "put", "patch", "delete"})

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_ERRORS: Json = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": _TEXT, "message": _TEXT, "detail": {"type": "object"}},
            },
        }
    },
}
_HEADERS: Json = {
    "X-Request-Id": {"description": "the request's own, or a new one", "required": True, "schema": _TEXT},
    "X-Total-Count": {"description": "how many there are on all pages", "required": True, "schema": _NUMBER},
    "Link": {"description": "the pages before and after (RFC 8288)", "schema": _TEXT},
    "Location": {"description": "the path of what was made", "required": True, "schema": _TEXT},
    "ETag": {"description": "for If-None-Match and If-Match", "schema": _TEXT},
    "Retry-After": {"description": "in seconds", "schema": _NUMBER},
    "RateLimit": {"description": "the limit that applies, what remains and when there is room", "schema": _TEXT},
    "RateLimit-Policy": {"description": "that limit: how many in how many seconds", "schema": _TEXT},
    "Idempotency-Replayed": {"description": "true: the answer to an earlier request with this key", "schema": _TEXT},
}
_PARAMETERS: Json = {
    "X-Request-Id": {"description": "names the request in logs and answers", "schema": {**_TEXT, "maxLength": 64}},
    "X-Is-Resource-Name": {"description": "true: digits in the path are a name, too", "schema": {"type": "boolean"}},
    "X-Resource-Name-In-Location": {"description": "true: the name instead of the id", "schema": {"type": "boolean"}},
    "If-None-Match": {"description": "304 if it still has this ETag", "schema": _TEXT},
    "If-Match": {"description": "412 unless it still has this ETag", "schema": _TEXT},
    "Idempotency-Key": {"description": "the same key and request again: the same answer", "schema": {**_TEXT, "maxLength": 255}},
}
# Status: name, what it means, further headers.
_ANSWERS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("BadRequest", "Well-formed, but not something that can be asked for", ()),
    401: ("Unauthorized", "Nobody is logged in, or with wrong credentials", ()),
    403: ("Forbidden", "The caller may not do this, or nobody may now", ()),
    404: ("NotFound", "No such thing", ()),
    409: ("Conflict", "It exists already", ()),
    412: ("PreconditionFailed", "The state of the thing forbids it now", ()),
    413: ("TooLarge", "The body is too large", ()),
    415: ("UnsupportedMediaType", "The body is not JSON", ()),
    422: ("Unprocessable", "Body or parameters do not fit the schema", ()),
    429: ("TooManyRequests", "Asked too often", ("Retry-After", "RateLimit", "RateLimit-Policy")),
    501: ("NotImplemented", "An operation of Harbor's that this registry does not have", ()),
    503: ("Unavailable", "A part that is needed does not answer now", ("Retry-After",)),
}
LOGINS: list[Json] = [{"basic": []}, {"bearer": []}, {"session": []}]
OPTIONS: Json = {
    "info": {"description": "Harbor's REST API v2.0, as served by Tidegate, and what goes beyond it."},
    "security": LOGINS,
    "components": {
        "securitySchemes": {
            "basic": {"type": "http", "scheme": "basic", "description": "a user or robot, with a password, token or secret"},
            "bearer": {"type": "http", "scheme": "bearer", "description": "an ID token of an OpenID Connect provider"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sid", "description": "of the pages"},
        }
    },
}


def complete(document: Json, prefix: str) -> Json:
    """The whole document, from that of the routes; `prefix` is the API's path."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Errors"] = _ERRORS
    components["headers"] = _HEADERS
    components["parameters"] = {name: {"name": name, "in": "header", **about} for name, about in _PARAMETERS.items()}
    components["responses"] = {name: _answer(text, headers) for name, text, headers in _ANSWERS.values()}
    paths = document.setdefault("paths", {})
    harbor = {(operation.method, shape(prefix + operation.path)): operation for operation in operations()}
    for path, method, operation in _operations(paths):
        named = harbor.pop((method.upper(), shape(path)), None)
        if named is not None:
            operation["operationId"] = named.name
        _complete(path, method, operation)
    for missing in harbor.values():
        paths.setdefault(prefix + missing.path, {})[missing.method.lower()] = _unserved(missing)
    return document


def _operations(paths: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _answer(text: str, headers: tuple[str, ...]) -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    return {"description": text, "headers": _headers("X-Request-Id", *headers), "content": content}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _complete(path: str, method: str, operation: Json) -> None:
    responses: Json = operation["responses"]
    responses.pop("default", None)
    if method == "get" and "200" in responses:
        responses["200"].setdefault("content", {"application/json": {"schema": {}}})
    is_list = method == "get" and _schema(responses).get("type") == "array" and "page_size" in _names(operation)
    for status, response in responses.items():
        if status < "400":
            response.setdefault("headers", {}).update(_headers(*_of_success(method, status, response, is_list=is_list)))
    for error in sorted({*_possible(path, method, operation), *_named(responses)}):
        if "content" not in responses.get(str(error), {}):
            responses[str(error)] = {"$ref": f"#/components/responses/{_ANSWERS[error][0]}"}
    if method == "get" and "application/json" in responses.get("200", {}).get("content", {}):
        responses["304"] = {"description": "It still has that ETag", "headers": _headers("X-Request-Id", "ETag")}
    accepted = [{"$ref": f"#/components/parameters/{name}"} for name in _accepted(path, method)]
    operation["parameters"] = [*operation.get("parameters", []), *accepted]


def _schema(responses: Json) -> Json:
    schema: Json = responses.get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _names(operation: Json) -> set[str]:
    return {parameter.get("name", "") for parameter in operation.get("parameters", [])}


def _named(responses: Json) -> Iterator[int]:
    """The errors that the route names itself, since they are not of its kind."""
    yield from (int(status) for status in responses if int(status) >= 400)


def _of_success(method: str, status: str, response: Json, *, is_list: bool) -> Iterator[str]:
    """The headers of an answer when all goes well."""
    yield "X-Request-Id"
    if is_list:
        yield from ("X-Total-Count", "Link")
    if status == "201":
        yield "Location"
    if method == "get" and "application/json" in response.get("content", {}):
        yield "ETag"
    if method == "post":
        yield from ("Idempotency-Replayed", "RateLimit", "RateLimit-Policy")


def _possible(path: str, method: str, operation: Json) -> Iterator[int]:
    """The answers that any operation like this can give."""
    yield from (401, 403, 429, 503)
    if "{" in path or method != "get":
        yield 404
    if "{" in path or operation.get("parameters") or method in _WRITES:
        yield from (400, 422)
    if method in _WRITES:
        yield from (409, 412)
    if "requestBody" in operation:
        yield from (413, 415)


def _accepted(path: str, method: str) -> Iterator[str]:
    """The headers that a request may have."""
    yield "X-Request-Id"
    if "{project_name_or_id}" in path:
        yield "X-Is-Resource-Name"
    if method == "get":
        yield "If-None-Match"
    elif method == "post":
        yield "Idempotency-Key"
        if path.endswith("/projects"):
            yield "X-Resource-Name-In-Location"
    elif method in _WRITES:
        yield "If-Match"


def _unserved(operation: HarborOperation) -> Json:
    names = [piece[1:-1] for piece in operation.path.split("/") if piece.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names]
    responses = {str(status): {"$ref": f"#/components/responses/{_ANSWERS[status][0]}"} for status in _UNSERVED}
    return {"operationId": operation.name, "tags": [operation.tag], "parameters": parameters, "responses": responses}


_UNSERVED = (400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 501, 503)
