"""What is measured under load: each case a name, a way to reach it, and a function that measures it once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.bench.fill import Filled
from tests.bench.load import PAIRS_SCRIPT, Measured, Request, wrk
from tests.bench.logins import cold_logins
from tests.bench.processes import weigh

DIRECT, PROXIED, PLAIN_NGINX = "direct", "nginx, TLS", "nginx, no TLS"
SECRET = "(a) token, generated secret"
PAIRS = "(b) tokens, 1000 callers x 1000 repositories"
WARM = "(c) token, password, warm"
COLD = "(d) token, password, cold"
EMPTY_GRANIAN, EMPTY_GUNICORN = "empty WSGI app, granian", "empty WSGI app, gunicorn gthread"
STATIC = "static file of 1.5 kB"
WARM_UP = 1
_COLD_LOGINS = 40
# Far enough apart that two runs do not ask for the same pairs; ten runs later a signed token is not given again.
_PAIRS_PER_RUN = 100_000
_STRIDE = 618_033  # as in pairs.lua
_ENOUGH_TO_MEET_ALL = 5000


@dataclass(frozen=True, slots=True)
class Case:
    """`run` and `warm_up` send load for some seconds. `pids`: the server's processes, if they are to be weighed."""

    name: str
    via: str
    keep_alive: bool
    run: Callable[[int], Measured]
    warm_up: Callable[[int], object]
    pids: Callable[[], Iterable[int]] | None = None

    def measure(self, seconds: int) -> Measured:
        """Warm up, then measure once."""
        self.warm_up(WARM_UP)
        if self.pids is None:
            return self.run(seconds)
        before = weigh(self.pids())
        measured = self.run(seconds)
        after = weigh(self.pids())
        cpu = (after.cpu - before.cpu) / max(1, measured.requests) * 1e6
        return replace(measured, cpu=cpu, memory=after.memory)


def always(name: str, via: str, request: Request, pids: Callable[[], Iterable[int]] | None = None) -> Iterator[Case]:
    """The same request again and again: with connections kept, and with a new one each."""
    for keep_alive in (True, False):
        run = partial(wrk, request, keep_alive=keep_alive)
        yield Case(name, via, keep_alive, run, run, pids)


class TokenCases:
    """The cases of one token server, reached directly or through nginx."""

    def __init__(self, filled: Filled, directory: Path, ca: Path, pids: Callable[[], Iterable[int]]) -> None:
        self._filled = filled
        self._ca = ca
        self._pids = pids
        self._cold: Iterator[str] = iter(filled.cold)
        self._runs = itertools.count(1)
        self._met = False
        self._files = [directory / "headers.txt", directory / "paths.txt"]
        for file, lines in zip(self._files, (filled.callers, filled.paths), strict=True):
            file.write_text("".join(f"{line}\n" for line in lines))

    def secret(self, url: str, via: str) -> Iterator[Case]:
        """(a): one caller with a refresh token, one scope."""
        request = Request(url + self._filled.paths[0], {"Authorization": self._filled.callers[0]})
        return always(SECRET, via, request, self._pids)

    def pairs(self, url: str, via: str) -> Iterator[Case]:
        """(b): another caller and repository in each request, so that each token is signed."""
        for keep_alive in (True, False):
            run = partial(self._pairs, url, keep_alive=keep_alive)
            yield Case(PAIRS, via, keep_alive, run, partial(self._meet_everybody, run), self._pids)

    def _pairs(self, url: str, seconds: int, *, keep_alive: bool) -> Measured:
        start = next(self._runs) * _PAIRS_PER_RUN * _STRIDE % 1_000_000
        request = Request(url, script=[str(PAIRS_SCRIPT), *map(str, self._files), str(start)])
        return wrk(request, seconds, keep_alive=keep_alive)

    def _meet_everybody(self, run: Callable[[int], Measured], seconds: int) -> None:
        """Until each worker has read all callers and projects: a few thousand queries, once after a policy change."""
        while run(seconds).requests < _ENOUGH_TO_MEET_ALL and not self._met:
            pass
        self._met = True

    def warm(self, url: str, via: str) -> Iterator[Case]:
        """(c): one caller with a password that was checked a moment ago."""
        return always(WARM, via, Request(url + self._filled.paths[0], {"Authorization": self._filled.warm}), self._pids)

    def cold(self, url: str, via: str) -> Iterator[Case]:
        """(d): another user with a password in each request."""
        for keep_alive in (True, False):
            yield Case(COLD, via, keep_alive, partial(self._cold_logins, url, keep_alive=keep_alive), lambda _: None, self._pids)

    def _cold_logins(self, url: str, seconds: int, *, keep_alive: bool) -> Measured:
        headers = list(itertools.islice(self._cold, _COLD_LOGINS))
        return cold_logins(url, [self._filled.paths[0]] * len(headers), headers, self._ca, keep_alive=keep_alive)

    def all(self, url: str, via: str) -> Iterator[Case]:
        """All four."""
        for cases in (self.secret, self.pairs, self.warm, self.cold):
            yield from cases(url, via)


def in_turns(cases: Sequence[Case], seconds: int, rounds: int, progress: Callable[[str], None]) -> list[tuple[Case, Measured]]:
    """Measure all cases, several times, in turns, so that a busy moment of the machine does not meet one of them only;
    of each the best run counts, with the errors of all."""
    runs: list[list[Measured]] = [[] for _ in cases]
    for number in range(rounds):
        for case, done in zip(cases, runs, strict=True):
            progress(f"round {number + 1} of {rounds}: {case.name}, {case.via}")
            done.append(case.measure(seconds))
    return [(case, _best(done)) for case, done in zip(cases, runs, strict=True)]


def _best(runs: Sequence[Measured]) -> Measured:
    return replace(
        max(runs, key=lambda run: run.per_second),
        p50=min((run.p50 for run in runs if run.p50 is not None), default=None),
        p99=min((run.p99 for run in runs if run.p99 is not None), default=None),
        errors=sum(run.errors for run in runs),
        cpu=min((run.cpu for run in runs if run.cpu is not None), default=None),
        memory=max((run.memory for run in runs if run.memory is not None), default=None),
    )
