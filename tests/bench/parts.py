"""The parts of the hot path in one thread of this process, without a server: what each of them costs."""

from __future__ import annotations

import itertools
import logging
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from authsvc.app import Services
from authsvc.authn.snapshot import Snapshot
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.token import scope
from authsvc.token.endpoint import TokenEndpoint
from authsvc.token.grants import grant
from authsvc.token.keys import KeyStore
from authsvc.wsgi import Front
from tests.bench.fill import Filled
from tests.support.world import World

_ROUNDS = 5
ISSUE, ECDSA = "signing alone: Issuer.issue", "signing alone: ECDSA P-256"
ENDPOINT_HIT, ENDPOINT_MISS = "whole endpoint, token reused", "whole endpoint, token signed"


@dataclass(frozen=True, slots=True)
class Part:
    """A part and the microseconds that one call of it takes."""

    name: str
    microseconds: float

    @property
    def per_second(self) -> float:
        return 1e6 / self.microseconds


def parts(state_dir: Path, filled: Filled, seconds: float) -> list[Part]:
    """Time each part for that long."""
    logging.getLogger().setLevel(logging.WARNING)
    with _front(state_dir) as front:
        calls = _calls(front, filled)
        return [Part(name, _microseconds(call, seconds)) for name, call in calls.items()]


@contextmanager
def _front(state_dir: Path) -> Iterator[Front]:
    world = World(Front(Settings(state_dir=state_dir)))
    try:
        yield world.front
    finally:
        world.close()


def _calls(front: Front, filled: Filled) -> dict[str, Callable[[], object]]:
    services: Services = front.flask.extensions["tidegate"]
    snapshot = services.snapshots.current()
    principal, _ = services.authentication.identify(filled.callers[0], snapshot, "")
    asked = scope.parse([f"repository:bench-{0}/app:pull,push"])
    access = grant(principal, asked, snapshot.project)
    key = KeyStore(Layout(services.settings).keys).signer().key
    ecdsa, message = ec.ECDSA(SHA256()), b"x" * 1200
    now = int(time.time())
    endpoint = front._token
    for header in filled.callers:  # so that a signed token costs no query; those are a part of their own
        services.authentication.identify(header, snapshot, "")
    for path in filled.paths:
        snapshot.project(path.partition("repository%3A")[2].partition("/")[0])
    return {
        ECDSA: lambda: key.sign(message, ecdsa),
        ISSUE: lambda: services.issuer.issue(principal.name, access, now),
        "policy version read": services.read_version,
        "snapshot, unchanged": services.snapshots.current,
        "caller known from the snapshot": lambda: services.authentication.identify(filled.callers[0], snapshot, ""),
        "scope.parse": lambda: scope.parse(["repository:bench-0/app:pull,push"]),
        "caller and project read anew": lambda: _read_anew(services, filled),
        "grant": lambda: grant(principal, asked, snapshot.project),
        ENDPOINT_HIT: _hit(endpoint, filled),
        ENDPOINT_MISS: _miss(endpoint, filled),
    }


def _read_anew(services: Services, filled: Filled) -> None:
    """What the first token of a caller costs in queries after a policy change."""
    empty = Snapshot(services.read_version, 0)
    services.authentication.identify(filled.callers[0], empty, "")
    empty.project("bench-0")


def _environ(path: str, header: str) -> dict[str, Any]:
    path_info, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path_info,
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": header,
        "REMOTE_ADDR": "127.0.0.1",
    }


def _ignore(status: str, headers: list[tuple[str, str]]) -> None:
    assert status == "200 OK"


def _hit(endpoint: TokenEndpoint, filled: Filled) -> Callable[[], object]:
    environ = _environ(filled.paths[0], filled.callers[0])
    return lambda: endpoint(environ, _ignore)


def _miss(endpoint: TokenEndpoint, filled: Filled) -> Callable[[], object]:
    pairs = itertools.cycle(itertools.product(filled.callers, filled.paths))

    def call() -> object:
        header, path = next(pairs)
        return endpoint(_environ(path, header), _ignore)

    return call


def _microseconds(call: Callable[[], object], seconds: float) -> float:
    # Processor time of this thread, so that other load on the machine hardly counts.
    timer = timeit.Timer(call, timer=time.thread_time)
    once = max(timer.timeit(200) / 200, 1e-7)
    count = max(10, int(seconds / _ROUNDS / once))
    return min(timer.repeat(_ROUNDS, count)) / count * 1e6
