"""Ports for servers of tests, on loopback: nobody else takes them between being found and being used.

They lie below those that the kernel gives to whoever asks for any (`ip_local_port_range`), in blocks; a process of tests holds
the lock of its block as long as it lives.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

NOWHERE = "127.0.0.1:1"  # nobody listens there
_FIRST, _BLOCK = 10_240, 200
_held: list[IO[str]] = []


def free_ports(count: int) -> list[int]:
    """That many different ports which nobody listens on."""
    return list(itertools.islice(filter(_is_free, _own()), count))


@cache
def _own() -> Iterator[int]:
    """The ports of a block, again and again."""
    last = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    directory = Path(tempfile.gettempdir(), f"ports-of-tests-{os.getuid()}")
    directory.mkdir(exist_ok=True)
    for first in range(_FIRST, last - _BLOCK, _BLOCK):
        lock = (directory / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            _held.append(lock)
            return itertools.cycle(range(first, first + _BLOCK))
    raise AssertionError("all ports of tests are taken")


def _is_free(port: int) -> bool:
    """Not listened on, nor waiting for the last packets of a connection."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
