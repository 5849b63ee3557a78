"""A large layer, pushed and pulled: straight to the registry without and with its own TLS, through nginx that asks no gate, and
through the gateway."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.processes import running
from tests.bench.report import BARE, GATED, PLAIN, UNGATED, Transfer
from tests.support.ports import free_ports
from tests.support.rawclient import RawClient
from tests.support.stack import Stack

SIZE = 200 * 1000 * 1000
_BLOCK = 1 << 20
_PULLS = 3  # of each layer that was pushed


@dataclass
class _Way:
    """One way to the registry, and the seconds that pushes and pulls took on it."""

    name: str
    url: str
    ca: Path
    pushes: list[float] = field(default_factory=list)
    pulls: list[float] = field(default_factory=list)

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=str(self.ca))
            return http.client.HTTPSConnection(host, port, timeout=120, context=context, blocksize=_BLOCK)
        return http.client.HTTPConnection(host, port, timeout=120, blocksize=_BLOCK)


def transfers(stack: Stack, ungated: str, repository: str, rounds: int, progress: Callable[[str], None]) -> list[Transfer]:
    """Each way in turns, that often; its fastest push and its fastest pull count. Each push is of a layer that is new."""
    plain = f"http://127.0.0.1:{stack.ports['registry']}"
    with _with_tls(stack) as bare:
        urls = {PLAIN: plain, BARE: bare, UNGATED: ungated, GATED: stack.url}
        return _in_turns(stack, [_Way(name, url, stack.ca) for name, url in urls.items()], repository, rounds, progress)


@contextmanager
def _with_tls(stack: Stack) -> Iterator[str]:
    """The same registry on the same storage once more, which speaks TLS itself: what who has no gateway would run."""
    (port,) = free_ports(1)
    config = (stack.state_dir / "config" / "registry.yml").read_text()
    pair = "".join(
        f"    {kind}: {stack.state_dir / 'tls' / f'server.{suffix}'}\n"
        for kind, suffix in (("certificate", "crt"), ("key", "key"))
    )
    config = config.replace(f"127.0.0.1:{stack.ports['registry']}", f"127.0.0.1:{port}").replace(
        "\nhttp:\n", f"\nhttp:\n  tls:\n{pair}"
    )
    file = stack.state_dir / "config" / "registry-with-tls.yml"
    file.write_text(config)
    with running(["docker-registry", "serve", str(file)], port, stack.log_dir / "registry-with-tls.log"):
        yield f"https://localhost:{port}"


def _in_turns(stack: Stack, ways: list[_Way], repository: str, rounds: int, progress: Callable[[str], None]) -> list[Transfer]:
    client = RawClient(stack, stack.admin)
    content, received = bytearray(os.urandom(SIZE)), bytearray(SIZE)
    for number in range(rounds):
        layers = []
        for way in ways:
            progress(f"round {number + 1} of {rounds}: a push of {SIZE // 10**6} MB, {way.name}")
            content[:16] = os.urandom(16)
            layers.append(bytes(content[:16]))
            headers = {"Authorization": f"Bearer {client.token(f'repository:{repository}:pull,push')}"}
            way.pushes.append(_push(way, repository, content, headers))
        for _ in range(_PULLS):
            for way, start in zip(ways, layers, strict=True):
                progress(f"round {number + 1} of {rounds}: a pull of {SIZE // 10**6} MB, {way.name}")
                content[:16] = start
                headers = {"Authorization": f"Bearer {client.token(f'repository:{repository}:pull')}"}
                way.pulls.append(_pull(way, repository, content, received, headers))
        _forget(stack)
    return [Transfer(way.name, SIZE / min(way.pushes) / 1e6, SIZE / min(way.pulls) / 1e6) for way in ways]


def _push(way: _Way, repository: str, content: bytearray, headers: dict[str, str]) -> float:
    """Seconds for all of it: start, send, finish."""
    name = _name(content)
    connection = way.connect()
    started = time.monotonic()
    connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers=headers)
    location = _expect(connection, 202)
    stream = headers | {"Content-Type": "application/octet-stream", "Content-Length": str(SIZE)}
    connection.request("PATCH", location, body=memoryview(content), headers=stream)
    location = _expect(connection, 202)
    connection.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={name}", headers=headers)
    _expect(connection, 201)
    taken = time.monotonic() - started
    connection.close()
    return taken


def _expect(connection: http.client.HTTPConnection, status: int) -> str:
    """Read an answer that must have this status; the path of its Location."""
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != status:
        raise RuntimeError(f"{answer.status} instead of {status}: {said[:300]!r}")
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def _pull(way: _Way, repository: str, content: bytearray, received: bytearray, headers: dict[str, str]) -> float:
    """Seconds from the connection to the last byte; the bytes are compared afterwards."""
    path = f"/v2/{repository}/blobs/{_name(content)}"
    connection = way.connect()
    started = time.monotonic()
    connection.request("GET", path, headers=headers)
    answer, view, length = connection.getresponse(), memoryview(received), 0
    while count := answer.readinto(view[length : length + _BLOCK]):
        length += count
    taken = time.monotonic() - started
    connection.close()
    if answer.status != http.client.OK or received != content:
        raise RuntimeError(f"what came back is not what was pushed: status {answer.status}, {length} bytes")
    return taken


def _name(content: bytearray) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _forget(stack: Stack) -> None:
    """So that the disk does not fill: nobody asks for these layers again."""
    for path in (stack.state_dir / "registry").rglob("data"):
        if path.stat().st_size == SIZE:
            path.unlink()
