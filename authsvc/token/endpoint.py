"""The token endpoint, `/service/token`: a small WSGI application ahead of Flask, whose dispatch costs more than the decision.

Source: distribution "Token Authentication Specification" (GET) and "Docker Registry v2 authentication using OAuth2"
(POST). What clients really send and expect is in tests/token/test_endpoint.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

import orjson
import structlog
from flask import Flask

from authsvc.audit import service as audit
from authsvc.authn.authenticators import Authentication, Guessable, fingerprint
from authsvc.authn.identity import Identity
from authsvc.authn.snapshot import Snapshot, Snapshots
from authsvc.core import origin
from authsvc.core.db import transaction, utcnow
from authsvc.core.errors import STATUS, DomainError, InvalidCredentials, Unauthenticated, envelope
from authsvc.core.faults import told
from authsvc.core.proxy import ELSEWHERE, MIRROR, send_to
from authsvc.core.settings import Settings
from authsvc.observability import metrics
from authsvc.rbac.authority import Credential, Door
from authsvc.rbac.principal import Principal
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.secrets.uses import UseRecorder
from authsvc.token import question as questions
from authsvc.token.grants import Access, grant
from authsvc.token.issuer import Issuer, holder_of
from authsvc.token.question import Question

PATH = "/service/token"
# A signed token is answered again to the same caller with the same question for a tenth of its life, and never for
# longer than this (seconds): less than the leeway that registries give to clients that count from the answer.
_LONGEST_REUSE = 30
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_JSON = ("Content-Type", "application/json; charset=utf-8")
_NO_STORE = ("Cache-Control", "no-store")

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

log = structlog.get_logger(component="token")


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that may be given again to the same request until `until` (monotonic seconds)."""

    body: bytes
    until: float
    secret_id: int | None


@dataclass(slots=True)
class _Caller:
    principal: Principal
    identity: Identity | None
    secret: str = field(default="", repr=False)  # the refresh token that was shown, if one was


