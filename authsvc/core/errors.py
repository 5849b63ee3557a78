"""The domain's words for what went wrong. HTTP is added once, in `core.web` and at the token endpoint.

`code` is Harbor's error code (its REST API, section "error envelope"); `message` is meant for people and never
holds a secret.
"""


class DomainError(Exception):
    """Something the caller asked for cannot be done; `message` says what and, where it helps, what to do."""

    code = "UNKNOWN"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


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


class NotFound(DomainError):
    """No such thing, or none that the caller may know of."""

    code = "NOT_FOUND"


class Conflict(DomainError):
    """It exists already."""

    code = "CONFLICT"


class PreconditionFailed(DomainError):
    """The state of the thing forbids it now (a project that still holds repositories)."""

    code = "PRECONDITION"


class TooLarge(DomainError):
    """A body over its limit."""

    code = "REQUEST_ENTITY_TOO_LARGE"


class Unprocessable(DomainError):
    """The body does not fit the schema (wrong type, missing or unreadable JSON)."""

    code = "UNPROCESSABLE_ENTITY"


class TooManyRequests(DomainError):
    """Asked too often; `retry_after` is in seconds."""

    code = "TOOMANYREQUESTS"


class Unavailable(DomainError):
    """A part we need (database, directory, registry) does not answer now; `retry_after` is in seconds."""

    code = "UNAVAILABLE"


STATUS = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "DENIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PRECONDITION": 412,
    "REQUEST_ENTITY_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNPROCESSABLE_ENTITY": 422,
    "TOOMANYREQUESTS": 429,
    "UNKNOWN": 500,
    "UNAVAILABLE": 503,
}


def envelope(code: str, message: str) -> dict[str, list[dict[str, str]]]:
    """The one shape of every error body, shared by Harbor's API and the registry's (OCI distribution spec, "Error Codes")."""
    return {"errors": [{"code": code, "message": message}]}
