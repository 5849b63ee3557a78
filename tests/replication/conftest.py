"""Our registry and another one, with the worker's part done by hand: each test says when jobs run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from authsvc.core.db import db, utcnow
from authsvc.core.settings import Settings
from authsvc.distribution.manifest import parse
from authsvc.jobs.models import PENDING, Task
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.world import World


@dataclass
class Pair:
    """`here` is ours, with the application in front; `far` is any other, known to it as registry 1."""

    world: World
    here: PlainRegistry
    far: PlainRegistry
    project: str = field(default_factory=lambda: f"p{uuid4().hex[:12]}")
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.project_id = self.world.project(self.project, 1)
        self.repository = f"{self.project}/app"
        body = {"name": "far", "type": "docker-registry", "url": self.far.url}
        made = self.world.api("POST", "/registries", "admin", json=body)
        assert made.status_code == 201, made.text

    @property
    def settings(self) -> Settings:
        settings: Settings = self.world.front.flask.config["TIDEGATE"]
        return settings

    def push(self, registry: PlainRegistry, repository: str, tag: str, content: str = "x") -> str:
        """An image; into ours by the gate, so that it is recorded."""
        digest = registry.image(repository, None, content=content)
        if registry is not self.here:
            return registry.image(repository, tag, content=content)
        return self.put(repository, tag, digest)

    def put(self, repository: str, tag: str, digest: str) -> str:
        """Put what our registry has by its digest, as clients do."""
        stored = self.here.client.manifest(repository, digest)
        assert stored is not None
        kind = parse(stored.data, stored.media_type).media_type
        from tests.support.world import basic

        path = f"/v2/{repository}/manifests/{tag}"
        answer = self.world.client.put(path, data=stored.data, headers={"Content-Type": kind} | basic("admin"))
        assert answer.status_code == 201, answer.text
        return digest

    def policy(self, *, pull: bool = False, **changes: Any) -> int:
        """A policy of everything in the project, or from the other registry; its id."""
        end = {"src_registry" if pull else "dest_registry": {"id": 1}}
        filters = [{"type": "name", "value": f"{self.project}/**"}]
        body = {"name": f"policy {next(self.numbers)}", "enabled": True, "filters": filters, "override": True} | end | changes
        made = self.world.api("POST", "/replication/policies", "admin", json=body)
        assert made.status_code == 201, made.text
        return int(made.headers["Location"].rpartition("/")[2])

    def move(self, url: str) -> None:
        """Let registry 1 be at another address."""
        assert self.world.api("PUT", "/registries/1", "admin", json={"url": url}).status_code == 200

    def start(self, policy: int) -> int:
        made = self.world.api("POST", "/replication/executions", "admin", json={"policy_id": policy})
        assert made.status_code == 201, made.text
        return int(made.headers["Location"].rpartition("/")[2])

    def work(self) -> None:
        """What a worker does, until there is nothing more to do now."""
        runner = Runner(JOBS, self.settings, "tests:0")
        with self.world.front.flask.app_context():
            while runner.run_next(self.here.client):
                pass

    def hurry(self) -> None:
        """What waits for its next attempt waits no longer."""
        with self.world.changes():
            db.session.execute(update(Task).where(Task.status == PENDING).values(due_at=utcnow()))

    def execution(self, execution: int) -> dict[str, Any]:
        said: dict[str, Any] = self.world.api("GET", f"/replication/executions/{execution}", "admin").get_json()
        return said

    def run(self, policy: int) -> dict[str, Any]:
        """Start a policy and see it through."""
        execution = self.start(policy)
        self.work()
        return self.execution(execution)

    def tasks(self, execution: int) -> list[dict[str, Any]]:
        return list(self.world.api("GET", f"/replication/executions/{execution}/tasks?page_size=0", "admin").get_json())

    def log(self, execution: int) -> str:
        """What the tasks of an execution say."""
        paths = [f"/replication/executions/{execution}/tasks/{task['id']}/log" for task in self.tasks(execution)]
        return "".join(self.world.api("GET", path, "admin").text for path in paths)

    def artifacts(self, repository: str) -> dict[str, str]:
        """The index's tags of a repository of ours: name -> digest."""
        project, _, name = repository.partition("/")
        path = f"/projects/{project}/repositories/{name.replace('/', '%252F')}/artifacts?page_size=100"
        listed = self.world.api("GET", path, "admin")
        rows = listed.get_json() if listed.status_code == 200 else []
        return {tag["name"]: entry["digest"] for entry in rows for tag in entry.get("tags", [])}

    def far_tags(self, repository: str) -> dict[str, str | None]:
        return {tag: self.far.client.digest_of(repository, tag) for tag in self.far.client.tags(repository) or []}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    with plain_registry(tmp_path_factory.mktemp("far")) as running:
        yield running


@pytest.fixture
def pair(make_settings: Callable[..., Settings], registry: PlainRegistry, far: PlainRegistry) -> Iterator[Pair]:
    address = registry.url.removeprefix("http://")
    world = World(Front(make_settings(registry_address=address, outgoing_allow=("127.0.0.0/8",))))
    world.user("admin", sysadmin=True)
    yield Pair(world, registry, far)
    world.close()
