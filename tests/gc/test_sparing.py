"""Whoever pushes while garbage is collected: what he was told is there, is there when he needs it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from threading import Event
from typing import Any

import pytest
import requests
from sqlalchemy import update

from authsvc.artifacts import condemned
from authsvc.artifacts.intake import Fetched, describe, store
from authsvc.artifacts.models import Condemned
from authsvc.core import processes
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import OCI_MANIFEST, parse
from authsvc.gate import writes
from authsvc.gc import tasks
from authsvc.gc.sweep import sweep
from tests.gate.test_blobs import blobs_of
from tests.gate.test_reads import ask
from tests.gc.conftest import Yard
from tests.support.registry import LAYER_TYPE, digest_of
from tests.support.rounds import rounds
from tests.support.world import basic

UPLOAD = "5c1e0f3e-6d1a-4f0e-9a53-2f1c3f2f0a11"


def condemn(yard: Yard, *digests: str, sweeper: str = "", seconds: float = 0) -> None:
    """Condemn blobs; whoever sweeps claimed them so many seconds ago."""
    since = utcnow() - timedelta(seconds=seconds) if sweeper else None
    with yard.world.front.flask.app_context():
        condemned.condemn([(digest, 1) for digest in digests], 0)
        with transaction():
            db.session.execute(update(Condemned).values(sweeper=sweeper, claimed_at=since))


def lost(yard: Yard) -> bytes:
    """An image's manifest whose blobs the registry has, and nothing needs."""
    data = yard.manifest("x")
    condemn(yard, *blobs_of(data))
    return data


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "blobs/{digest}"),
        ("POST", "blobs/uploads/?mount={digest}&from={repository}"),
        ("POST", "blobs/uploads/?digest={digest}"),
        ("PUT", f"blobs/uploads/{UPLOAD}?_state=signed&digest={{digest}}"),
    ],
)
def test_who_asks_in_order_to_push_spares_it(yard: Yard, method: str, path: str) -> None:
    config, layer = blobs_of(lost(yard))
    path = path.format(digest=layer, repository=yard.repository)
    assert ask(yard.world, method, f"/v2/{yard.repository}/{path}", basic("guest")).status != 0 or method == "HEAD"
    assert yard.condemned() == {config, layer} if method != "HEAD" else {config}, "who may not push spares nothing"
    assert ask(yard.world, method, f"/v2/{yard.repository}/{path}", basic("developer")).status == 0
    assert yard.condemned() == {config}


def test_who_pulls_spares_nothing(yard: Yard) -> None:
    config, layer = blobs_of(lost(yard))
    assert ask(yard.world, "GET", f"/v2/{yard.repository}/blobs/{layer}", basic("guest")).status == 0
    assert ask(yard.world, "PATCH", f"/v2/{yard.repository}/blobs/uploads/{UPLOAD}", basic("developer")).status == 0
    assert yard.condemned() == {config, layer}


def test_a_manifest_spares_what_it_needs(yard: Yard) -> None:
    data = lost(yard)
    condemn(yard, digest_of(data), f"sha256:{'0' * 64}")
    assert yard.put("v1", data).status_code == 201
    assert yard.condemned() == {f"sha256:{'0' * 64}"}
    yard.collect()
    assert {digest_of(data), *blobs_of(data)} <= yard.stored()


