"""A scanner by Harbor's adapter API that finds what it is told to find, and goes wrong as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from authsvc.distribution.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from authsvc.scanners.rules import NATIVE_REPORT, REPORT

NAME = {"name": "Probe", "vendor": "Tests", "version": "1.0"}
METADATA: dict[str, Any] = {
    "scanner": NAME,
    "capabilities": [
        {
            "type": "vulnerability",
            "consumes_mime_types": [OCI_MANIFEST, DOCKER_MANIFEST],
            "produces_mime_types": [REPORT, NATIVE_REPORT],
        }
    ],
    "properties": {"harbor.scanner-adapter/vulnerability-database-updated-at": "2026-11-01T00:00:00Z"},
}


def finding(number: int = 1, severity: str = "High", **changes: Any) -> dict[str, Any]:
    """A vulnerability as reports name it."""
    return {
        "id": f"CVE-2026-{number:04}",
        "package": "openssl",
        "version": "3.0.1",
        "fix_version": "3.0.2",
        "severity": severity,
        "status": "fixed",
        "description": f"number {number}",
        "links": [f"https://cve.example.com/{number}"],
        "preferred_cvss": {"score_v3": 7.5, "vector_v3": "CVSS:3.1/AV:N"},
        "cwe_ids": ["CWE-79"],
        "vendor_attributes": {"CVSS": {"nvd": {"V3Score": 7.5}}},
    } | changes


Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Scanner:
    """`findings`: in whatever is scanned, or by its digest; `later`: how often a report is said to come later. `metadata`: what it
    says of itself. `rule`: another answer to a method and path, and None for the usual one. `scanned`: told of each scan that begins.
    `wants`: the Authorization, or API key, without which it answers 401."""

    url: str = ""
    metadata: Any = field(default_factory=lambda: METADATA)
    findings: list[dict[str, Any]] = field(default_factory=lambda: [finding()])
    by_digest: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    later: int = 0
    rule: Callable[[str, str], Answer | None] = lambda method, path: None
    scanned: Callable[[dict[str, Any]], None] = lambda request: None
    wants: tuple[str, str] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.asked.append((method, path, headers))
        if (other := self.rule(method, path)) is not None:
            return other
        if self.wants is not None and headers.get(self.wants[0].lower()) != self.wants[1]:
            return 401, {}, b"{}"
        if path == "/api/v1/metadata":
            return 200, {}, json.dumps(self.metadata).encode()
        if path == "/api/v1/scan":
            request = json.loads(body)
            self.requests.append(request)
            self.scanned(request)
            return 202, {}, json.dumps({"id": f"scan-{len(self.requests)}"}).encode()
        number = int(path.split("/")[4].removeprefix("scan-"))
        if self.later:
            self.later -= 1
            return 302, {"Location": path, "Refresh-After": "1"}, b""
        artifact = self.requests[number - 1]["artifact"]
        found = self.by_digest.get(artifact["digest"], self.findings)
        report = {"generated_at": "2026-11-02T03:04:05Z", "artifact": artifact, "scanner": NAME, "severity": "High"}
        return 200, {"Content-Type": headers["accept"]}, json.dumps(report | {"vulnerabilities": found}).encode()


@contextmanager
def scanner() -> Iterator[Scanner]:
    """Start one on a free port, and stop it."""
    made = Scanner()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent, said = made.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(said))} | dict(sent)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = handle_one  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