class TokenEndpoint:
    """The WSGI application. Wired in `wiring.token_endpoint`."""

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        snapshots: Snapshots,
        authentication: Authentication,
        issuer: Issuer,
        uses: UseRecorder,
    ) -> None:
        self._app = app
        self._settings = settings
        self._snapshots = snapshots
        self._authentication = authentication
        self._issuer = issuer
        self._uses = uses
        self._mirrors = settings.mirrors
        self._reuse = 0.0
        self._signed_for: Snapshot | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter()

        def respond(status: str, headers: list[tuple[str, str]]) -> object:
            metrics.TOKENS.labels(status[:3]).observe(time.perf_counter() - begun)
            return start_response(status, headers)

        try:
            return self._serve(environ, respond)
        except Guessable:  # it is answered, and counted, where it is sent to
            start_response("200 OK", [send_to("password"), ("Content-Length", "0")])
            return ()

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            method = environ["REQUEST_METHOD"]
            if method == "GET":
                body = self._get(environ)
            elif method == "POST":
                body = self._post(environ)
            else:
                return _respond(start_response, 405, _error("METHOD_NOT_ALLOWED", "GET or POST"), [("Allow", "GET, POST")])
        except Guessable:
            raise
        except DomainError as error:
            return _refuse(start_response, error, method)
        except Exception as error:
            meaning = told(error)
            return _refuse(start_response, meaning, method) if meaning else _unexpected(start_response, error)
        start_response("200 OK", [_JSON, _NO_STORE, ("Content-Length", str(len(body)))])
        return (body,)

    # -- GET: Basic credentials, or none -------------------------------------------------------------------------

    def _get(self, environ: Environ) -> bytes:
        header, query = environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")
        project = self._project(environ)
        snapshot = self._present()
        key = fingerprint("GET", header, query, project)
        if (body := self._recall(snapshot, key, environ)) is not None:
            return body
        origin.set_current(origin.asking(environ))
        question = questions.of_query(query, self._settings.token_service).within(project)
        address, elsewhere = environ.get("REMOTE_ADDR", ""), environ.get(ELSEWHERE, False)
        principal, identity = self._authentication.identify(header, snapshot, address, may_pass_on=elsewhere)
        if identity is not None:
            principal.authority.require(Door.TOKEN)
        caller = _Caller(principal, identity)
        if question.scopes is None and identity is None:
            raise Unauthenticated("authentication required")
        return self._answer(environ, snapshot, key, question, caller)

    # -- POST: the OAuth2 form -----------------------------------------------------------------------------------

    def _post(self, environ: Environ) -> bytes:
        form = questions.read_form(environ)
        project = self._project(environ)
        snapshot = self._present()
        key = fingerprint("POST", form, project)
        if (body := self._recall(snapshot, key, environ)) is not None:
            return body
        origin.set_current(origin.asking(environ))
        question = questions.of_form(form, self._settings.token_service).within(project)
        credential = questions.credential_of_form(form)
        address, elsewhere = environ.get("REMOTE_ADDR", ""), environ.get(ELSEWHERE, False)
        principal, identity = self._authentication.check(credential, snapshot, address, may_pass_on=elsewhere)
        principal.authority.require(Door.TOKEN)
        is_refresh = principal.authority.credential is Credential.REFRESH
        caller = _Caller(principal, identity, credential.secret if is_refresh else "")
        return self._answer(environ, snapshot, key, question, caller)

    def _project(self, environ: Environ) -> str:
        """The project whose repositories are asked for by their names without it; "": they are asked for by their whole names."""
        return self._mirrors.get(environ.get(MIRROR, ""), "") if self._mirrors else ""

    # -- both ----------------------------------------------------------------------------------------------------

    def _present(self) -> Snapshot:
        snapshot = self._snapshots.current()
        if snapshot is not self._signed_for:  # something changed; maybe the signing key
            self._issuer.refresh()
            self._issuer.lifetime = lifetime = 60 * snapshot.configured("token_expiration")
            self._reuse = min(lifetime / 10, _LONGEST_REUSE)
            self._signed_for = snapshot
        return snapshot

    def _recall(self, snapshot: Snapshot, key: bytes, environ: Environ) -> bytes | None:
        known: Answer | None = snapshot.answers.get(key)
        if known is None or known.until < time.monotonic():
            return None
        if known.secret_id is not None:
            self._uses.note(known.secret_id, environ.get("REMOTE_ADDR", ""))
        return known.body

    def _answer(self, environ: Environ, snapshot: Snapshot, key: bytes, question: Question, caller: _Caller) -> bytes:
        access = grant(caller.principal, question.scopes or (), snapshot.project)
        now = int(time.time())
        holder = holder_of(caller.identity) if caller.identity else None
        lifetime = self._lifetime(caller.principal, now)
        token = self._issuer.issue(caller.principal.name, access, now, holder, lifetime=lifetime).decode()
        body: dict[str, Any] = {
            "token": token,
            "access_token": token,
            "expires_in": lifetime,
            "issued_at": _rfc3339(now),
            "scope": " ".join(_formatted(entry) for entry in access if entry.actions),
        }
        identity = caller.identity
        secret_id = identity.secret_id if identity else None
        if secret_id is not None:
            self._uses.note(secret_id, environ.get("REMOTE_ADDR", ""))
        is_login = identity is not None and question.scopes is None
        if is_login or question.offline:
            if refresh_token := self._login(question, caller):
                body["refresh_token"] = refresh_token
        else:
            encoded = orjson.dumps(body)
            if identity is None or not identity.authority.networks:  # else it matters where each use comes from
                left = identity.until - now if identity and identity.until else self._reuse
                snapshot.remember_answer(key, Answer(encoded, time.monotonic() + min(self._reuse, left), secret_id))
            return encoded
        return orjson.dumps(body)

    def _lifetime(self, who: Principal, now: int) -> int:
        """How long a token for `who` lives (seconds): no longer than the credential for which it is given."""
        end = who.authority.expires_at
        return self._issuer.lifetime if end is None else max(1, min(self._issuer.lifetime, int(end - now)))

    def _login(self, question: Question, caller: _Caller) -> str:
        """Note a login; the refresh token for it, if one is asked for by who shows a password. Who shows one is given that one
        again."""
        if caller.identity is None:
            return ""
        with self._app.app_context(), transaction():
            audit.record(caller.principal.name, "login", "user", caller.principal.name, description=question.client)
            if not question.offline or not caller.principal.authority.opens(Door.OFFLINE):
                return caller.secret
            expires_at = utcnow() + timedelta(days=self._settings.refresh_token_days)
            who = caller.principal
            secrets.make_room(who.id, Kind.REFRESH)
            return secrets.issue(Kind.REFRESH, who.id, who.epoch, name=question.client, expires_at=expires_at)[0]


@lru_cache(maxsize=4)
def _rfc3339(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def _formatted(entry: Access) -> str:
    return f"{entry.type}:{entry.name}:{','.join(entry.actions)}"


def _error(code: str, message: str) -> dict[str, Any]:
    return dict(envelope(code, message))


def _respond(
    start_response: StartResponse, status: int, body: dict[str, Any], headers: list[tuple[str, str]] | None = None
) -> Iterable[bytes]:
    data = orjson.dumps(body)
    head = [_JSON, _NO_STORE, ("Content-Length", str(len(data))), *(headers or [])]
    start_response(f"{status} {_REASONS[status]}", head)
    return (data,)


def _refuse(start_response: StartResponse, error: DomainError, method: str) -> Iterable[bytes]:
    """A refusal as docker prints it (`errors`), and for POST as OAuth2 clients read it (`error`)."""
    body = _error(error.code, error.message)
    headers = []
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    if method == "POST":
        wrong = "invalid_grant" if isinstance(error, InvalidCredentials) else "invalid_request"
        body |= {"error": getattr(error, "error", wrong), "error_description": error.message}
    if error.code == "UNAUTHORIZED":
        headers.append(("WWW-Authenticate", 'Basic realm="tidegate"'))
    return _respond(start_response, STATUS[error.code], body, headers)


def _unexpected(start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    log.error("unexpected_error", exc_info=error)
    return _respond(start_response, 500, _error("UNKNOWN", "internal server error"))
