"""A push of what the registry takes for stored, and has cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from authsvc.artifacts.models import Damage, Intent
from authsvc.core.db import db, reading
from authsvc.core.settings import Settings
from authsvc.distribution.directory import ELSEWHERE
from authsvc.wsgi import Front
from tests.faults.conftest import Storage
from tests.gate.conftest import Site
from tests.support.registry import digest_of, plain_registry
from tests.support.world import World


@pytest.fixture
def site(make_settings: Callable[..., Settings], storage: Storage, tmp_path: Path) -> Iterator[Site]:
    with plain_registry(tmp_path, storage={"filesystem": {"rootdirectory": str(storage.root)}}) as registry:
        address = registry.url.removeprefix("http://")
        world = World(Front(make_settings(registry_address=address, registry_storage=storage.root)))
        world.user("admin", sysadmin=True)
        yield Site(world, registry)
        world.close()


@pytest.mark.parametrize("size", [0, 20])
def test_it_is_mended(site: Site, storage: Storage, size: int) -> None:
    data = site.manifest()
    digest = digest_of(data)
    assert site.put("v1", data).status_code == 201
    storage.cut(digest, size)
    assert site.put("v1", data).status_code == 201
    assert site.registry.client.manifest(site.repository, "v1") is not None
    assert (storage.blob(digest).read_bytes(), site.artifacts()) == (data, {"v1": digest})


def test_it_is_not_acknowledged_where_it_cannot_be_mended(site: Site, storage: Storage) -> None:
    extensions = site.world.front.flask.extensions
    gate = extensions["gate"]
    extensions["gate"] = replace(gate, writer=replace(gate.writer, storage=ELSEWHERE))
    good, bad = site.manifest("good"), site.manifest("bad")
    site.registry.put(site.repository, None, json.loads(bad))
    digest = digest_of(bad)
    storage.cut(digest)
    for _ in range(2):
        answer = site.put("v1", bad)
        assert answer.status_code == 503
    with site.world.front.flask.app_context(), reading():
        assert set(db.session.scalars(select(Damage.reference))) == {"v1", digest}
        assert db.session.scalars(select(Intent)).all() == [], "nobody waits for it"
    assert site.put("v1", good).status_code == 201, "the tag is free"
    assert site.artifacts() == {"v1": digest_of(good)}
