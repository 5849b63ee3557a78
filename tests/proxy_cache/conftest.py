"""A project that caches what another registry has; nginx' part and the worker's are done by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.jobs.runner import Runner
from authsvc.proxy_cache.routes import INNER
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.support.between import Between, between
from tests.support.ports import free_ports
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.world import World, basic

_NGINX = {"X-Real-IP": "192.0.2.7"}


@dataclass
class Cached:
    """`here` is our registry, `far` the other one, with `proxy` in between; `project` caches it."""

    world: World
    here: PlainRegistry
    far: PlainRegistry
    proxy: Between
    project: str = ""

    def __post_init__(self) -> None:
        body = {"name": "far", "type": "docker-registry", "url": self.proxy.url}
        assert self.world.api("POST", "/registries", "admin", json=body).status_code == 201
        self.project = self.make()

    def make(self, **metadata: str) -> str:
        """One more project that caches it."""
        name = f"p{uuid4().hex[:12]}"
        body = {"project_name": name, "registry_id": 1, "metadata": metadata}
        made = self.world.api("POST", "/projects", "admin", json=body)
        assert made.status_code == 201, made.text
        return name

    @property
    def repository(self) -> str:
        """Ours; `app` there."""
        return f"{self.project}/app"

    def gate(self, path: str, who: str = "admin", method: str = "GET") -> str:
        """What the gate says of a request: `pass`, `upstream-...`, or the status that it refuses with."""
        told = {"X-Gate-Method": method, "X-Gate-Uri": f"/v2/{path}"} | _NGINX | basic(who)
        answer = self.world.client.get("/internal/gate", headers=told)
        return "pass" if answer.status_code == 204 else answer.headers["X-Gate-Status"]

    def get(self, path: str, who: str = "admin", method: str = "GET") -> TestResponse:
        """What authsvc answers, whatever the gate says."""
        return self.world.client.open(f"/v2/{path}", method=method, headers=basic(who) | _NGINX)

    def manifest(self, reference: str, who: str = "admin", method: str = "GET") -> TestResponse:
        return self.get(f"{self.repository}/manifests/{reference}", who, method)

    def blob(self, digest: str, method: str = "GET", *, buffered: bool = True) -> TestResponse:
        """As nginx asks for what the gate has let in."""
        path = f"{INNER}/v2/{self.repository}/blobs/{digest}"
        return self.world.client.open(path, method=method, headers=_NGINX, buffered=buffered)

    def work(self) -> None:
        """What a worker does, until there is nothing more to do now."""
        settings: Settings = self.world.front.flask.config["TIDEGATE"]
        runner = Runner(JOBS, settings, "tests:0")
        with self.world.front.flask.app_context():
            while runner.run_next(self.here.client):
                pass

    def tags(self) -> dict[str, str]:
        listed = self.world.api("GET", f"/projects/{self.project}/repositories/app/artifacts?page_size=100", "admin")
        rows = listed.get_json() if listed.status_code == 200 else []
        return {tag["name"]: entry["digest"] for entry in rows for tag in entry.get("tags", [])}

    def asked(self, method: str = "", part: str = "") -> list[str]:
        """What the other registry was asked."""
        return [path for verb, path, _ in self.proxy.asked if verb.startswith(method) and part in path]

    def code(self, answer: TestResponse) -> tuple[int, str]:
        return answer.status_code, json.loads(answer.data)["errors"][0]["code"]


@contextmanager
def door(world: World, port: int) -> Iterator[None]:
    """Where the worker reads, as nginx makes it."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = INNER + environ["PATH_INFO"][environ["PATH_INFO"].index("/v2/") :]
        environ |= {"PATH_INFO": path, "RAW_URI": path, "REQUEST_URI": path, "HTTP_X_REAL_IP": "127.0.0.1"}
        return world.nginx(environ, start_response)

    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    with plain_registry(tmp_path_factory.mktemp("far")) as running:
        yield running


@pytest.fixture
def cached(make_settings: Callable[..., Settings], registry: PlainRegistry, far: PlainRegistry) -> Iterator[Cached]:
    (port,) = free_ports(1)
    address = registry.url.removeprefix("http://")
    settings = make_settings(registry_address=address, cache_address=f"127.0.0.1:{port}", outgoing_allow=("127.0.0.0/8",))
    secret = Layout(settings).proxy_secret
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("for tests")
    secret.chmod(0o600)
    world = World(Front(settings))
    world.user("admin", sysadmin=True)
    with door(world, port), between(far) as proxy:
        yield Cached(world, registry, far, proxy)
    world.close()
