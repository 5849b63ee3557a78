"""What the suite takes for an error, and what not."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest


@contextmanager
def _listener(reset: bool) -> Iterator[int]:
    """The port of somebody who accepts, and resets at once or says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    if reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        connection.close()
                    else:
                        kept.append(connection)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=accept)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def _forgotten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What garbage collection complains of from now on."""
    found: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: found.append(str(raised.exc_value)))
    return found


def test_a_peer_that_dies_during_a_handshake_is_nobodys_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = _forgotten(monkeypatch)
    context = ssl.create_default_context()
    with _listener(reset=True) as port:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()
    gc.collect()
    assert forgotten == []


def test_a_connection_that_we_forget_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = _forgotten(monkeypatch)
    context = ssl.create_default_context()
    with _listener(reset=False) as port:
        plain = socket.create_connection(("127.0.0.1", port))
        secured = context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
        del secured
        gc.collect()
    assert len(forgotten) == 1
    assert "raddr" in forgotten[0]
