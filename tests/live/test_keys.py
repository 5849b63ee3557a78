"""Signing keys rotate while clients pull, and none of them notices."""

from __future__ import annotations

import threading

import jwt

from tests.support.rawclient import RawClient
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.waiting import eventually


def test_rotations_under_pulls(stack: Stack) -> None:
    client = RawClient(stack, stack.admin)
    client.push("library/rotated", "v1")
    old = client.token("repository:library/rotated:pull")
    failures: list[str] = []
    used: set[str] = set()
    done = threading.Event()

    def pull() -> None:
        puller = RawClient(stack)
        while not done.wait(0.05):
            token = puller.token("repository:library/rotated:pull")
            used.add(str(jwt.get_unverified_header(token)["kid"]))
            for one in (token, old):
                answer = puller.manifest("library/rotated", "v1", token=one)
                if answer.status_code != 200:
                    failures.append(f"{answer.status_code} {answer.text}")

    registry = stack.pids("registry")
    thread = threading.Thread(target=pull)
    thread.start()
    try:
        rotated = []
        for _ in range(rounds(4, 10)):
            rotated.append(stack.cli("keys", "rotate").stdout.strip())
            eventually(lambda: rotated[-1] in used)
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert stack.cli("keys", "show").stdout.strip() == rotated[-1]
    assert stack.pids("registry") == registry, "no restart"
