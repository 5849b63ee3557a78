"""The domain's words for what went wrong. HTTP is added once, in `core.web` and at the token endpoint.

`code` is Harbor's error code (its REST API, section "error envelope"); `message` is meant for people and never
holds a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: so many (`quota`) in a window of so many seconds, how many are left (`remaining`; 0: it is reached), and in how
    many seconds (`reset`) there is room for another one."""

    name: str
    quota: int
    window: int
    reset: int
    remaining: int = 0


class DomainError(Exception):
    """Something the caller asked for cannot be done; `message` says what and, where it helps, what to do. `detail` says the
    same for programs."""

    code = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        retry_after: int | None = None,
        detail: Mapping[str, Any] | None = None,
        limit: Limit | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after if limit is None else limit.reset
        self.detail = detail
        self.limit = limit


class BadRequest(DomainError):
    """Well-formed, but not something that can be asked for."""

    code = "BAD_REQUEST"


class Unauthenticated(DomainError):
    """Nobody is logged in where somebody has to be."""

    code = "UNAUTHORIZED"


class InvalidCredentials(DomainError):
    """Credentials were given and are wrong. Never to be treated as "no credentials"."""

    code = "UNAUTHORIZED"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class Denied(DomainError):
    """Refused by policy or state (a disabled account, read-only mode), whoever asks."""

    code = "DENIED"


class PasswordChangeRequired(DomainError):
    """The caller's password was made by somebody else, and opens nothing but its own change."""

    code = "PASSWORD_CHANGE_REQUIRED"


class NotFound(DomainError):
    """No such thing, or none that the caller may know of."""

    code = "NOT_FOUND"


class NotAllowed(DomainError):
    """Something that cannot be done to this kind of thing, whoever asks."""

    code = "METHOD_NOT_ALLOWED"


class Conflict(DomainError):
    """It exists already."""

    code = "CONFLICT"


class PreconditionFailed(DomainError):
    """The state of the thing forbids it now (a project that still holds repositories)."""

    code = "PRECONDITION"


class TooLarge(DomainError):
    """A body over its limit."""

    code = "REQUEST_ENTITY_TOO_LARGE"


class UnsupportedMediaType(DomainError):
    """A body that is not JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class Unprocessable(DomainError):
    """The body does not fit the schema (wrong type, missing or unreadable JSON)."""

    code = "UNPROCESSABLE_ENTITY"


class TooManyRequests(DomainError):
    """Asked too often; `retry_after` is in seconds, or `limit` says it all."""

    code = "TOOMANYREQUESTS"


class Unavailable(DomainError):
    """A part we need (database, directory, registry) does not answer now; `retry_after` is in seconds."""

    code = "UNAVAILABLE"


class NotServed(DomainError):
    """An operation of Harbor's that we do not have."""

    code = "NOT_IMPLEMENTED"


STATUS = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "DENIED": 403,
    "PASSWORD_CHANGE_REQUIRED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PRECONDITION": 412,
    "REQUEST_ENTITY_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNPROCESSABLE_ENTITY": 422,
    "TOOMANYREQUESTS": 429,
    "UNKNOWN": 500,
    "NOT_IMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}


def envelope(code: str, message: str, detail: Mapping[str, Any] | None = None) -> dict[str, list[dict[str, Any]]]:
    """The one shape of every error body, shared by Harbor's API and the registry's (OCI distribution spec, "Error Codes");
    `detail` is of the latter, and nothing to Harbor's clients."""
    return {"errors": [{"code": code, "message": message} | ({"detail": dict(detail)} if detail else {})]}
