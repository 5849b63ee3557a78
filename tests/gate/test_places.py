"""While what is stored under a name is taken away, nobody begins anything there; whoever dies meanwhile holds up nobody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, Lock
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from authsvc.artifacts import journal, removal, settling
from authsvc.artifacts.models import Intent
from authsvc.core import processes
from authsvc.core.db import db
from authsvc.core.errors import Unavailable
from authsvc.distribution import stores
from authsvc.distribution.storage import nothing
from authsvc.projects import service as projects
from tests.gate.conftest import Site
from tests.support.registry import digest_of


class Slow:
    """A storage that takes away when it is told to; as a bucket with much in it."""

    provider = "slow"

    def __init__(self, projects_of: Callable[[str], bool]) -> None:
        self.began, self.may_end, self.taken, self.too_late = Event(), Event(), 0, 0
        self._exists, self._one_by_one = projects_of, Lock()

    def has_manifests(self, project: str) -> bool:
        return False

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        self.began.set()
        assert self.may_end.wait(60)
        keep_going()
        with self._one_by_one:
            self.taken += 1
            self.too_late += self._exists(project)
        return True

    take_repository = take_project

    def clear_removed(self) -> None:
        pass


@pytest.fixture
def slow(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    def exists(name: str) -> bool:
        with site.world.front.flask.app_context():
            return projects.find(name, is_name=True) is not None

    storage = Slow(exists)
    monkeypatch.setattr(stores, "storage", lambda: storage)
    yield storage
    storage.may_end.set()


def deleting(site: Site, pool: ThreadPoolExecutor, slow: Slow, path: str = "") -> Callable[[], TestResponse]:
    asked = pool.submit(site.world.api, "DELETE", f"/projects/{site.project}{path}", "admin")
    assert slow.began.wait(60)
    return lambda: asked.result(60)


@pytest.mark.parametrize("path", ["", "/repositories/app"])
def test_nobody_writes_where_something_is_taken_away(
    site: Site,
    slow: Slow,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.setattr(settling, "WAIT", 0.1)
    image = site.manifest()
    if path:
        assert site.put("v1", image).status_code == 201
    with ThreadPoolExecutor(1) as pool:
        ended = deleting(site, pool, slow, path)
        pushed = site.put("v2", image)
        made = site.world.api("POST", "/projects", "admin", json={"project_name": site.project})
        slow.may_end.set()
        assert ended().status_code == 200
    assert (pushed.status_code, pushed.headers["Retry-After"]) == (503, "1")
    assert made.status_code == 409, "the project is there until nothing is left of it"
    assert (site.put("v2", image).status_code == 201) == bool(path)
    assert path or site.world.api("POST", "/projects", "admin", json={"project_name": site.project}).status_code == 201


def test_of_many_who_make_a_project_one_does_and_nothing_is_taken_from_him(site: Site, slow: Slow) -> None:
    slow.may_end.set()
    body = {"project_name": "wanted"}
    answers = site.world.crowd(*[("POST", "/projects", "admin", body)] * 8)
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 7
    assert (slow.taken, slow.too_late) == (1, 0)


def test_a_project_that_was_made_at_this_moment_keeps_what_it_has(
    site: Site, slow: Slow, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """On servers, where others go on between two statements of ours."""
    if request.config.getoption("--database") == "sqlite":
        pytest.skip("one writes at a time")
    slow.may_end.set()
    ask = partial(site.world.api, "POST", "/projects", "admin", json={"project_name": "wanted"})
    close = journal.close

    def close_later(*about: Any) -> Intent:
        monkeypatch.setattr(journal, "close", close)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result(60).status_code == 201
        return close(*about)

    monkeypatch.setattr(journal, "close", close_later)
    assert ask().status_code == 409
    assert (slow.taken, slow.too_late) == (1, 0)


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_is_pushed_to_a_repository_while_it_is_deleted_stays(
    site: Site, slow: Slow, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """The last one may still be under way."""
    slow.may_end.set()
    assert site.put("v1", site.manifest("old")).status_code == 201
    image = site.manifest("new")
    empty = removal.empty

    def empty_and_push(*about: Any) -> None:
        empty(*about)
        assert site.put("v2", image).status_code == 201
        if goes_on:
            with site.world.changes():
                journal.begin(journal.Write(site.project_id, site.repository, "PUT", "v3", "", "developer"))

    monkeypatch.setattr(removal, "empty", empty_and_push)
    assert site.world.api("DELETE", f"/projects/{site.project}/repositories/app", "admin").status_code == 200
    assert slow.taken == 0
    assert site.artifacts() == {"v2": digest_of(image)}
    assert site.world.api("GET", f"/projects/{site.project}/summary", "admin").get_json()["quota"]["used"]["storage"] > 0


def test_whoever_died_holds_up_nobody(site: Site, slow: Slow) -> None:
    """Neither a project of which something was to be taken away, nor a name that was to be had."""
    slow.may_end.set()
    with subprocess.Popen(["sleep", "60"]) as process:
        started = processes._started(process.pid)
        dead = f"{processes._space()}/{process.pid}/{started}"
        process.kill()
    for project_id, place in ((site.project_id, site.project), (0, "wanted")):
        with site.world.changes():
            intent = journal.close(project_id, place, "somebody")
            intent.owner = dead
    assert site.put("v1", site.manifest()).status_code == 201
    wanted = {"project_name": "wanted"}
    assert site.world.api("POST", "/projects", "admin", json=wanted).status_code == 201


def test_whoever_was_taken_for_dead_goes_on_no_further(site: Site, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may have begun to write by then."""
    with ThreadPoolExecutor(1) as pool:
        ended = deleting(site, pool, slow)
        with site.world.changes():
            db.session.execute(update(Intent).values(owner=f"{processes._space()}/{os.getpid()}/0"))
        assert site.put("v1", site.manifest()).status_code == 201
        slow.may_end.set()
        assert ended().status_code == 503
    assert slow.taken == 0
    assert list(site.artifacts()) == ["v1"]
    with site.world.front.flask.app_context(), pytest.raises(Unavailable):
        journal.keep(1)
