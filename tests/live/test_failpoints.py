"""kill -9 at each of seven points of a push: nothing that was acknowledged is lost, nothing is recorded twice, and the registry
and the index agree."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.support.rawclient import RawClient, Refused
from tests.support.registry import digest_of
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.waiting import eventually

KILLS = rounds(3, 20)
PUSHERS, TAGS = 3, 5
# How often a process gets to the point before it dies there.
POINTS = {"asked": 3, "let-in": 3, "forwarded": 3, "recording": 3, "recorded": 3, "settle": 2, "recorder": 2}
BEFORE = {"settle": "forwarded"}  # what is left over is settled: for that, others have to die first


class Pusher:
    """Pushes one image after another to tags of its own, trying again what fails. Manifests go straight to the API processes: nginx
    would ask again by itself where a connection broke, and a request that comes twice is recorded twice."""

    def __init__(self, stack: Stack, repository: str, name: str) -> None:
        self._client, self._repository, self._name = RawClient(stack, stack.admin), repository, name
        self._manifests = f"http://127.0.0.1:{stack.ports['api']}/v2/{repository}/manifests"
        self.acknowledged: list[tuple[str, str, str]] = []  # id of the request, tag, digest
        self.failed = 0

    def run(self, done: Event) -> None:
        for number in count():
            if done.is_set():
                return
            tag, content = f"{self._name}-{number % TAGS}", f"{self._name} {number}"
            while not self._push(tag, content):
                self.failed += 1
                assert self.failed < 2000
                time.sleep(0.05)

    def _push(self, tag: str, content: str) -> bool:
        request_id = uuid4().hex
        try:
            token = self._client.token(f"repository:{self._repository}:pull,push")
            data = self._client.image(self._repository, content, token)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": OCI_MANIFEST, "X-Request-Id": request_id}
            answer = requests.put(f"{self._manifests}/{tag}", data=data, headers=headers, timeout=60)
        except (Refused, requests.RequestException):
            return False
        if answer.status_code != 201:
            assert answer.status_code in (500, 503), answer.text
            return False
        self.acknowledged.append((request_id, tag, digest_of(data)))
        return True


def died(stack: Stack, point: str) -> int:
    return sum(log.read_text(errors="replace").count(f"died at {point}\n") for log in stack.log_dir.glob("*.log"))


def rows(stack: Stack, query: str) -> list[tuple[str, str]]:
    connection = sqlite3.connect(stack.state_dir / "tidegate.db", timeout=30)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def indexed(stack: Stack, repository: str) -> dict[str, str]:
    tags = "SELECT t.name, a.digest FROM tags t JOIN artifacts a ON a.id = t.artifact_id JOIN repositories r ON r.id = t.repository_id"
    return dict(rows(stack, f"{tags} WHERE r.name = '{repository}'"))


@dataclass(frozen=True)
class Deadly:
    """A running stack whose processes die at the points that are armed."""

    stack: Stack
    armed: Path

    @contextmanager
    def at(self, point: str) -> Iterator[None]:
        self.armed.write_text(f"{point} {BEFORE.get(point, '')}")
        try:
            yield
        finally:
            self.armed.write_text("")


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deadly]:
    made = Deadly(Stack(tmp_path_factory.mktemp("failpoints")), tmp_path_factory.mktemp("points") / "armed")
    made.armed.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHSVC_FAILPOINT", ",".join(f"{point}:{times}" for point, times in POINTS.items()))
        patch.setenv("AUTHSVC_FAILPOINT_ARMED", str(made.armed))
        try:
            made.stack.start()
            yield made
        finally:
            made.stack.stop()


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_kill_9(deadly: Deadly, point: str) -> None:
    stack, repository, start = deadly.stack, f"library/{point}", time.monotonic()
    before = died(stack, point)
    pushers = [Pusher(stack, repository, f"p{number}") for number in range(PUSHERS)]
    with deadly.at(
        point
    ):  # what is left over is recorded by processes that live; a reconciler that dies is taken up a minute later
        _push_until(lambda: died(stack, point) >= before + KILLS, pushers)
    acknowledged = [one for pusher in pushers for one in pusher.acknowledged]
    eventually(lambda: rows(stack, "SELECT id FROM intents") == [])
    noted = Counter(row[0] for row in rows(stack, f"SELECT request_id FROM audit_logs WHERE resource LIKE '{repository}:%'"))
    lost = {request_id for request_id, *_ in acknowledged} - noted.keys()
    twice = {request_id: times for request_id, times in noted.items() if times > 1}
    print(
        f"{point}: {died(stack, point) - before} kills in {time.monotonic() - start:.0f} s, {len(acknowledged)} pushes acknowledged, "
        f"{sum(pusher.failed for pusher in pushers)} tries failed, {len(lost)} lost, {len(twice)} noted twice"
    )
    assert (lost, twice) == (set(), {})
    tags = {tag: digest for _, tag, digest in acknowledged}
    assert indexed(stack, repository) == tags
    digests = {digest for *_, digest in acknowledged}
    assert digests <= {row[0] for row in rows(stack, "SELECT digest FROM artifacts")}
    client = RawClient(stack, stack.admin)
    token = client.token(f"repository:{repository}:pull")
    for reference, digest in (*tags.items(), *((digest, digest) for digest in digests)):
        stored = client.manifest(repository, reference, "HEAD", token=token)
        assert stored.headers["Docker-Content-Digest"] == digest, reference
    report = json.loads(stack.cli("reconcile").stdout)
    assert (report["recorded"], report["forgotten"], report["problems"]) == (0, 0, [])


def _push_until(enough: Callable[[], bool], pushers: Sequence[Pusher]) -> None:
    done = Event()
    with ThreadPoolExecutor(len(pushers)) as pool:
        running = [pool.submit(pusher.run, done) for pusher in pushers]
        try:
            eventually(enough, 60 + 30 * KILLS)
        finally:
            done.set()
        for future in running:
            future.result(120)
