"""A proxy between a client and a registry that knows what is asked, and does something else with some of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.support.registry import PlainRegistry

_OWN = ("host", "connection", "content-length", "transfer-encoding")
Answer = tuple[int, Mapping[str, str]]


class Between:
    """`rule` says of a method, a path and how many came before what becomes of a request: a status and headers; how many bytes of
    the answer are passed before the connection ends; (negative) how many bytes of the body are kept back, as if they were not to
    come, before it ends without an answer; None: nothing. `path`: what is asked for instead; `body`: a body with
    200 instead of an answer, unless it is None."""

    def __init__(self, target: str) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.path: Callable[[str], str] = lambda path: path
        self.body: Callable[[str], bytes | None] = lambda path: None
        self.rule: Callable[[str, str, int], Answer | int | None] = lambda method, path, number: None
        self.target = target
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"between": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    between: Between

    def handle_one(self) -> None:
        self.between.asked.append((self.command, self.path, self.headers.get("Range", "")))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = self.between.rule(self.command, self.path, len(self.between.asked))
        if isinstance(done, tuple):
            self._answer(done[0], done[1], "0")
            return
        kept_back = -done if done is not None and done < 0 else 0
        if (said := self.between.body(self.path)) is not None:
            self._answer(200, {}, str(len(said)))
            self.wfile.write(said)
            return
        answer = self._pass_on(body[: len(body) - kept_back])
        if kept_back:
            self.close_connection = True
            return
        sent = {name: value.replace(self.between.target, self.between.url) for name, value in answer.headers.items()}
        length = answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(answer.content))
        self._answer(answer.status_code, sent, length)
        if self.command != "HEAD":
            self.wfile.write(answer.content[:done])
        self.close_connection |= done is not None

    def _pass_on(self, body: bytes) -> requests.Response:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        url = self.between.target + self.between.path(self.path)
        return requests.request(self.command, url, headers=sent, data=body, allow_redirects=False, timeout=30)

    def _answer(self, status: int, headers: Mapping[str, str], length: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


for _method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.handle_one)


@contextmanager
def between(registry: PlainRegistry) -> Iterator[Between]:
    """One in front of a registry."""
    made = Between(registry.url)
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
