"""The gate's seat for all that only passes by: nginx asks it (`auth_request`) before it lets a request through to the registry.

It is told of the request in headers that nginx sets, and never sees a body. 204 lets it pass; 401 and 403 refuse it, with
the answer for the client in headers (nginx's `auth_request` knows no other statuses); 500 says that nothing could be decided.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask

from authsvc.artifacts import condemned
from authsvc.authn.authenticators import Guessable, fingerprint
from authsvc.authn.snapshot import Snapshot
from authsvc.core import origin
from authsvc.core.errors import DomainError, Unavailable
from authsvc.core.names import project_of
from authsvc.core.proxy import ELSEWHERE, MIRROR, send_to
from authsvc.gate import answers, decisions
from authsvc.gate.asked import Asked, Kind, parse
from authsvc.gate.callers import Caller
from authsvc.gate.checks import CacheRead, Refused
from authsvc.gate.decide import Told, authorize, check_passing
from authsvc.gate.service import Gate
from authsvc.observability import metrics
from authsvc.token.grants import Access

PATH = "/internal/gate"
ON_DISK = f"{PATH}/on-disk"  # of a blob that nginx has found there
_STATUS = "X-Gate-Status"
_LET_IN = "204 No Content"
_NO_LENGTH = ("Content-Length", "0")
# For how long (seconds) the same question is answered by the same refusal, while nothing changes: who comes again and
# again fills no log.
_REMEMBERED = 60.0

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
Headers = list[tuple[str, str]]

log = structlog.get_logger(component="gate")


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Something for the client that may be said again until then (monotonic seconds)."""

    status: str
    headers: Headers
    until: float


