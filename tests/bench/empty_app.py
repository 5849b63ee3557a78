"""The least that a WSGI application can do: what is left of a request's time is the server's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

_BODY = b"{}"
_HEAD = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(_BODY)))]


def create() -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """For servers that take a factory."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", _HEAD)
        return (_BODY,)

    return app
