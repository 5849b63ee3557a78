"""Many kinds of work at once on a whole stack, in peace and while its processes are killed: nothing is lost, nothing is doubled.

`make load` runs it for minutes, on each database; as part of the live tests it is short, and no time is measured.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.live.test_tree import members, session
from tests.load.crowd import Crowd
from tests.support.databases import Databases
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import GENEROUS, eventually

SECONDS = float(os.environ.get("LOAD_SECONDS", "10"))
IS_LONG = SECONDS >= 60
PROGRAMS = ("nginx", "token", "api", "webhook", "worker", "registry")
WELL_WITHIN = 30.0

pytestmark = pytest.mark.timeout(6 * SECONDS + 400)


@pytest.fixture
def crowd(tmp_path: Path, databases: Databases) -> Iterator[Crowd]:
    stack = Stack(tmp_path / "state")
    try:
        made = Crowd(stack.start(DATABASE_URL=databases.bare()))
        made.prepare()
        yield made
    finally:
        stack.stop()


def test_in_peace(crowd: Crowd) -> None:
    with crowd.at_work():
        time.sleep(SECONDS)
    statuses_of = crowd.statuses()
    assert statuses_of.keys() == {kind for kind, *_ in crowd.kinds()}, "each was there"
    for kind, statuses in statuses_of.items():
        assert all(200 <= status < 500 for status in statuses), (kind, statuses)
        assert any(status < 300 for status in statuses), (kind, statuses)
    everything_is_there(crowd)
    if IS_LONG:
        busy = {kind: crowd.slowest(kind) for kind, *_ in crowd.kinds()}
        print({kind: round(seconds, 3) for kind, seconds in busy.items()})


def test_while_processes_are_killed(crowd: Crowd) -> None:
    over = threading.Event()
    killer = threading.Thread(target=kill_some, args=(crowd.stack, over), name="killer")
    with crowd.at_work(forgiving=True):
        killer.start()
        time.sleep(SECONDS)
        over.set()
        killer.join(60)
        eventually(crowd.stack.is_well, WELL_WITHIN if IS_LONG else GENEROUS)
        time.sleep(2)
    if IS_LONG:
        silences = {kind: crowd.longest_silence(kind) for kind in ("push", "login", "robot token", "pull")}
        assert all(seconds < WELL_WITHIN for seconds in silences.values()), silences
    everything_is_there(crowd)
    number = session(crowd.stack)
    assert crowd.stack.cli("down").returncode == 0
    assert members(number) == set()


def kill_some(stack: Stack, over: threading.Event) -> None:
    """kill -9 of a random process every five seconds, masters and workers alike."""
    dice = random.Random(4711)
    while True:
        pids = stack.pids(dice.choice(PROGRAMS))
        if pids:
            os.kill(dice.choice(pids), signal.SIGKILL)
        if over.wait(5):
            return


def everything_is_there(crowd: Crowd) -> None:
    """What was acknowledged can be read, and is in the index and the audit log, once."""
    assert crowd.pushed
    client = RawClient(crowd.stack, crowd.stack.admin)
    repositories = {repository for repository, _ in crowd.pushed}
    for repository in repositories:
        mine = {tag: digest for (name, tag), digest in crowd.pushed.items() if name == repository}
        token = client.token(f"repository:{repository}:pull")
        for tag, digest in mine.items():
            answer = client.manifest(repository, tag, token=token)
            assert (answer.status_code, answer.headers.get("Docker-Content-Digest")) == (200, digest), (repository, tag)
            for layer in answer.json()["layers"]:
                blob = client.request("GET", f"/v2/{repository}/blobs/{layer['digest']}", token=token)
                assert (blob.status_code, len(blob.content)) == (200, layer["size"])
        eventually(partial(are_listed, crowd.stack, repository, mine))
    created = audited(crowd.stack)
    assert all(created.count(f"{repository}:{tag}") == 1 for repository, tag in crowd.pushed)
    damages = crowd.stack.api("GET", "/system/damages").json()
    assert damages == []
    waiting = crowd.stack.cli("reconcile")
    assert '"problems": []' in waiting.stdout, waiting.stdout


def are_listed(stack: Stack, repository: str, wanted: dict[str, str]) -> bool:
    return wanted.items() <= tags(stack, repository).items()


def tags(stack: Stack, repository: str) -> dict[str, str]:
    project, _, name = repository.partition("/")
    found: dict[str, str] = {}
    for page in range(1, 1000):
        listed = stack.api("GET", f"/projects/{project}/repositories/{name}/artifacts?page_size=100&page={page}").json()
        found |= {tag["name"]: artifact["digest"] for artifact in listed for tag in artifact.get("tags") or []}
        if len(listed) < 100:
            return found
    raise AssertionError("too many pages")


def audited(stack: Stack) -> list[str]:
    """The artifacts that the audit log says were pushed."""
    found: list[str] = []
    for page in range(1, 10_000):
        query = f"q=operation=create,resource_type=artifact&sort=id&page_size=100&page={page}"
        listed = stack.api("GET", f"/auditlog-exts?{query}").json()
        found += [entry["resource"] for entry in listed]
        if len(listed) < 100:
            return found
    raise AssertionError("too many pages")
