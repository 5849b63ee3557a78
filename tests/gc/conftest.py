"""An installation in front of a registry whose storage can be looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc.artifacts.models import Condemned
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.settings import Settings
from authsvc.distribution import stores
from authsvc.distribution.storage import Storage
from authsvc.gc.tasks import KIND, SWEEP
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.gate.conftest import Site
from tests.support.registry import plain_registry
from tests.support.s3 import S3, s3
from tests.support.world import World

GRACE = 3600


@dataclass
class Yard(Site):
    """A project whose garbage is collected."""

    @property
    def storage(self) -> Storage:
        with self.world.front.flask.app_context():
            return stores.storage()

    def stored(self) -> set[str]:
        """The digests of all blobs that are there."""
        return {one.digest for batch in self.storage.all_blobs() for one in batch}

    def collect(self, **parameters: Any) -> dict[str, Any]:
        """Collect as an administrator would, and as a worker does it; what the history says then."""
        body = {"schedule": {"type": "Manual"}, "parameters": parameters}
        started = self.world.api("POST", "/system/gc/schedule", "admin", json=body)
        assert started.status_code == 201, started.text
        self.work()
        return self.run(str(started.headers["Location"]).removeprefix("/api/v2.0"))

    def run(self, path: str) -> dict[str, Any]:
        found = self.world.api("GET", path, "admin").get_json()
        return dict(found) | {"log": self.world.api("GET", f"{path}/log", "admin").text, "path": path}

    def sweep(self) -> None:
        """As a worker does it by itself, now and then."""
        with self.world.front.flask.app_context(), transaction():
            jobs.launch(SWEEP, MANUAL)
        self.work()

    def work(self) -> None:
        flask = self.world.front.flask
        runner = Runner({kind: JOBS[kind] for kind in (KIND, SWEEP)}, flask.config["TIDEGATE"], "test")
        with flask.app_context():
            while runner.run_next(flask.extensions["registry"]):
                pass

    def condemned(self) -> set[str]:
        with self.world.front.flask.app_context(), reading():
            return set(db.session.scalars(select(Condemned.digest)))

    def later(self) -> None:
        """The grace time is over for what is condemned."""
        with self.world.front.flask.app_context(), transaction():
            db.session.execute(update(Condemned).values(condemned_at=utcnow() - timedelta(seconds=GRACE + 1)))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@contextmanager
def yard_on(make_settings: Callable[..., Settings], tmp_path: Path, storage: dict[str, Any], **settings: Any) -> Iterator[Yard]:
    with plain_registry(tmp_path, storage=storage) as registry:
        world = World(Front(make_settings(registry_address=registry.url.removeprefix("http://"), **settings)))
        world.user("admin", sysadmin=True)
        yield Yard(world, registry)
        world.close()


@pytest.fixture
def yard(make_settings: Callable[..., Settings], tmp_path: Path, grace: int) -> Iterator[Yard]:
    """On a directory."""
    root = tmp_path / "storage"
    root.mkdir()
    driver = {"filesystem": {"rootdirectory": str(root)}}
    with yard_on(make_settings, tmp_path, driver, registry_storage=root, gc_grace_seconds=grace) as made:
        yield made


@pytest.fixture
def grace() -> int:
    """Of collections, in seconds. Tests may say another one."""
    return 0


@pytest.fixture(params=["directory", "bucket"])
def anywhere(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Yard]:
    """On a directory, and in a bucket; without a grace time."""
    if request.param == "directory":
        yield request.getfixturevalue("yard")
        return
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    store: S3 = request.getfixturevalue("s3_server")
    mine = store.parameters | {"rootdirectory": f"/{tmp_path.name}"}
    file = store.described(tmp_path, s3=mine)
    with yard_on(make_settings, tmp_path, {"s3": mine}, registry_storage_file=file, gc_grace_seconds=0) as made:
        yield made
