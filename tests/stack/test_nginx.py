"""nginx by itself, between a client and neighbours of ours that answer as we want."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from authsvc.core.base import create_base
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import rendering
from authsvc.stack.prepare import prepare
from tests.support.ports import free_ports
from tests.support.stack import let_through
from tests.support.waiting import until_up

pytestmark = pytest.mark.once


@contextmanager
def neighbour(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    """Answers with these statuses, the last of them again and again; its address, and what it was asked."""
    left, asked = list(statuses), list[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_PUT = do_GET  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def nginx(settings: Settings) -> Iterator[str]:
    app = create_base(settings)
    ready = prepare(app, settings)
    with app.app_context():
        db.engine.dispose()
    rendering.on_host(settings, ready.certificate, ready.key)
    layout = Layout(settings)
    let_through(layout.root)
    log, program = layout.logs / "nginx.log", shutil.which("nginx") or "nginx"
    (layout.root / "run").mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen([program, "-c", str(layout.config / "nginx.conf")], stdout=output, stderr=output)
    url = f"http://127.0.0.1:{settings.http_port}"
    try:
        until_up(process, log, lambda: requests.get(f"{url}/v1/", timeout=5).status_code == 404)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize(("failures", "status"), [(0, 200), (1, 200), (3, 200), (4, 500)])
def test_a_tag_that_is_written_anew_at_this_moment_is_asked_for_again(
    make_settings: Callable[..., Settings], failures: int, status: int
) -> None:
    """Registry 2 answers 500 to who asks between two steps of it."""
    http, cache = free_ports(2)
    with neighbour(204) as (gate, _), neighbour(*[500] * failures, 200) as (registry, asked):
        settings = make_settings(
            token_address=gate,
            api_address=gate,
            registry_address=registry,
            cache_address=f"127.0.0.1:{cache}",
            external_url=f"http://localhost:{http}",
            http_port=http,
        )
        with nginx(settings) as url:
            assert requests.get(f"{url}/v2/web/app/manifests/v1", timeout=10).status_code == status
            assert asked == ["GET /v2/web/app/manifests/v1"] * min(failures + 1, 4)
            del asked[:]
            blob = f"/v2/web/app/blobs/sha256:{'0' * 64}"
            assert requests.get(f"{url}{blob}", timeout=10).status_code == 200
            assert asked == [f"GET {blob}"]


def test_what_is_kept_for_a_while_is_open_to_nobody_else(make_settings: Callable[..., Settings]) -> None:
    http, cache = free_ports(2)
    with neighbour(204) as (gate, _):
        address = f"127.0.0.1:{cache}"
        settings = make_settings(
            token_address=gate, api_address=gate, cache_address=address, external_url=f"http://localhost:{http}", http_port=http
        )
        with nginx(settings):
            kept: Path = Layout(settings).nginx / "upstream"
            assert kept.stat().st_mode & 0o077 == 0
            assert requests.get(f"http://{address}/1/v2/web/app/manifests/v1", timeout=10).status_code == 404
