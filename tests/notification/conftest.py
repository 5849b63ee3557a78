"""A project whose events are told, and a place where they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db, transaction, utcnow
from authsvc.core.settings import Settings
from authsvc.jobs.models import Task
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.gate.conftest import Site
from tests.support.hook import Hook, hook
from tests.support.registry import PlainRegistry
from tests.support.world import World


@pytest.fixture
def hooked() -> Iterator[Hook]:
    with hook() as running:
        yield running


@pytest.fixture
def watched(make_settings: Callable[..., Settings], registry: PlainRegistry) -> Iterator[Site]:
    """A project in front of a registry; hooks on this host are allowed."""
    address = registry.url.removeprefix("http://")
    world = World(Front(make_settings(registry_address=address, outgoing_allow=("127.0.0.0/8",))))
    world.user("admin", sysadmin=True)
    yield Site(world, registry)
    world.close()


def policy(
    site: Site,
    *targets: dict[str, Any],
    events: tuple[str, ...] = ("PUSH_ARTIFACT", "DELETE_ARTIFACT"),
    name: str = "ci",
    project: str = "",
) -> str:
    """A path; of the site's project, or another one."""
    body = {"name": name, "enabled": True, "event_types": list(events), "targets": [{"type": "http"} | one for one in targets]}
    made = site.world.api("POST", f"/projects/{project or site.project}/webhook/policies", "admin", json=body)
    assert made.status_code == 201, made.text
    return str(made.headers["Location"]).removeprefix("/api/v2.0")


def work(site: Site) -> int:
    """Let a worker run all that is due; how many runs that were."""
    flask = site.world.front.flask
    runner, runs = Runner(JOBS, flask.config["TIDEGATE"], "test"), 0
    with flask.app_context():
        while runner.run_next(flask.extensions["registry"]):
            runs += 1
        db.session.rollback()
    return runs


def due(site: Site) -> None:
    """Time has passed."""
    with site.world.front.flask.app_context(), transaction():
        db.session.execute(update(Task).values(due_at=utcnow()))


def executions(site: Site, path: str) -> list[dict[str, Any]]:
    return list(site.world.api("GET", f"{path}/executions", "admin").get_json())
