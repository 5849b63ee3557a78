"""kill -9 of everything of ours in the middle of many pushes: nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import random
import threading
import time
from itertools import count

import pytest
import requests

from tests.support.rawclient import RawClient, Refused
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.waiting import eventually

# Pushes go on until so many processes were killed: however fast the machine is, and however slow, that is what is tried.
KILLS, PUSHES, REPOSITORIES, THREADS = rounds(4, 100), rounds(50, 500), 5, 4
SEED = 20261124


class Pushers:
    """Push small images until it is enough, trying again what fails; `acknowledged` is (repository, tag) -> digest."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._numbers = count()
        self.is_enough = threading.Event()
        self.given_up: list[int] = []
        self.acknowledged: dict[tuple[str, str], str] = {}
        self.retries = 0

    def run(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        return threads

    def _work(self) -> None:
        client = RawClient(self._stack, self._stack.admin)
        while not self.is_enough.is_set():
            number = next(self._numbers)
            repository, tag = f"library/r{number % REPOSITORIES}", f"t{number % 97}-{number}"
            for _ in range(200):
                try:
                    self.acknowledged[repository, tag] = client.push(repository, tag, content=f"{number}")
                    break
                except (Refused, requests.RequestException):
                    self.retries += 1
                    time.sleep(0.2)
            else:
                self.given_up.append(number)


def _kill(stack: Stack, programs: list[str]) -> int:
    """A push takes all programs: the next dies when the last one is back, and pushes have gone on for a while."""
    chance, kills = random.Random(SEED), 0
    while kills < KILLS:
        kills += stack.kill(chance.choice(programs))
        while not stack.is_well():
            time.sleep(0.1)
        time.sleep(chance.uniform(0.5, 1.5))
    return kills


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
    try:
        kills = _kill(stack, programs)
        eventually(lambda: len(pushers.acknowledged) >= PUSHES)
    finally:
        pushers.is_enough.set()
    for thread in threads:
        thread.join()
    print(
        f"seed {SEED}: {kills} processes killed, {pushers.retries} tries failed, {len(pushers.acknowledged)} pushes acknowledged"
    )
    assert pushers.given_up == []
    eventually(stack.is_well)
    if "registry" in programs:  # what a killed registry had not delivered is lost with it; the reconciler finds it
        report = json.loads(stack.cli("reconcile").stdout)
        assert report["problems"] == []
    eventually(lambda: _index(stack) == pushers.acknowledged)
    if "registry" not in programs:
        assert {f"{repository}:{tag}" for repository, tag in pushers.acknowledged} <= _audited(stack)
    client = RawClient(stack, stack.admin)
    for (repository, tag), digest in random.Random(SEED).sample(sorted(pushers.acknowledged.items()), 50):
        assert client.manifest(repository, tag).headers["Docker-Content-Digest"] == digest