class GateEndpoint:
    """The WSGI application, ahead of Flask."""

    def __init__(self, app: Flask, gate: Gate) -> None:
        self._app, self._gate = app, gate
        self._recorder = decisions.Recorder(app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter()
        try:
            status, headers = self._judge(environ)
        except Guessable:
            # What lets nobody in, should nginx not take it on. It is judged, and counted, where it is sent to.
            start_response("500 Internal Server Error", [_NO_LENGTH, send_to("password_at_gate")])
            return ()
        except Unavailable as error:
            log.warning("undecided", reason=error.message)
            status, headers = "500 Internal Server Error", [_NO_LENGTH]
        except Exception as error:
            log.error("unexpected_error", exc_info=error)
            status, headers = "500 Internal Server Error", [_NO_LENGTH]
        given = dict(headers).get(_STATUS, status[:3])
        metrics.PASSAGES.labels(given).observe(time.perf_counter() - begun)
        start_response(status, headers)
        return ()

    def _judge(self, environ: Environ) -> tuple[str, Headers]:
        method, uri = environ.get("HTTP_X_GATE_METHOD", ""), environ.get("HTTP_X_GATE_URI", "")
        header, address = environ.get("HTTP_AUTHORIZATION", ""), environ.get("REMOTE_ADDR", "")
        snapshot = self._gate.callers.snapshots.current()
        key = fingerprint("refused", method, uri, header, address, environ.get(MIRROR, ""))
        if (known := _recall(snapshot, key)) is not None:
            return known.status, known.headers
        origin.set_current(origin.asking(environ))
        caller = asked = None
        try:
            asked = parse(method, uri)
            caller = self._gate.callers.find(header, snapshot, address, may_pass_on=environ.get(ELSEWHERE, False))
            project = authorize(caller, asked, snapshot)
        except (Refused, DomainError) as error:
            if isinstance(error, Unavailable):
                raise
            refused = error if isinstance(error, Refused) else answers.refused(error, header)
            said = self._refuse(refused, caller, asked, snapshot, environ)
            if caller is not None:  # not of wrong passwords: each guess counts
                snapshot.remember_answer(key, _Remembered(*said, time.monotonic() + _REMEMBERED))
            return said
        assert caller is not None  # noqa: S101 - authorize refuses nobody
        try:
            if project is not None:
                told = Told(environ.get("HTTP_USER_AGENT", ""), environ.get("HTTP_X_GATE_LENGTH", ""))
                check_passing(self._gate.checks, caller, asked, project, snapshot, told)
        except Refused as refused:
            return self._refuse(refused, caller, asked, snapshot, environ)
        if project is not None and project.upstream and asked.is_content and not self._is_here(asked, snapshot, environ):
            metrics.CACHED.labels(asked.kind, "miss").inc()
            # nginx asks authsvc for it.
            return "403 Forbidden", [_NO_LENGTH, (_STATUS, f"upstream-{asked.kind}"), ("X-Gate-Project", str(project.id))]
        self._spare(asked, snapshot)
        if caller.token is not None and not asked.is_cancel:
            return _LET_IN, [_NO_LENGTH]
        return _LET_IN, [_NO_LENGTH, ("X-Gate-Authorization", self._token(caller, asked, header, snapshot))]

    def _is_here(self, asked: Asked, snapshot: Snapshot, environ: Environ) -> bool:
        read = CacheRead(asked.repository, asked.reference, asked.kind is Kind.BLOB, snapshot.execute)
        is_here = environ.get("PATH_INFO") == ON_DISK or self._gate.checks.is_here(read)
        if is_here:
            metrics.CACHED.labels(asked.kind, "hit").inc()
        return is_here

    def _spare(self, asked: Asked, snapshot: Snapshot) -> None:
        """Whoever asks for a blob in order to push may go by the answer: it stays, or is gone before he gets it.

        Raises:
            Unavailable: it does not get gone.
        """
        if (digest := asked.pushed) and snapshot.execute(condemned.FIND, {"digest": digest}).first() is not None:
            with self._app.app_context():
                condemned.rescue([digest])

    def _token(self, caller: Caller, asked: Asked, header: str, snapshot: Snapshot) -> str:
        """A registry token, for who came with a password, or with a token that is enough for us and not for the registry: for
        this request, and the next ones like it for a while. nginx takes it on; no client ever sees it."""
        wanted = asked.forwarded()
        key = fingerprint("token", header, str(wanted))
        if (known := _recall(snapshot, key)) is not None:
            return known.status
        access = []
        for repository, actions in wanted:
            project = snapshot.project(project_of(repository))
            access.append(Access("repository", repository, actions, project.id if project else 0))
        issuer = self._gate.callers.issuer
        token = f"Bearer {issuer.issue(caller.principal.name, access, int(time.time()), caller.holder).decode()}"
        snapshot.remember_answer(key, _Remembered(token, [], time.monotonic() + issuer.lifetime / 10))
        return token

    def _refuse(
        self, refused: Refused, caller: Caller | None, asked: Asked | None, snapshot: Snapshot, environ: Environ
    ) -> tuple[str, Headers]:
        refusal, decision_id = refused.refusal, ""
        if caller is not None and asked is not None and refused.challenge is None:
            decision_id = decisions.new_id()
            project = snapshot.project(asked.project)
            decision = decisions.decision(decision_id, caller, asked, project.id if project else 0, refusal)
            decisions.tell(decision)
            self._recorder.note(decision, refusal)
        body = json.dumps(answers.body(refusal, decision_id))  # ASCII, as headers must be
        headers = [_NO_LENGTH, (_STATUS, str(refusal.status)), ("X-Gate-Body", body)]
        if refused.challenge is not None:
            headers.append(("X-Gate-Challenge", self._gate.challenge(asked, refused.challenge, environ.get(MIRROR, ""))))
        if refusal.retry_after is not None:
            headers.append(("X-Gate-Retry-After", str(refusal.retry_after)))
        return "403 Forbidden", headers


def _recall(snapshot: Snapshot, key: bytes) -> _Remembered | None:
    known: _Remembered | None = snapshot.answers.get(key)
    return known if known is not None and known.until > time.monotonic() else None
