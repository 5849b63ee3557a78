"""The WSGI application of authsvc: token endpoint and gate ahead of Flask. Any server can run it; each serves all of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Any

from authsvc.app import Services, create_app
from authsvc.core import proxy, pulse
from authsvc.core.api import clean_path
from authsvc.core.layout import Layout
from authsvc.core.proxy import Proxy
from authsvc.core.settings import Settings
from authsvc.gate import endpoint as gate
from authsvc.gate.endpoint import GateEndpoint
from authsvc.observability import logs, tracing
from authsvc.token import endpoint as token
from authsvc.token.endpoint import TokenEndpoint


class Front:
    """Sends what must be fast to its endpoint and all else to Flask."""

    def __init__(self, settings: Settings, *, passwords_elsewhere: bool = False) -> None:
        self._passwords_elsewhere = passwords_elsewhere
        self.settings = settings
        self.flask = create_app(settings)
        self.proxy = Proxy(Layout(settings).proxy_secret)
        services: Services = self.flask.extensions["tidegate"]
        self._token = TokenEndpoint(
            self.flask, settings, services.snapshots, services.authentication, services.issuer, services.uses
        )
        self._gate = GateEndpoint(self.flask, self.flask.extensions["gate"])
        self._ahead: dict[str, Callable[[dict[str, Any], Any], Iterable[bytes]]] = {
            token.PATH: self._token,
            gate.PATH: self._gate,
            gate.ON_DISK: self._gate,
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[proxy.ELSEWHERE] = self.proxy.settle(environ) and self._passwords_elsewhere
        if (ahead := self._ahead.get(environ["PATH_INFO"])) is not None:
            return ahead(environ, start_response)
        clean_path(environ)
        return self.flask.wsgi_app(environ, start_response)


def create_front(*, passwords_elsewhere: bool = False) -> tracing.Wsgi:
    """For servers, such as gunicorn: `gunicorn 'authsvc.wsgi:create_front()'`."""
    settings = Settings.from_env()
    logs.configure(settings.log_level, "authsvc")
    tracing.begin(settings, "token" if passwords_elsewhere else "api")
    front = Front(settings, passwords_elsewhere=passwords_elsewhere)
    # What was loaded so far stays for good: the collector need not look through it again and again, 15 % of a token's time.
    gc.collect()
    gc.freeze()
    return tracing.traced(settings, front)


def create_watched_front() -> tracing.Wsgi:
    """For servers that sign tokens, and whose workers nobody looks after when they hang (`granian_server`). It is called in each
    worker. Whoever shows a password is sent on to the API's processes, so that no number of guesses takes time from machines."""
    front = create_front(passwords_elsewhere=True)
    pulse.begin(Layout(Settings.from_env()).pulse)
    return front
