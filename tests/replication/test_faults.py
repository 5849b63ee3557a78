"""Other registries that break off, are away or refuse: the true reason, and a retry that goes on where it was."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any

import pytest
import requests

from authsvc.core import attended
from authsvc.core.db import db
from authsvc.core.errors import Unavailable
from authsvc.distribution import blobs
from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.distribution.reading import Reading
from authsvc.distribution.transport import Refused
from authsvc.jobs import queue
from authsvc.jobs.models import Execution
from authsvc.replication import copying
from authsvc.replication.copying import Pace
from authsvc.replication.local import Local
from tests.replication.conftest import Pair
from tests.support.between import between
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry
from tests.support.waiting import eventually

LARGE = 3 * 1024 * 1024


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs.Way, "_rest", lambda way: way.passed(0))
    monkeypatch.setattr(Reading, "_rest", lambda reading: reading.passed(0))


def large(registry: PlainRegistry, repository: str, tag: str) -> str:
    layer = (repository.encode() * LARGE)[:LARGE]
    config = registry.blob(repository, json.dumps({"author": repository}).encode(), CONFIG_TYPE)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": [registry.blob(repository, layer, LAYER_TYPE)],
    }
    return registry.put(repository, tag, manifest)


def test_a_source_that_breaks_off_is_read_on_from_there(pair: Pair) -> None:
    digest = large(pair.far, pair.repository, "v1")
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        cut = [1_000_000, 700_000]

        def rule(method: str, path: str, _number: int) -> Any:
            return cut.pop(0) if method == "GET" and "/blobs/" in path and cut else None

        proxy.rule = rule
        said = pair.run(pair.policy(pull=True))
        assert said["status"] == "Succeed", pair.log(said["id"])
        ranges = [ranged for method, path, ranged in proxy.asked if method == "GET" and "/blobs/" in path and ranged]
    assert pair.artifacts(pair.repository) == {"v1": digest}
    begun = sorted(int(ranged.removeprefix("bytes=").partition("-")[0]) for ranged in ranges)
    assert begun[0] == begun[1] == 0, "config and layer"
    assert len([offset for offset in begun if offset > 0]) >= 1, "what is there is not read again"


def test_a_target_that_breaks_off_gets_it_anew_or_goes_on(pair: Pair) -> None:
    digest = large(pair.here, pair.repository, "v1")
    pair.put(pair.repository, "v1", digest)
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        broken: list[int] = []

        def rule(method: str, path: str, number: int) -> Any:
            if method == "PATCH" and not broken:
                broken.append(number)
                return 502, {}
            return None

        proxy.rule = rule
        said = pair.run(pair.policy())
        assert said["status"] == "Succeed", pair.log(said["id"])
        assert broken
    assert pair.far_tags(pair.repository) == {"v1": digest}


def test_in_chunks_where_that_is_wanted(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from authsvc.replication import tasks

    monkeypatch.setattr(tasks, "CHUNK", 1024 * 1024)
    digest = large(pair.here, pair.repository, "v1")
    pair.put(pair.repository, "v1", digest)
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        said = pair.run(pair.policy(copy_by_chunk=True))
        assert said["status"] == "Succeed", pair.log(said["id"])
        assert len([path for method, path, _ in proxy.asked if method == "PATCH"]) == 1 + 3, "config; layer"
    assert pair.far_tags(pair.repository) == {"v1": digest}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((429, {"Retry-After": "1"}), "registry far answered 429"),
        ((503, {}), "registry far answered 503"),
        ((403, {}), "registry far refused with 403"),
    ],
)
def test_one_that_refuses_is_named_with_what_it_says(pair: Pair, answer: Any, reason: str) -> None:
    digest = pair.push(pair.here, pair.repository, "v1")
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        proxy.rule = lambda method, path, number: answer if method in ("POST", "PATCH") else None
        execution = pair.start(pair.policy())
        pair.work()
        said = pair.execution(execution)
        assert reason in pair.log(execution)
        if answer[0] == 403:
            assert (said["status"], reason in said["status_text"]) == ("Failed", True)
            return
        assert said["status"] == "InProgress", "it is tried again"
        proxy.rule = lambda method, path, number: None
        pair.hurry()
        pair.work()
    said = pair.execution(execution)
    assert said["status"] == "Succeed", pair.log(execution)
    assert pair.far_tags(pair.repository) == {"v1": digest}
    assert said["status_text"].startswith("1 of 1 artifacts equal")


def test_credentials_that_have_expired_are_said_to_be(pair: Pair) -> None:
    pair.push(pair.here, pair.repository, "v1")
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        realm = {"WWW-Authenticate": f'Bearer realm="{proxy.url}/token",service="far"'}
        proxy.rule = lambda method, path, number: (401, realm if path == "/v2/" else {})
        execution = pair.start(pair.policy())
        for _ in range(5):
            pair.hurry()
            pair.work()
    said = pair.execution(execution)
    assert (said["status"], said["status_text"]) == ("Failed", "registry far: it does not take the credentials (401)")


def test_a_plan_that_broke_off_begins_nothing_twice(pair: Pair) -> None:
    digests = {}
    for name in ("a", "b"):
        digests[name] = pair.push(pair.here, f"{pair.project}/{name}", "v1", name)
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        proxy.rule = lambda method, path, number: (503, {}) if f"{pair.project}/b/" in path else None
        execution = pair.start(pair.policy())
        pair.work()
        assert pair.far_tags(f"{pair.project}/a") == {"v1": digests["a"]}
        proxy.rule = lambda method, path, number: None
        pair.hurry()
        pair.work()
    said = pair.execution(execution)
    assert (said["status"], said["total"]) == ("Succeed", 2), pair.log(execution)
    assert said["status_text"].startswith("2 of 2 artifacts equal")


def test_it_is_stopped_in_the_middle_of_a_layer(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    large(pair.far, pair.repository, "v1")
    execution = pair.start(pair.policy(pull=True))
    monkeypatch.setattr(copying, "_PULSE", 0.0)
    passed = Pace.passed

    def stopping(pace: Pace, size: int) -> None:
        if pace.total > LARGE / 2 and not stopped:
            stopped.append(pace.total)
            assert pair.world.api("PUT", f"/replication/executions/{execution}", "admin").status_code == 200
        passed(pace, size)

    stopped: list[int] = []
    monkeypatch.setattr(Pace, "passed", stopping)
    pair.work()
    assert (pair.execution(execution)["status"], len(stopped)) == ("Stopped", 1)
    assert pair.artifacts(pair.repository) == {}


def test_no_faster_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("authsvc.replication.copying.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("authsvc.replication.copying.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    looked: list[float] = []
    pace = Pace(lambda: looked.append(clock[0]), speed=1000, _begun=0.0, _looked=0.0)
    for _ in range(5):
        pace.passed(1000)
    assert clock[0] == pytest.approx(5.0)
    assert len(looked) == 5, "and whoever wants to stop it need not wait"


def test_a_slow_copy_keeps_both_ends_awake(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of less than a second each; and for the end of an upload it waits as long as that takes."""
    monkeypatch.setattr("authsvc.replication.copying.time.sleep", lambda seconds: None)
    monkeypatch.setattr("authsvc.replication.copying.time.monotonic", itertools.count(0, 100).__next__)
    large(pair.far, pair.repository, "v1")
    pieces: list[int] = []
    waited: list[tuple[str, float]] = []
    passed, send = Pace.passed, requests.Session.request

    def noted(session: requests.Session, method: str, url: str, **how: Any) -> requests.Response:
        waited.append((f"{method} {url}", how["timeout"][1]))
        return send(session, method, url, **how)

    def passing(pace: Pace, size: int) -> None:
        pieces.append(size)
        passed(pace, size)

    monkeypatch.setattr(Pace, "passed", passing)
    monkeypatch.setattr(requests.Session, "request", noted)
    said = pair.run(pair.policy(pull=True, speed=64))
    assert said["status"] == "Succeed", pair.log(said["id"])
    assert max(pieces) <= 64 * 1024
    ends = [seconds for what, seconds in waited if what.startswith("PUT") and "/blobs/uploads/" in what]
    assert (len(ends), min(ends)) == (2, 900)


