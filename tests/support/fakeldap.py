"""A server that answers LDAP as no honest directory does: with results, bytes and silence of a test's choice."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

BIND, SEARCH, EXTENDED = 0x60, 0x63, 0x77  # tags of requests (RFC 4511 4.2, 4.5, 4.12)
_ANSWERS = {BIND: 0x61, SEARCH: 0x65, EXTENDED: 0x78}

Answer = Callable[[int, int], bytes]  # from the tag of a request and its message id


def result(tag: int, message_id: int, code: int) -> bytes:
    """An LDAPResult for a request with that tag, without text."""
    body = bytes([0x0A, 0x01, code, 0x04, 0x00, 0x04, 0x00])
    return _tagged(0x30, _number(message_id) + _tagged(_ANSWERS.get(tag, 0x61), body))


def entry(message_id: int, dn: str, **attributes: list[bytes]) -> bytes:
    """A SearchResultEntry."""
    listed = b"".join(
        _tagged(0x30, _tagged(0x04, name.encode()) + _tagged(0x31, b"".join(_tagged(0x04, value) for value in values)))
        for name, values in attributes.items()
    )
    return _tagged(0x30, _number(message_id) + _tagged(0x64, _tagged(0x04, dn.encode()) + _tagged(0x30, listed)))


def _number(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(4))


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes([tag]) + (bytes([length]) if length < 128 else bytes([0x82, length >> 8, length & 0xFF])) + content


@dataclass
class FakeLdap:
    """`seen`: every byte that came in the clear."""

    port: int
    answer: Answer
    seen: bytearray = field(default_factory=bytearray)


@contextmanager
def fake_ldap(answer: Answer) -> Iterator[FakeLdap]:
    """Start one on loopback; it answers each request with what `answer` gives, and ends the connection for b""."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            with suppress(OSError):
                while data := self.request.recv(65536):
                    fake.seen += data
                    head = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
                    end = head + 2 + data[head + 1]
                    given = fake.answer(data[end], int.from_bytes(data[head + 2 : end]))
                    if not given:
                        return
                    self.request.sendall(given)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """What is no LDAP (a TLS handshake) ends the connection."""

    with Server(("127.0.0.1", 0), Handler) as server:
        fake = FakeLdap(server.server_address[1], answer)
        thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
