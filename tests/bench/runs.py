"""The runs that make up a report: the stack beside its baselines, and the token server on databases of several sizes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import (
    DIRECT,
    EMPTY_GRANIAN,
    EMPTY_GUNICORN,
    PLAIN_NGINX,
    PROXIED,
    STATIC,
    Case,
    TokenCases,
    always,
    in_turns,
)
from tests.bench.fill import Filled, fill
from tests.bench.load import Measured, Request
from tests.bench.parts import Part, parts
from tests.bench.report import Row
from tests.bench.servers import Server, empty_granian, empty_gunicorn, nginx, prepare, token_server
from tests.support.stack import Stack

MAIN_PROJECTS = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """How long each measurement takes and how often it is made."""

    seconds: int = 4
    rounds: int = 3
    sizes: Sequence[int] = (10, 1000, 100_000)


def progress(text: str) -> None:
    """To stderr, since the table is what stdout is for."""
    print(text, file=sys.stderr, flush=True)


def prepared(state_dir: Path, projects: int) -> Filled:
    """A state directory with that many projects."""
    prepare(state_dir)
    return fill(state_dir / "tidegate.db", projects)


def under_load(directory: Path, options: Options) -> list[Row]:
    """The stack and the baselines, in turns."""
    with running_stack(directory / "stack") as stack, ExitStack() as servers:
        filled = fill(stack.state_dir / "tidegate.db", MAIN_PROJECTS)
        tokens = TokenCases(filled, directory, stack.ca, lambda: stack.pids("token"))
        cases = [
            *_baselines(servers, directory, stack.state_dir),
            *tokens.all(f"http://127.0.0.1:{stack.ports['token']}", DIRECT),
            *tokens.all(f"https://127.0.0.1:{stack.ports['https']}", PROXIED),
        ]
        return rows(in_turns(cases, options.seconds, options.rounds, progress))


def middle(rounds: Sequence[Measured]) -> Measured:
    """The round with the median p99."""
    return sorted(rounds, key=lambda measured: measured.p99 or 0.0)[len(rounds) // 2]


@contextmanager
def running_stack(state_dir: Path, **settings: str) -> Iterator[Stack]:
    """The whole stack, on its embedded defaults but for some settings."""
    progress("starting the stack")
    stack = Stack(state_dir)
    try:
        yield stack.start(**settings)
    finally:
        stack.stop()


def _baselines(servers: ExitStack, directory: Path, state_dir: Path) -> list[Case]:
    granian = servers.enter_context(empty_granian(state_dir))
    gunicorn = servers.enter_context(empty_gunicorn(state_dir))
    proxy = servers.enter_context(nginx(directory / "nginx", state_dir, granian))
    return [
        *_always(EMPTY_GRANIAN, DIRECT, granian),
        *_always(EMPTY_GUNICORN, DIRECT, gunicorn),
        *always(EMPTY_GRANIAN, PROXIED, Request(proxy.tls + "/empty")),
        *always(STATIC, PLAIN_NGINX, Request(proxy.plain + "/static")),
        *always(STATIC, PROXIED, Request(proxy.tls + "/static")),
    ]


def _always(name: str, via: str, server: Server) -> Iterator[Case]:
    return always(name, via, Request(server.url + "/"), lambda: [server.pid])


def rows(measured: Sequence[tuple[Case, Measured]]) -> list[Row]:
    """With each rate's share of what the empty application reached in the same way."""
    empty = {(case.via, case.keep_alive): numbers.per_second for case, numbers in measured if case.name == EMPTY_GRANIAN}
    found = []
    for case, numbers in measured:
        share = numbers.per_second / base if (base := empty.get((case.via, case.keep_alive))) else None
        found.append(Row(case.name, case.via, "kept" if case.keep_alive else "new each", numbers, share))
    return found


def alone(directory: Path, options: Options) -> list[Row]:
    """The token server without the rest of the stack, one caller, beside the empty application: the smallest run."""
    state_dir = directory / "alone"
    filled = prepared(state_dir, 10)
    with token_server(state_dir) as server, empty_granian(state_dir) as empty:
        tokens = TokenCases(filled, state_dir, state_dir / "tls" / "ca.crt", lambda: [server.pid])
        cases = [next(_always(EMPTY_GRANIAN, DIRECT, empty)), next(tokens.secret(server.url, DIRECT))]
        return rows(in_turns(cases, options.seconds, options.rounds, progress))


def by_size(directory: Path, options: Options) -> tuple[list[tuple[str, int, Measured]], list[Part]]:
    """(a) and (b) with few and many projects in the database: a server for each, measured in turns. And the parts."""
    with ExitStack() as servers:
        cases: list[Case] = []
        sizes: list[int] = []
        timed: Callable[[], list[Part]] = list
        for size in options.sizes:
            progress(f"preparing {size} projects")
            state_dir = directory / f"size-{size}"
            filled = prepared(state_dir, size)
            server = servers.enter_context(token_server(state_dir))
            tokens = TokenCases(filled, state_dir, state_dir / "tls" / "ca.crt", list)
            cases += [next(tokens.secret(server.url, DIRECT)), next(tokens.pairs(server.url, DIRECT))]
            sizes += [size, size]
            timed = _timed(state_dir, filled, options)
        measured = in_turns(cases, options.seconds, options.rounds, progress)
        found = [(case.name, size, numbers) for (case, numbers), size in zip(measured, sizes, strict=True)]
        return sorted(found, key=lambda entry: entry[:2]), timed()


def _timed(state_dir: Path, filled: Filled, options: Options) -> Callable[[], list[Part]]:
    return lambda: parts(state_dir, filled, options.seconds / 4)