def test_whoever_waits_for_a_slow_registry_is_not_taken_for_dead(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it looks at a large layer once more, or is asked about many tags, the task is kept."""
    monkeypatch.setattr("authsvc.core.attended._PULSE", 0.01)
    monkeypatch.setattr(copying, "_PULSE", 0.0)
    large(pair.far, pair.repository, "v1")
    renewals: list[int] = []
    renew = queue.renew

    def renewed(task_id: int, *what: Any, **how: Any) -> None:
        renew(task_id, *what, **how)
        renewals.append(task_id)

    def rule(method: str, path: str, _number: int) -> None:
        if (method == "PUT" and "/uploads/" in path) or (method == "HEAD" and "/manifests/" in path):
            before = len(renewals)
            eventually(lambda: len(renewals) > before)

    monkeypatch.setattr(queue, "renew", renewed)
    with between(pair.far) as proxy:
        pair.move(proxy.url)
        proxy.rule = rule
        there = pair.policy(pull=True)
        assert pair.run(there)["status"] == "Succeed"
        pair.push(pair.here, pair.repository, "v2", "two")
        said = pair.run(pair.policy())
    assert said["status"] == "Succeed", pair.log(said["id"])


def test_of_many_questions_the_first_that_fails_ends_it() -> None:
    asked: list[int] = []
    released = threading.Event()

    def ask(number: int) -> int:
        asked.append(number)
        if number == 0:
            raise Unavailable("nobody answers")
        released.wait(60)
        return number

    with pytest.raises(Unavailable):
        attended.each(ask, range(1000), lambda: None, at_once=4)
    released.set()
    assert len(asked) < 20
    assert attended.each(str, range(5), lambda: None, at_once=3) == ["0", "1", "2", "3", "4"]


def test_a_part_that_is_collected_while_the_rest_comes_is_brought_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = large(pair.far, pair.repository, "v1")
    refused: list[str] = []
    put = Local.put

    def missing(local: Local, repository: str, reference: str, *what: Any) -> None:
        if not refused:
            refused.append(reference)
            raise Refused(404, b"blob unknown to registry")
        put(local, repository, reference, *what)

    monkeypatch.setattr(Local, "put", missing)
    said = pair.run(pair.policy(pull=True))
    assert (said["status"], refused, pair.artifacts(pair.repository)) == ("Succeed", ["v1"], {"v1": digest})


def test_a_policy_that_goes_takes_its_history_along(pair: Pair) -> None:
    pair.push(pair.here, pair.repository, "v1")
    policy = pair.policy()
    execution = pair.start(policy)
    assert pair.world.api("DELETE", f"/replication/policies/{policy}", "admin").status_code == 412
    pair.work()
    assert pair.world.api("DELETE", f"/replication/policies/{policy}", "admin").status_code == 200
    with pair.world.front.flask.app_context():
        assert db.session.get(Execution, execution) is None
