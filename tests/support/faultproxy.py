"""A TCP proxy that cuts, slows and swallows on command."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.ports import free_ports


class FaultProxy:
    """Forwards to a port; `mode`: pass, cut (connections end), swallow (bytes vanish, and ends), slow (a byte now and then)."""

    def __init__(self, target: int) -> None:
        self.port = free_ports(1)[0]
        self.mode = "pass"
        self.connections = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        """From now on; what is open is cut, so that it is felt at once."""
        self.mode = mode
        if mode == "cut":
            self._end_all()

    def close(self) -> None:
        self._listener.close()
        self._end_all()

    def _end_all(self) -> None:
        for connection in self._open:
            _end(connection)
        self._open = []

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.mode == "cut":
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for end in (client, server):  # what comes in pieces goes on in pieces, at once
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.mode == "swallow":
                    continue
                if self.mode == "slow":
                    for position in range(len(data)):
                        time.sleep(0.2)
                        sink.sendall(data[position : position + 1])
                    continue
                sink.sendall(data)
        if self.mode != "swallow":
            _end(source)
            _end(sink)


def _end(connection: socket.socket) -> None:
    """Also for whoever waits for it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        connection.close()


@contextmanager
def fault_proxy(target: int) -> Iterator[FaultProxy]:
    """One in front of a port on loopback."""
    proxy = FaultProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
