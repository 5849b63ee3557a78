"""Logins whose password nobody has shown before: each costs an argon2id hash, so a few say enough."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.load import Measured

THREADS = 4  # fewer than may wait for a hash, so that nobody is sent away


def cold_logins(url: str, paths: Sequence[str], headers: Sequence[str], ca: Path, *, keep_alive: bool) -> Measured:
    """Ask once with each path and Authorization header, by a few threads."""
    asked = list(zip(paths, headers, strict=True))
    shares = [asked[number::THREADS] for number in range(THREADS)]
    started = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        answers = [
            answer
            for share in threads.map(lambda share: _ask(_opener(url, ca), share, keep_alive=keep_alive), shares)
            for answer in share
        ]
    elapsed = time.monotonic() - started
    times = sorted(milliseconds for _, milliseconds in answers)
    return Measured(
        per_second=len(answers) / elapsed,
        p50=times[len(times) // 2],
        p99=times[min(len(times) - 1, len(times) * 99 // 100)],
        requests=len(answers),
        errors=sum(status != 200 for status, _ in answers),
    )


def _opener(url: str, ca: Path) -> Callable[[], http.client.HTTPConnection]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca))
        return lambda: http.client.HTTPSConnection(host, port, timeout=30, context=context)
    return lambda: http.client.HTTPConnection(host, port, timeout=30)


def _ask(
    connect: Callable[[], http.client.HTTPConnection], asked: Sequence[tuple[str, str]], *, keep_alive: bool
) -> list[tuple[int, float]]:
    answers = []
    connection = connect()
    for path, header in asked:
        started = time.monotonic()
        connection.request("GET", path, headers={"Authorization": header})
        response = connection.getresponse()
        response.read()
        answers.append((response.status, (time.monotonic() - started) * 1000))
        if not keep_alive:
            connection.close()  # the next request opens it anew
    connection.close()
    return answers
