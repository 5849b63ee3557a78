"""What the gate costs: decisions alone, manifests through the whole stack with it and without it, and large layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.bench.cases import DIRECT, Case, in_turns
from tests.bench.fill import Filled, fill, path_for
from tests.bench.load import Measured, Request, wrk
from tests.bench.processes import running
from tests.bench.report import DECISION, GATED, MANIFEST, UNGATED, Gate, Row
from tests.bench.runs import MAIN_PROJECTS, Options, prepared, progress, running_stack
from tests.bench.servers import token_server
from tests.bench.transfers import transfers
from tests.support.ports import free_ports
from tests.support.rawclient import RawClient
from tests.support.stack import Stack

_SCRIPT = Path(__file__).parent / "gate.lua"
_FEW, _MANY = 4, 32  # connections: some clients, and as much as the machine can do
_REPOSITORY = "library/bench"
Flat = list[tuple[str, int, Measured]]


def gate(directory: Path, options: Options) -> Gate:
    """The whole stack, and beside it the same nginx that asks no gate."""
    with running_stack(directory / "gate") as stack, without_gate(stack) as ungated:
        # First: the notifications of many manifests keep the machine busy for long.
        moved = transfers(stack, ungated, _REPOSITORY, options.rounds, progress)
        filled = fill(stack.state_dir / "tidegate.db", MAIN_PROJECTS)
        direct = f"http://127.0.0.1:{stack.ports['token']}"
        cases = [*_manifests(stack, ungated), decisions(filled, direct, directory, lambda: stack.pids("token"))]
        rows = [
            Row(case.name, case.via, "kept", measured)
            for case, measured in in_turns(cases, options.seconds, options.rounds, progress)
        ]
    return Gate(rows, by_size(directory, options), moved)


@contextmanager
def without_gate(stack: Stack) -> Iterator[str]:
    """The stack's own nginx once more on another port, in front of the same registry, but with no question to the gate."""
    tls, plain, cache = free_ports(3)
    config = (stack.state_dir / "config" / "nginx.conf").read_text()
    config = re.sub(r"auth_request_set (\$\w+) \S+;", r'set \1 "";', config)
    config, asked = re.subn(r"auth_request /internal/gate\S*;", "", config)
    if not asked:
        raise RuntimeError("nginx's configuration asks no gate, so there is nothing to compare")
    config = config.replace(f":{stack.ports['https']}", f":{tls}").replace(f":{stack.ports['http']}", f":{plain}")
    config = config.replace(f":{stack.ports['cache']}", f":{cache}").replace("/nginx/upstream", "/nginx/upstream-without-gate")
    config = config.replace("/run/nginx.pid", "/run/nginx-without-gate.pid")
    file = stack.state_dir / "config" / "nginx-without-gate.conf"
    file.write_text(config)
    with running(["nginx", "-c", str(file)], tls, stack.log_dir / "nginx-without-gate.log"):
        yield f"https://localhost:{tls}"


def _manifests(stack: Stack, ungated: str) -> Iterator[Case]:
    """(f): one manifest again and again, by a token, over TLS."""
    client = RawClient(stack, stack.admin)
    client.push(_REPOSITORY, "v1")
    headers = {"Authorization": f"Bearer {client.token(f'repository:{_REPOSITORY}:pull')}", "Accept": OCI_MANIFEST}
    for connections in (_FEW, _MANY):
        for via, url in ((UNGATED, ungated), (GATED, stack.url)):
            request = Request(f"{url}/v2/{_REPOSITORY}/manifests/v1", headers)
            run = partial(wrk, request, keep_alive=True, connections=connections)
            yield Case(f"{MANIFEST}, {connections} connections", via, True, run, run)


def decisions(filled: Filled, url: str, directory: Path, pids: Callable[[], Iterable[int]] | None = None) -> Case:
    """(e): each caller asks for a manifest of a repository of their own, with the token that they got for it."""
    progress("a token for each caller")
    lines = []
    with requests.Session() as session:
        for caller, repository in zip(filled.callers, filled.own, strict=True):
            answer = session.get(url + path_for(f"repository:{repository}:pull"), headers={"Authorization": caller}, timeout=30)
            lines.append(f"GET /v2/{repository}/manifests/v1 Bearer {answer.json()['token']}\n")
    file = directory / f"questions-{len(filled.project_ids)}.txt"
    file.write_text("".join(lines))
    run = partial(wrk, Request(url, script=[str(_SCRIPT), str(file)]), keep_alive=True)
    return Case(DECISION, DIRECT, True, run, run, pids)


def by_size(directory: Path, options: Options) -> Flat:
    """Decisions with few and many projects in the database: a server for each, measured in turns."""
    with ExitStack() as servers:
        cases = []
        for size in options.sizes:
            progress(f"preparing {size} projects")
            state_dir = directory / f"gate-{size}"
            filled = prepared(state_dir, size)
            cases.append(decisions(filled, servers.enter_context(token_server(state_dir)).url, state_dir))
        measured = in_turns(cases, options.seconds, options.rounds, progress)
        return [(case.name, size, numbers) for (case, numbers), size in zip(measured, options.sizes, strict=True)]
