"""An issuer of ID tokens as a CI system is one: a discovery document, keys, and a token for each job."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class CiIssuer:
    """Its address, what was asked of it, and its tokens. `rotate` makes a new key; the old one is withdrawn."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.generation = 0
        self.rotate()

    def rotate(self) -> None:
        self.generation += 1
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, *, key_id: str = "", algorithm: str = "RS256", key: Any = None, typ: str = "JWT", **claims: Any) -> str:
        """A job's token; claims replace the usual ones, None removes one."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": "registry.example.com",
            "sub": "repo:example/web:ref:refs/heads/main",
            "repository": "example/web",
            "ref": "refs/heads/main",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        body = {name: value for name, value in (usual | claims).items() if value is not None}
        headers = {"kid": key_id or f"key-{self.generation}", "typ": typ}
        return jwt.api_jws.encode(json.dumps(body).encode(), key or self._key, algorithm, headers)

    def documents(self) -> dict[str, Any]:
        """What it serves, by path."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        keys = {"keys": [public | {"kid": f"key-{self.generation}", "use": "sig", "alg": "RS256"}]}
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": keys,
        }


@contextmanager
def ci_issuer() -> Iterator[CiIssuer]:
    """Start one on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            body = json.dumps(issuer.documents().get(self.path)).encode()
            self.send_response(200 if self.path in issuer.documents() else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name for it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = CiIssuer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
