"""Logins by directory, and what a directory in trouble and guesses cost: a token server beside a real slapd, with a proxy
between them that can swallow everything."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from authsvc.authn import sources
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction
from authsvc.core.settings import Settings
from tests.bench.fill import Filled, path_for
from tests.bench.load import Measured, Request, wrk
from tests.bench.logins import cold_logins
from tests.bench.report import Directories
from tests.bench.runs import Options, prepared, progress
from tests.bench.servers import Server, token_server
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.slapd import PASSWORD, Slapd, slapd
from tests.support.world import basic

_PEOPLE = [f"extra{number}" for number in range(10)]
_LOGINS = 200
_HANGING = 16  # logins by directory that are always on their way while it is silent


def directories(directory: Path, options: Options) -> Directories:
    """All of it, on one database."""
    state_dir = directory / "directories"
    filled = prepared(state_dir, 10)
    ca = state_dir / "tls" / "ca.crt"
    with slapd(directory / "slapd") as people, fault_proxy(people.tls_port) as proxy:
        _configure(state_dir, people, proxy)
        progress("logins by directory")
        with token_server(state_dir, CREDENTIAL_CACHE_SECONDS="0") as server:
            cold = _logins(server, ca)
        with token_server(state_dir) as server:
            _logins(server, ca)
            warm = _logins(server, ca)
            before, during, slowest = _black_hole(server, filled, proxy, options)
        progress("guesses at a name that exists and at one that does not")
        with token_server(state_dir, LOGIN_ATTEMPTS="1000000", LOGIN_ATTEMPTS_PER_ADDRESS="1000000") as server:
            apart = _medians_apart(server, ca, options.seconds * 25)
    return Directories(cold, warm, before, during, slowest, apart)


def _configure(state_dir: Path, people: Slapd, proxy: FaultProxy) -> None:
    app: Flask = create_base(Settings(state_dir=state_dir))
    with app.app_context():
        with transaction():
            sources.save("bench", "ldap", "default", people.settings(ldap_url=f"ldaps://localhost:{proxy.port}"))
        db.engine.dispose()


def _logins(server: Server, ca: Path) -> Measured:
    headers = [basic(_PEOPLE[number % len(_PEOPLE)], PASSWORD)["Authorization"] for number in range(_LOGINS)]
    paths = [path_for(f"repository:bench-0/app-{number}:pull") for number in range(_LOGINS)]  # none asked before
    return cold_logins(server.url, paths, headers, ca, keep_alive=True)


def _black_hole(server: Server, filled: Filled, proxy: FaultProxy, options: Options) -> tuple[Measured, Measured, float]:
    """A machine's tokens before and while the directory is silent, and how long a login by directory took at most (s)."""
    request = Request(server.url + filled.paths[0], {"Authorization": filled.callers[0]})
    seconds = max(5, 3 * options.seconds)
    wrk(request, 1, keep_alive=True)
    progress("a machine's tokens, the directory answers")
    before = wrk(request, seconds, keep_alive=True)
    proxy.set("swallow")
    progress("a machine's tokens, the directory is silent")
    with _hanging_logins(server) as times:
        time.sleep(1)
        during = wrk(request, seconds, keep_alive=True)
    proxy.set("pass")
    return before, during, max(times)


@contextmanager
def _hanging_logins(server: Server) -> Iterator[list[float]]:
    """Many people of the directory who try to log in, again and again."""
    import requests

    times: list[float] = []
    stop = threading.Event()

    def try_again(number: int) -> None:
        attempt = 0
        while not stop.is_set():
            attempt += 1
            started = time.monotonic()
            requests.get(f"{server.url}/service/token", auth=(f"person{number}", f"password {attempt}"), timeout=30)
            times.append(time.monotonic() - started)
            stop.wait(0.2)

    threads = [threading.Thread(target=try_again, args=(number,)) for number in range(_HANGING)]
    for thread in threads:
        thread.start()
    try:
        yield times
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _medians_apart(server: Server, ca: Path, tries: int) -> float:
    """Milliseconds between the medians of wrong passwords for a name that exists and for one that does not."""
    rounds: dict[str, list[float]] = {"warm-0": [], "nobody-of-that-name": []}
    for start in range(0, tries, 10):
        for name, times in rounds.items():  # in turns, so that noise falls on both
            headers = [basic(name, f"wrong {start + number}")["Authorization"] for number in range(10)]
            paths = ["/service/token?service=harbor-registry"] * len(headers)
            measured = cold_logins(server.url, paths, headers, ca, keep_alive=True)
            times.append(measured.p50 or 0.0)
    medians = [statistics.median(times) for times in rounds.values()]
    return abs(medians[0] - medians[1])
