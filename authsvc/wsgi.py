"""The WSGI application of authsvc: the token endpoint ahead of Flask. Any server can run it, and each can serve all of it."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from authsvc.app import Services, create_app
from authsvc.core.api import keep_encoded_slashes
from authsvc.core.settings import Settings
from authsvc.observability import logs
from authsvc.token.endpoint import PATH, TokenEndpoint


class Front:
    """Sends `/service/token` to its endpoint and all else to Flask."""

    def __init__(self, settings: Settings) -> None:
        self.flask = create_app(settings)
        services: Services = self.flask.extensions["tidegate"]
        self._token = TokenEndpoint(self.flask, settings, services.snapshots, services.authentication, services.issuer)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH:
            return self._token(environ, start_response)
        keep_encoded_slashes(environ)
        return self.flask.wsgi_app(environ, start_response)


def create_front() -> Front:
    """For servers: `granian --factory authsvc.wsgi:create_front`, `gunicorn 'authsvc.wsgi:create_front()'`."""
    settings = Settings.from_env()
    logs.configure(settings.log_level, "authsvc")
    front = Front(settings)
    # What was loaded so far stays for good: the collector need not look through it again and again, 15 % of a token's time.
    gc.collect()
    gc.freeze()
    return front
