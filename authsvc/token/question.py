"""Requests for a token, parsed at the border: the query of a GET, the OAuth2 form of a POST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from authsvc.authn.credentials import Basic
from authsvc.core.errors import BadRequest
from authsvc.token.scope import Scope, parse

_MAX_QUERY = 16 * 1024
_MAX_FORM = 64 * 1024
_MAX_FIELDS = 200
_SHORT = 512


class OAuthError(BadRequest):
    """RFC 6749 section 5.2: `error` beside the message."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. `scopes` None: no scope at all, that is, a login; `offline`: a refresh token, too."""

    scopes: tuple[Scope, ...] | None
    offline: bool
    client: str

    def within(self, project: str) -> Question:
        """The same, of repositories of a project, if one is named."""
        if not project or self.scopes is None:
            return self
        inner = (replace(one, name=f"{project}/{one.name}") if one.type == "repository" else one for one in self.scopes)
        return replace(self, scopes=tuple(inner))


def of_query(query: str, service: str) -> Question:
    """The query of a GET ("Token Authentication Specification").

    Raises:
        BadRequest: another service than ours, too much, or unreadable.
    """
    return _remembered(query, service) if len(query) <= _SHORT else _of_query(query, service)


def _of_query(query: str, service: str) -> Question:
    values = _values(query, _MAX_QUERY)
    return _question(values, service, offline=_first(values, "offline_token").lower() == "true")


# Machines ask the same questions over and over; those of ordinary length are parsed once.
_remembered = lru_cache(maxsize=8192)(_of_query)


def of_form(form: str, service: str) -> Question:
    """The form of a POST ("Docker Registry v2 authentication using OAuth2").

    Raises:
        BadRequest: another service than ours, too much, or unreadable.
    """
    values = _values(form, _MAX_FORM)
    return _question(values, service, offline=_first(values, "access_type").lower() == "offline")


def credential_of_form(form: str) -> Basic:
    """The credentials in the form: a password, or a refresh token under no name.

    Raises:
        OAuthError: no grant type that we know.
    """
    values = _values(form, _MAX_FORM)
    grant_type = _first(values, "grant_type")
    if grant_type == "password":
        return Basic(_first(values, "username"), _first(values, "password"))
    if grant_type == "refresh_token":
        return Basic("", _first(values, "refresh_token"))
    if grant_type:
        raise OAuthError("unsupported_grant_type", "grant_type is password or refresh_token")
    raise OAuthError("invalid_request", "grant_type is missing")


def read_form(environ: Mapping[str, Any]) -> str:
    """The body of a POST, as text.

    Raises:
        BadRequest: too long, of unknown length, or not ASCII.
        OAuthError: of another type than a form.
    """
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or int(length) > _MAX_FORM:
        raise BadRequest(f"a form of at most {_MAX_FORM} bytes is expected")
    if "x-www-form-urlencoded" not in environ.get("CONTENT_TYPE", ""):
        raise OAuthError("invalid_request", "application/x-www-form-urlencoded is expected")
    data: bytes = environ["wsgi.input"].read(int(length))
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise BadRequest("the form cannot be read") from None


def _values(text: str, limit: int) -> dict[str, list[str]]:
    """Names and their values, in order; as `urllib.parse.parse_qs`, which takes five times as long."""
    if len(text) > limit or text.count("&") >= _MAX_FIELDS:
        raise BadRequest(f"at most {limit} characters and {_MAX_FIELDS} fields are read")
    values: dict[str, list[str]] = {}
    try:
        for field in text.split("&"):
            name, _, value = field.partition("=")
            if "%" in name or "+" in name:
                name = unquote_plus(name, errors="strict")
            if "%" in value or "+" in value:
                value = unquote_plus(value, errors="strict")
            if "\0" in value:
                raise BadRequest("the query or form holds a NUL character")
            values.setdefault(name, []).append(value)
    except UnicodeError:
        raise BadRequest("the query or form cannot be read") from None
    return values


def _first(values: Mapping[str, list[str]], name: str) -> str:
    return values[name][0] if name in values else ""


def _question(values: Mapping[str, list[str]], service: str, *, offline: bool) -> Question:
    asked_of = values.get("service")
    if asked_of is not None and asked_of[0] != service:
        raise BadRequest(f"Unable to handle service: {asked_of[0][:100]}")
    scopes = [value for value in values.get("scope", ()) if value.strip()]
    return Question(scopes=parse(scopes) if scopes else None, offline=offline, client=_first(values, "client_id"))
