"""Our registry, a scanner that finds what it is told to find, and the worker's part done by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from authsvc.core.db import db, utcnow
from authsvc.core.settings import Settings
from authsvc.distribution.manifest import parse
from authsvc.jobs.models import PENDING, Task
from authsvc.jobs.runner import Runner
from authsvc.scanners.rules import REPORT
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.support.registry import PlainRegistry
from tests.support.scanner import Scanner, scanner
from tests.support.world import World, basic


@dataclass
class Scanned:
    """`scanner` is registered, by `uuid`; `project` is private and admin's."""

    world: World
    registry: PlainRegistry
    scanner: Scanner
    project: str = field(default_factory=lambda: f"p{uuid4().hex[:12]}")
    uuid: str = ""

    def __post_init__(self) -> None:
        self.project_id = self.world.project(self.project, 1)
        self.repository = f"{self.project}/app"
        self.uuid = self.register("probe", self.scanner.url)

    def register(self, name: str, url: str, **changes: Any) -> str:
        made = self.world.api("POST", "/scanners", "admin", json={"name": name, "url": url} | changes)
        assert made.status_code == 201, made.text
        return made.headers["Location"].rpartition("/")[2]

    def push(self, tag: str, content: str = "x", who: str = "admin") -> str:
        """An image, by the gate, so that it is recorded."""
        return self.put(tag, self.registry.image(self.repository, None, content=content), who)

    def put(self, tag: str, digest: str, who: str = "admin") -> str:
        """Put what our registry has by its digest, as clients do."""
        stored = self.registry.client.manifest(self.repository, digest)
        assert stored is not None
        headers = {"Content-Type": parse(stored.data, stored.media_type).media_type} | basic(who)
        answer = self.world.client.put(f"/v2/{self.repository}/manifests/{tag}", data=stored.data, headers=headers)
        assert answer.status_code == 201, answer.text
        return digest

    def api(self, method: str, reference: str, rest: str = "", who: str = "admin", **options: Any) -> TestResponse:
        """Ask about an artifact."""
        path = f"/projects/{self.project}/repositories/app/artifacts/{reference}{rest}"
        return self.world.api(method, path, who, **options)

    def scan(self, reference: str, who: str = "admin") -> int:
        return self.api("POST", reference, "/scan", who).status_code

    def seen(self, reference: str, report: str = REPORT) -> dict[str, Any]:
        """The overview of an artifact; empty if it has none."""
        said = self.api("GET", reference, "?with_scan_overview=true").get_json()
        found: dict[str, Any] = said.get("scan_overview", {}).get(report, {})
        return found

    def found(self, reference: str) -> list[dict[str, Any]]:
        """What the report names."""
        said = self.api("GET", reference, "/additions/vulnerabilities").get_json()
        rows: list[dict[str, Any]] = said[REPORT]["vulnerabilities"]
        return rows

    def work(self, many: int = 1000) -> None:
        """What a worker does, until there is nothing more to do now."""
        settings: Settings = self.world.front.flask.config["TIDEGATE"]
        runner = Runner(JOBS, settings, "tests:0")
        with self.world.front.flask.app_context():
            while many and runner.run_next(self.registry.client):
                many -= 1

    def hurry(self) -> None:
        """What waits for its next attempt waits no longer."""
        with self.world.changes():
            db.session.execute(update(Task).where(Task.status == PENDING).values(due_at=utcnow()))


@pytest.fixture
def probe() -> Iterator[Scanner]:
    with scanner() as running:
        yield running


@pytest.fixture
def scanned(make_settings: Callable[..., Settings], registry: PlainRegistry, probe: Scanner) -> Iterator[Scanned]:
    address = registry.url.removeprefix("http://")
    world = World(Front(make_settings(registry_address=address, outgoing_allow=("127.0.0.0/8",))))
    world.user("admin", sysadmin=True)
    yield Scanned(world, registry, probe)
    world.close()
