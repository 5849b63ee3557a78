"""A real syslog collector for tests: RFC 6587 octet counting over TCP or TLS, parsed strictly."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.certificates import Authority

_HEADER = re.compile(rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) - \xef\xbb\xbf")


class Collector:
    """`messages` holds what arrived, in order, each with its header's parts under `header`."""

    def __init__(self, port: int = 0, authority: Authority | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._context: ssl.SSLContext | None = None
        if authority is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(authority.certificate, authority.key)
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            self._read(connection)
        except OSError as error:
            self.errors.append(type(error).__name__)
        finally:
            connection.close()

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while piece := connection.recv(65536):
            data += piece
            while (space := data.find(b" ")) > 0 and len(data) >= space + 1 + int(data[:space]):
                end = space + 1 + int(data[:space])
                self._take(data[space + 1 : end])
                data = data[end:]

    def _take(self, text: bytes) -> None:
        found = _HEADER.match(text)
        assert found, text
        header = [part.decode("ascii") for part in found.groups()]
        self.messages.append({"header": header} | json.loads(text[found.end() :]))

    def wait_for(self, count: int, seconds: float = 10.0) -> None:
        """Until that many different entries arrived."""
        deadline = time.monotonic() + seconds
        while len({message["id"] for message in list(self.messages)}) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} arrived; {self.errors}"
            time.sleep(0.02)

    def stop(self) -> None:
        """Close everything at once, with what was not read yet lost."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@contextmanager
def collector(port: int = 0, authority: Authority | None = None) -> Iterator[Collector]:
    """One on a port (0: a free one), and its end."""
    running = Collector(port, authority)
    try:
        yield running
    finally:
        running.stop()