def test_what_comes_while_a_sweep_begins_is_whole(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a grace time, at the worst moment: the registry has the manifest once all that it needs is condemned, and it is
    recorded once all has been swept."""
    yard.collect()
    data = yard.manifest("x")
    begun, may_go_on, stored, swept = Event(), Event(), Event(), Event()
    put_manifest = RegistryClient.put_manifest

    def put_late(client: RegistryClient, *about: Any) -> Any:
        begun.set()
        assert may_go_on.wait(60)
        answer = put_manifest(client, *about)
        stored.set()
        return answer

    def describe_late(*about: Any) -> Any:
        assert swept.wait(60)
        return describe(*about)

    def sweep_meanwhile(*about: Any, **more: Any) -> Any:
        may_go_on.set()
        assert stored.wait(60)
        try:
            return sweep(*about, **more)
        finally:
            swept.set()

    monkeypatch.setattr(RegistryClient, "put_manifest", put_late)
    monkeypatch.setattr(writes, "describe", describe_late)
    monkeypatch.setattr(tasks, "sweep", sweep_meanwhile)
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(yard.put, "v1", data)
        assert begun.wait(60)
        assert yard.collect()["job_status"] == "Success"
        assert pushing.result(timeout=60).status_code == 201
    assert {digest_of(data), *blobs_of(data)} <= yard.stored()
    assert not yard.condemned()


def test_who_needs_what_is_being_swept_waits_until_it_is_gone(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condemned, "WAIT", 60)
    _, layer = blobs_of(lost(yard))
    with other_process() as somebody:
        condemn(yard, layer, sweeper=somebody)
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask, yard.world, "HEAD", f"/v2/{yard.repository}/blobs/{layer}", basic("developer"))
            with pytest.raises(TimeoutError):
                asking.result(timeout=0.3)
            with yard.world.front.flask.app_context(), transaction():
                db.session.execute(update(Condemned).values(sweeper="", claimed_at=None))
            assert asking.result(timeout=30).status == 0


def test_who_sweeps_and_does_not_get_done_holds_up_nobody_for_ever(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condemned, "WAIT", 0.2)
    data = lost(yard)
    with other_process() as somebody:
        condemn(yard, sweeper=somebody)
        headers = {"X-Gate-Method": "HEAD", "X-Gate-Uri": f"/v2/{yard.repository}/blobs/{blobs_of(data)[1]}"} | basic("developer")
        assert yard.world.client.get("/internal/gate", headers=headers).status_code == 500, "undecided, which nginx says as 503"
        assert yard.put("v1", data).status_code == 503
        with yard.world.front.flask.app_context(), pytest.raises(Unavailable):
            store(yard.repository, Fetched(parse(data, OCI_MANIFEST), {}), None, utcnow())
    assert yard.put("v1", data).status_code == 201, "who swept it is dead"
    assert not yard.condemned()


def test_who_sweeps_on_another_machine_has_his_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condemned, "WAIT", 0.2)
    data = lost(yard)
    condemn(yard, sweeper="elsewhere/pid:[1]/7/9", seconds=condemned.CLAIM - 30)
    assert yard.put("v1", data).status_code == 503
    condemn(yard, sweeper="elsewhere/pid:[1]/7/9", seconds=condemned.CLAIM + 1)
    assert yard.put("v1", data).status_code == 201
    assert not yard.condemned()


def test_a_collection_takes_over_what_a_dead_one_has_left(yard: Yard) -> None:
    data = lost(yard)
    with other_process() as somebody:
        condemn(yard, sweeper=somebody)
    assert yard.collect()["job_status"] == "Success"
    assert not {*blobs_of(data)} & yard.stored()
    assert not yard.condemned()


PUSHES = rounds(200, 10_000)
PUSHERS, LAYERS = 8, 40


@pytest.mark.slow
@pytest.mark.parametrize("grace", [1])
def test_no_push_is_refused_and_nothing_needed_is_lost(yard: Yard, grace: int) -> None:
    """Several push the same layers, and delete what they pushed, while collections follow each other."""
    done, tags = Event(), dict[str, bytes]()
    numbers = iter(count())

    def push(pusher: int) -> list[int]:
        chance, refused = random.Random(pusher), []
        while (number := next(numbers)) < PUSHES:
            begun = time.monotonic()
            data = _push(yard, f"layer {chance.randrange(LAYERS)}".encode(), f"{pusher}-{number}")
            time.sleep(chance.random() * grace * 0.8)  # with other layers, as clients do
            status = yard.put(f"t{pusher}", data).status_code
            if status != 201 and time.monotonic() - begun < grace:
                refused.append(status)
            if status == 201:
                tags[f"t{pusher}"] = data
                if chance.random() < 0.8:
                    assert yard.delete(digest_of(data)).status_code == 202
                    del tags[f"t{pusher}"]
        return refused

    def collect() -> int:
        while not done.is_set():
            yard.collect()
        return sum(json.loads(run["job_parameters"]).get("purged_blobs", 0) for run in _history(yard))

    with ThreadPoolExecutor(PUSHERS + 1) as pool:
        collecting = pool.submit(collect)
        pushing = [pool.submit(push, pusher) for pusher in range(PUSHERS)]
        refused = [status for one in pushing for status in one.result()]
        done.set()
        assert collecting.result() > 0
    assert refused == []
    for tag, data in tags.items():
        assert yard.registry.client.digest_of(yard.repository, tag) == digest_of(data)
        assert {digest_of(data), *blobs_of(data)} <= yard.stored()


def _history(yard: Yard) -> list[dict[str, str]]:
    return list(yard.world.api("GET", "/system/gc?page_size=100", "admin").get_json())


def _push(yard: Yard, layer: bytes, author: str) -> bytes:
    """As clients do: ask for each blob, and upload what is not there; the manifest."""
    config = json.dumps({"architecture": "arm64", "os": "linux", "author": layer.decode()}).encode()
    parts = []
    for data, media_type in ((config, "application/vnd.oci.image.config.v1+json"), (layer, LAYER_TYPE)):
        there = f"/v2/{yard.repository}/blobs/{digest_of(data)}"
        assert ask(yard.world, "HEAD", there, basic("developer")).status == 0
        if requests.head(f"{yard.registry.url}{there}", timeout=30).status_code == 404:
            end = f"/v2/{yard.repository}/blobs/uploads/{UPLOAD}?digest={digest_of(data)}"
            assert ask(yard.world, "PUT", end, basic("developer")).status == 0
            yard.registry.blob(yard.repository, data, media_type)
        parts.append({"mediaType": media_type, "digest": digest_of(data), "size": len(data)})
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0], "layers": parts[1:]}
    return json.dumps(manifest | {"annotations": {"author": author}}).encode()


@contextmanager
def other_process() -> Iterator[str]:
    """The name of a process that is there meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield f"{processes.own_name().rsplit('/', 2)[0]}/{process.pid}/{processes._started(process.pid)}"
    finally:
        process.communicate(b"\n")
