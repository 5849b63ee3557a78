"""Networks of their own, in which nothing is but loopback and what is made there; and doors that lead there."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_numbers = count()
_NETWORK = 0x40000000  # CLONE_NEWNET, of setns(2)


@contextmanager
def namespace() -> Iterator[str]:
    """The name of one."""
    name = f"tidegate{os.getpid()}-{next(_numbers)}"
    _ip("netns", "add", name)
    try:
        _ip("-netns", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


def inside(name: str) -> list[str]:
    """What to put before a command that is to run there."""
    return ["nsenter", f"--net=/run/netns/{name}"]


def _ip(*arguments: str) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(["ip", *arguments], env=os.environ | {"PATH": path}, check=True, capture_output=True)


@contextmanager
def door(name: str, port: int) -> Iterator[None]:
    """Meanwhile a port of our loopback leads to the same one of the loopback there."""
    through: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", port)) as listener:
        keeper = threading.Thread(target=_keep, args=(listener, name, port, through))
        keeper.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends what waits in it
            keeper.join()
            for one in through:
                _end(one)


def datagrams(name: str) -> socket.socket:
    """A socket there, to be used from anywhere: it stays where it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        _enter(name)
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _enter(name: str) -> None:
    """This thread alone."""
    with Path(f"/run/netns/{name}").open() as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")


def _keep(listener: socket.socket, name: str, port: int, through: list[socket.socket]) -> None:
    _enter(name)  # and with it the threads that it starts
    while True:
        try:
            here, _ = listener.accept()
        except OSError:
            return
        through.append(here)
        threading.Thread(target=_lead, args=(here, port), daemon=True).start()


def _lead(here: socket.socket, port: int) -> None:
    with here, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as beyond:
        back = threading.Thread(target=_carry, args=(beyond, here), daemon=True)
        back.start()
        _carry(here, beyond)
        back.join()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
