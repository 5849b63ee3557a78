"""kill -9 of everything of ours in the middle of many pushes: nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections.abc import Callable

import pytest
import requests

from tests.support.rawclient import RawClient, Refused
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.waiting import eventually

PUSHES, REPOSITORIES, THREADS = rounds(150, 500), 5, 4
KILLS = rounds(6, 100)  # then what is left goes on in peace: how long it takes has a limit on any machine
SEED = 20261124


class Pushers:
    """Push many small images, trying again what fails; `acknowledged` is (repository, tag) -> digest."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._left: queue.Queue[int] = queue.Queue()
        for number in range(PUSHES):
            self._left.put(number)
        self.acknowledged: dict[tuple[str, str], str] = {}
        self.retries = 0

    def run(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        return threads

    def _work(self) -> None:
        client = RawClient(self._stack, self._stack.admin)
        while True:
            try:
                number = self._left.get_nowait()
            except queue.Empty:
                return
            repository, tag = f"library/r{number % REPOSITORIES}", f"t{number % 97}-{number}"
            for _ in range(200):
                try:
                    self.acknowledged[repository, tag] = client.push(repository, tag, content=f"{number}")
                    break
                except (Refused, requests.RequestException, AssertionError):
                    self.retries += 1
                    time.sleep(0.2)


def _kill_while(alive: Callable[[], bool], stack: Stack, programs: list[str]) -> int:
    """A push takes all programs: the next dies when the last one is back, and pushes have gone on for a while."""
    chance, kills = random.Random(SEED), 0
    while alive() and kills < KILLS:
        kills += stack.kill(chance.choice(programs))
        while alive() and not _answers(stack):
            time.sleep(0.1)
        time.sleep(chance.uniform(0.5, 1.5))
    return kills


def _answers(stack: Stack) -> bool:
    try:
        return (
            stack.api("GET", "/health", params={"strict": "true"}).status_code == 200
            and stack.token(auth=stack.admin).status_code == 200
        )
    except requests.RequestException:
        return False


def _index(stack: Stack) -> dict[tuple[str, str], str]:
    found = {}
    for number in range(REPOSITORIES):
        path = f"/projects/library/repositories/r{number}/artifacts"
        answer = stack.api("GET", path, params={"page_size": 0})
        for artifact in answer.json() if answer.status_code == 200 else []:
            for tag in artifact.get("tags", []):
                found[f"library/r{number}", tag["name"]] = artifact["digest"]
    return found


def _audited(stack: Stack) -> set[str]:
    query = {"q": "operation=create,resource_type=artifact", "page_size": 0}
    return {entry["resource"] for entry in stack.api("GET", "/audit-logs", params=query).json()}


@pytest.mark.slow
@pytest.mark.parametrize("programs", [["webhook", "worker", "token", "api"], ["registry", "worker"]], ids=["ours", "registry"])
def test_nothing_acknowledged_is_lost(own_stack: Stack, programs: list[str]) -> None:
    stack = own_stack.start()
    pushers = Pushers(stack)
    threads = pushers.run()
    kills = _kill_while(lambda: any(thread.is_alive() for thread in threads), stack, programs)
    for thread in threads:
        thread.join()
    print(
        f"seed {SEED}: {kills} processes killed, {pushers.retries} tries failed, {len(pushers.acknowledged)} pushes acknowledged"
    )
    assert kills >= 4
    assert len(pushers.acknowledged) == PUSHES
    eventually(lambda: _answers(stack))
    if "registry" in programs:  # what a killed registry had not delivered is lost with it; the reconciler finds it
        report = json.loads(stack.cli("reconcile").stdout)
        assert report["problems"] == []
    eventually(lambda: _index(stack) == pushers.acknowledged)
    if "registry" not in programs:
        assert {f"{repository}:{tag}" for repository, tag in pushers.acknowledged} <= _audited(stack)
    client = RawClient(stack, stack.admin)
    for (repository, tag), digest in random.Random(SEED).sample(sorted(pushers.acknowledged.items()), 50):
        assert client.manifest(repository, tag).headers["Docker-Content-Digest"] == digest
