"""What guessing costs machines: their tokens while many people guess passwords, each name and address once, through nginx."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.bench.fill import fill
from tests.bench.load import Measured, Request, wrk
from tests.bench.runs import Options, middle, progress, running_stack
from tests.support.stack import Stack

_GUESSERS = 40  # each every fifth of a second: 200 guesses a second
_CONNECTIONS = 8  # of the machine


def guesses(directory: Path, options: Options) -> tuple[Measured, Measured]:
    """Beside 200 requests a second without credentials, and beside as many wrong passwords; in turns, of each the round with the
    median p99."""
    with running_stack(directory / "guesses", TRUSTED_PROXIES="127.0.0.0/8") as stack:  # so that we may come from anywhere
        filled = fill(stack.state_dir / "tidegate.db", 10)
        request = Request(stack.url + filled.paths[0], {"Authorization": filled.callers[0]})
        wrk(request, 1, keep_alive=True, connections=_CONNECTIONS)
        quiet: list[Measured] = []
        flooded: list[Measured] = []
        for number in range(options.rounds):
            progress(f"a machine's tokens, nobody guesses, then many; round {number + 1} of {options.rounds}")
            for password, found in ((None, quiet), (f"guess {number}", flooded)):
                with _guessing(stack, password):
                    found.append(wrk(request, 2 * options.seconds, keep_alive=True, connections=_CONNECTIONS))
    return middle(quiet), middle(flooded)


@contextmanager
def _guessing(stack: Stack, password: str | None) -> Iterator[None]:
    """People who guess passwords that begin so; None: who show none."""
    stop = threading.Event()

    def guess(number: int) -> None:
        with requests.Session() as session:
            tried = 0
            while not stop.wait(0.2):
                tried += 1
                shown = None if password is None else (f"person{number}.{tried}", f"{password}.{tried}")
                address = f"10.{number}.{tried // 250}.{tried % 250}"
                session.get(
                    f"{stack.url}/service/token",
                    auth=shown,
                    headers={"X-Forwarded-For": address},
                    verify=str(stack.ca),
                    timeout=30,
                )

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(_GUESSERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
