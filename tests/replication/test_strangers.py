"""Other registries say what they like: nothing of it becomes a path of ours, and nothing of it is a mistake of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.replication.conftest import Pair
from tests.support.hostile import TEXTS

REAL = "sha256:" + "0" * 64


@contextmanager
def stranger(answers: dict[str, Any], digest: str = REAL) -> Iterator[str]:
    """Answers what is told by the beginning of a path, and every HEAD with a digest."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = next((answer for path, answer in answers.items() if self.path.startswith(path)), None)
            body = known if isinstance(known, bytes) else json.dumps(known).encode()
            self.send_response(404 if known is None and self.path != "/v2/" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", digest)
            self.send_header("Content-Length", "10")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def copied_from(pair: Pair, url: str, kind: str, **changes: Any) -> dict[str, Any]:
    body = {"name": f"stranger {next(pair.numbers)}", "type": kind, "url": url}
    made = pair.world.api("POST", "/registries", "admin", json=body)
    assert made.status_code == 201, made.text
    number = int(made.headers["Location"].rpartition("/")[2])
    policy: dict[str, Any] = {
        "src_registry": {"id": number},
        "filters": [],
        "dest_namespace": pair.project,
        "dest_namespace_replace_count": 0,
    }
    execution = pair.start(pair.policy(**policy | {"dest_registry": None} | changes))
    for _ in range(6):
        pair.work()
        pair.hurry()
    return pair.execution(execution)


@pytest.mark.parametrize(
    "answers",
    [
        {"/v2/_catalog": {"repositories": ["app", "../../x", 1, None, {}, "a//b", "UPPER", *TEXTS[:50]]}},
        {"/v2/_catalog": {"repositories": ["app"]}, "/v2/app/tags": {"tags": ["../../../x", 1, None, "", "a b", *TEXTS[:50]]}},
        {"/v2/_catalog": {"repositories": "app"}},
        {"/v2/_catalog": {"repositories": ["app"]}, "/v2/app/tags": {"tags": {"v1": "x"}}},
    ],
)
def test_names_that_are_none_lead_nowhere(pair: Pair, answers: dict[str, Any]) -> None:
    before = set(pair.here.client.repositories())
    with stranger(answers) as url:
        said = copied_from(pair, url, "docker-registry")
    assert (said["status"], said["total"]) == ("Succeed", 0), said
    assert set(pair.here.client.repositories()) == before


@pytest.mark.parametrize("digest", ["", "sha256:../../x", "sha256:" + "0" * 63, "v1", *TEXTS[:5]])
def test_a_digest_that_is_none_is_no_digest(pair: Pair, digest: str) -> None:
    plain = "".join(character for character in digest if " " < character < "\x7f")
    with stranger({"/v2/_catalog": {"repositories": ["app"]}, "/v2/app/tags": {"tags": ["v1"]}}, plain) as url:
        said = copied_from(pair, url, "docker-registry")
    assert (said["status"] == "Failed") is not plain, said
    assert said["total"] == 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"[" * 100_000, b'"x"', b"1e999", b"<html>"])
@pytest.mark.parametrize("kind", ["docker-registry", "harbor"])
def test_what_cannot_be_read_is_said_to_be_so(pair: Pair, body: bytes, kind: str) -> None:
    with stranger({"/v2/_catalog": body, "/api/": body}) as url:
        said = copied_from(pair, url, kind)
    harmless = kind == "harbor" and body in (b"null", b"[]", b'"x"', b"1e999")
    assert said["status"] == ("Succeed" if harmless else "Failed"), said
    assert harmless or "cannot be read" in said["status_text"] or "answered" in said["status_text"]


@pytest.mark.parametrize(
    "row",
    [
        {"digest": "../x", "tags": [{"name": "v1"}]},
        {"digest": REAL, "tags": [{"name": "../x"}, 1, None, {"name": 2}]},
        {"digest": 7, "tags": "v1", "labels": 1, "accessories": {"digest": "x"}, "type": []},
        {"digest": "sha256:x", "tags": None, "accessories": [{"digest": "../x", "type": "signature.cosign"}]},
        {},
    ],
)
def test_a_harbor_may_answer_anything(pair: Pair, row: dict[str, Any]) -> None:
    answers = {
        "/api/v2.0/repositories": [{"name": "other/app"}, {"name": 1}, 7, {}],
        "/api/v2.0/projects/other/repositories/app/artifacts": [row],
    }
    with stranger(answers) as url:
        said = copied_from(pair, url, "harbor")
    assert said["status"] in ("Succeed", "Failed")
    assert "Error" not in said["status_text"], said
    assert pair.artifacts(f"{pair.project}/other/app") == {}


def test_what_can_be_no_repository_here_is_left_out_and_said_to_be(pair: Pair) -> None:
    pair.far.image(f"alone{pair.project}", "v1")
    said = pair.run(pair.policy(pull=True, filters=[{"type": "name", "value": f"alone{pair.project}"}]))
    assert (said["status"], said["total"]) == ("Succeed", 0)
    assert "can be no repository here" in said["status_text"]
