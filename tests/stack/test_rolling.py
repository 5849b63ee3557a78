"""Workers are replaced in turn, and somebody listens all the time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from authsvc.stack.rolling import listens, replace_workers
from authsvc.stack.tree import children_of
from tests.support.ports import free_ports
from tests.support.waiting import eventually

# A master as granian is one: its workers come late, listen by themselves, and are started anew when they end.
MASTER = """
import os, signal, socket, sys, time
port, count, stubborn = map(int, sys.argv[1:])

def work():
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(0.5)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)
    while True:
        listener.accept()[0].close()

def start():
    if not os.fork():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        work()

signal.signal(signal.SIGHUP, lambda *_: start())
for _ in range(count):
    start()
while True:
    os.wait()
    start()
"""


@contextmanager
def running(workers: int, *, stubborn: bool = False) -> Iterator[tuple[int, int]]:
    """The master's process and its port."""
    (port,) = free_ports(1)
    master = subprocess.Popen([sys.executable, "-c", MASTER, str(port), str(workers), str(int(stubborn))])
    try:
        eventually(lambda: len(listening(master.pid)) == workers)
        yield master.pid, port
    finally:
        left = children_of(master.pid)
        master.kill()
        master.wait()
        for pid in left:
            os.kill(pid, signal.SIGKILL)


def listening(master: int) -> set[int]:
    return {pid for pid in children_of(master) if listens(pid)}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authsvc.stack.rolling._PATIENCE", 2.0)


def test_somebody_listens_all_the_time() -> None:
    with running(2) as (master, port):
        before, over, refused = listening(master), threading.Event(), list[str]()

        def ask() -> None:
            while not over.wait(0.005):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except ConnectionRefusedError as error:
                    refused.append(str(error))

        asking = threading.Thread(target=ask)
        asking.start()
        replace_workers(master, lambda: True)
        over.set()
        asking.join()
        assert refused == []
        assert len(listening(master)) == 2
        assert listening(master).isdisjoint(before)


@pytest.mark.usefixtures("impatient")
def test_who_does_not_end_is_ended() -> None:
    with running(2, stubborn=True) as (master, _):
        before = listening(master)
        replace_workers(master, lambda: True)
        eventually(lambda: len(listening(master)) == 2 and listening(master).isdisjoint(before))


def test_a_single_one_is_left_to_its_master() -> None:
    with running(1) as (master, _):
        before = listening(master)
        replace_workers(master, lambda: True)
        eventually(lambda: before < listening(master))


def test_it_goes_no_further_than_it_shall() -> None:
    with running(2) as (master, _):
        before = listening(master)
        replace_workers(master, lambda: False)

        def one_is_new() -> bool:
            now = listening(master)  # who was told to end may still be there
            return len(now) == 2 and len(now & before) == 1

        eventually(one_is_new)
