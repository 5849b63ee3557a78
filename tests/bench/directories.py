"""Logins by directory, and what a directory in trouble and guesses cost: a token server beside a real slapd, with a proxy
between them that can swallow everything."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
from flask import Flask

from authsvc.authn import sources
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction
from authsvc.core.settings import Settings
from authsvc.users import service as users
from authsvc.users.passwords import choose
from tests.bench.fill import Filled, path_for
from tests.bench.guesses import guesses
from tests.bench.load import Measured, Request, wrk
from tests.bench.logins import cold_logins
from tests.bench.report import Directories
from tests.bench.runs import Options, middle, prepared, progress
from tests.bench.servers import Server, token_server
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.slapd import PASSWORD, Slapd, slapd
from tests.support.world import basic

_PEOPLE = [f"extra{number}" for number in range(10)]
_LOGINS = 200
_TRYING = 16  # people of the directory who always try to log in, while it answers and while it is silent
_CONNECTIONS = 8  # of the machine: it is its waits that are of interest, not how much the server can do
_GUESSED = {
    "a local user": "warm-0",
    "one who is disabled": "disabled",
    "somebody of the directory": "alice",
    "one who was here before": _PEOPLE[0],
    "nobody": "nobody-of-that-name",
}
_LOCKED = {"a local user, locked": "warm-0", "nobody, locked": "nobody-of-that-name"}
_UNBOUNDED = {"LOGIN_ATTEMPTS": "1000000", "LOGIN_ATTEMPTS_PER_ADDRESS": "1000000"}


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
        with token_server(state_dir, **_UNBOUNDED) as server:
            _logins(server, ca)
            warm = _logins(server, ca)
            before, during, slowest = _black_hole(server, filled, proxy, options)
        tries = options.seconds * 500
        progress(f"{tries} guesses at each kind of name")
        # Only the last second's guesses count, so that the last of them finds no more to count than the first.
        with token_server(state_dir, LOGIN_WINDOW_SECONDS="1", **_UNBOUNDED) as server:
            wrong = _medians(server, _GUESSED, tries)
        with token_server(state_dir, **_UNBOUNDED | {"LOGIN_ATTEMPTS": "1"}) as server:
            locked = _medians(server, _LOCKED, tries)
    return Directories(cold, warm, before, during, slowest, wrong, locked, *guesses(directory, options))


def _configure(state_dir: Path, people: Slapd, proxy: FaultProxy) -> None:
    app: Flask = create_base(Settings(state_dir=state_dir))
    with app.app_context():
        with transaction():
            sources.save("bench", "ldap", "default", people.settings(ldap_url=f"ldaps://localhost:{proxy.port}"))
            disabled = users.create("bench", username=_GUESSED["one who is disabled"], password=choose(PASSWORD))
            users.set_disabled("bench", disabled, True)
        db.engine.dispose()


def _logins(server: Server, ca: Path) -> Measured:
    headers = [basic(_PEOPLE[number % len(_PEOPLE)], PASSWORD)["Authorization"] for number in range(_LOGINS)]
    paths = [path_for(f"repository:bench-0/app-{number}:pull") for number in range(_LOGINS)]  # none asked before
    return cold_logins(server.url, paths, headers, ca, keep_alive=True)


def _black_hole(server: Server, filled: Filled, proxy: FaultProxy, options: Options) -> tuple[Measured, Measured, float]:
    """A machine's tokens while the directory answers and while it is silent, in turns, of each the round with the median p99;
    and how long a login by the silent directory took at most (s).

    In both, as many clients ask beside it as often: while the directory answers without credentials, so that the server has as
    little to do about them as when it sends people away.
    """
    request = Request(server.url + filled.paths[0], {"Authorization": filled.callers[0]})
    seconds = 5 * options.seconds
    wrk(request, 1, keep_alive=True, connections=_CONNECTIONS)
    answering, silent, times = [], [], [0.0]
    for number in range(options.rounds):
        progress(f"a machine's tokens, the directory answers, then is silent; round {number + 1} of {options.rounds}")
        with _trying(server, None):
            answering.append(wrk(request, seconds, keep_alive=True, connections=_CONNECTIONS))
        proxy.set("swallow")
        with _trying(server, f"password {number}") as taken:
            time.sleep(1)
            silent.append(wrk(request, seconds, keep_alive=True, connections=_CONNECTIONS))
        times += taken
        proxy.set("pass")
        _wait_until_asked_again(server)
    return middle(answering), middle(silent), max(times)


def _wait_until_asked_again(server: Server) -> None:
    """A directory that was silent is left alone for a while."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for _ in range(8):  # each process has to find out
            answer = requests.get(f"{server.url}/service/token", auth=("nobody-here", f"{time.monotonic_ns()}"), timeout=30)
            if answer.status_code != 401:
                break
        else:
            return
        time.sleep(1)
    raise RuntimeError("the directory is not asked again")


@contextmanager
def _trying(server: Server, password: str | None) -> Iterator[list[float]]:
    """Many people who try to log in, again and again, each time with another password that begins so; None: clients that show
    none. How long each try took (s)."""
    times: list[float] = []
    stop = threading.Event()

    def try_again(number: int) -> None:
        attempt = 0
        while not stop.is_set():
            attempt += 1
            started = time.monotonic()
            shown = None if password is None else (f"person{number}", f"{password}.{attempt}")
            requests.get(f"{server.url}/service/token", auth=shown, timeout=30)
            times.append(time.monotonic() - started)
            stop.wait(0.2)

    threads = [threading.Thread(target=try_again, args=(number,)) for number in range(_TRYING)]
    for thread in threads:
        thread.start()
    try:
        yield times
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _medians(server: Server, names: Mapping[str, str], tries: int) -> dict[str, float]:
    """The median time (ms) of a wrong password for each kind of name; one after the other, and in turns, so that noise falls on
    all of them."""
    times: dict[str, list[float]] = {kind: [] for kind in names}
    with requests.Session() as client:
        for number in range(tries):
            for kind, name in names.items():
                started = time.perf_counter()
                answer = client.get(f"{server.url}/service/token", auth=(name, f"wrong {number}"), timeout=30)
                times[kind].append((time.perf_counter() - started) * 1000)
                if answer.status_code not in (401, 429):
                    raise RuntimeError(f"a guess was answered with {answer.status_code}")
    return {kind: statistics.median(taken) for kind, taken in times.items()}
