"""Two nodes behind a balancer, on one PostgreSQL and one store: a node is the database's URL and the master key, and may die."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import make_url

from authsvc.stack.tree import send
from tests.live.test_tree import kill, members, session
from tests.support.balancer import Balancer, balancer
from tests.support.databases import PostgresDatabases, postgres_server
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.rawclient import RawClient, Refused
from tests.support.rounds import THOROUGH, rounds
from tests.support.stack import Stack
from tests.support.waiting import eventually

PUSHES, PUSHERS = rounds(80, 200), 8
FAKETIME = [str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
_TRIES = 60  # of one push: a client tries again what was cut off

pytestmark = pytest.mark.timeout(400)


@dataclass
class Nodes:
    """Both, and what stands before them."""

    front: Balancer
    settings: dict[str, str]
    first: Stack
    second: Stack
    database: FaultProxy
    """Between the second and the database."""

    def start(self, node: Stack) -> None:
        """Start a node; clients come to it when it is there."""
        node.start(**self.settings_of(node))
        self.front.nodes = [*self.front.nodes, node.ports["https"]]

    def settings_of(self, node: Stack) -> dict[str, str]:
        if node is self.first:
            return self.settings
        url = make_url(self.settings["DATABASE_URL"]).set(port=self.database.port)
        return self.settings | {"DATABASE_URL": url.render_as_string(hide_password=False)}

    def kill(self, node: Stack) -> None:
        """As a machine dies: all of it, without a word. nginx goes first: nobody is there to answer for what is gone, and nobody to
        start it again, or to die together with what is gone, before it."""
        assert node.process is not None
        supervisor = session(node)
        for pid in (node.process.pid, supervisor):
            send(pid, signal.SIGSTOP)
        node.kill("nginx")
        kill(node.process.pid, supervisor)
        for pid in members(supervisor):
            send(pid, signal.SIGKILL)  # some have ended with their parents
        node.process.wait()
        if node.process.stdout is not None:
            node.process.stdout.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    key = tmp_path / "master-key"
    key.write_text("what both nodes know, and nobody else does\n")
    key.chmod(0o600)
    with postgres_server() as port, balancer() as front, fault_proxy(port) as between:
        databases = PostgresDatabases(port, tmp_path)
        settings = {
            "DATABASE_URL": databases.bare(),
            "MASTER_KEY_FILE": str(key),
            "REGISTRY_STORAGE": str(tmp_path / "store"),
        }
        first, second = (Stack(tmp_path / name, front=front.port) for name in ("first", "second"))
        try:
            yield Nodes(front, settings, first, second, between)
        finally:
            second.stop()
            first.stop()
            databases.close()


@dataclass
class Pushes:
    """Many at once, through the balancer. `done`: tag -> digest, of what was acknowledged; `failures`: statuses in between, and
    `cut_off`: how many had no answer."""

    nodes: Nodes
    done: dict[str, str] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    cut_off: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def push(self, number: int) -> None:
        tag = f"v{number}"
        for _ in range(_TRIES):
            client = RawClient(self.nodes.first, self.nodes.first.admin)
            try:
                self.done[tag] = client.push(f"library/app{number % PUSHERS}", tag, content=str(number))
            except requests.RequestException:
                self.cut_off += 1  # the node that carried it has died, maybe after it was stored
                continue
            except Refused as refused:
                self.failures.append(refused.status)
                continue
            finally:
                client.session.close()
            if len(self.done) >= PUSHES // 3:
                self.enough.set()
            return


def test_a_node_joins_is_killed_comes_back_and_is_cut_off(nodes: Nodes) -> None:
    first, second = nodes.first, nodes.second
    nodes.start(first)
    nodes.start(second)
    second.admin = first.admin
    _each_takes_what_the_other_gives(first, second)
    pushes = Pushes(nodes)
    with ThreadPoolExecutor(PUSHERS) as crowd:
        running = [crowd.submit(pushes.push, number) for number in range(PUSHES)]
        assert pushes.enough.wait(120)
        nodes.kill(second)
        for one in running:
            one.result()
    assert len(pushes.done) == PUSHES
    assert not pushes.failures, "whom the balancer sends elsewhere is served"
    _nothing_is_lost(first, pushes)
    second.start(**nodes.settings_of(second))
    _nothing_is_lost(second, pushes)
    assert second.is_well()
    nodes.database.set("swallow")
    with ThreadPoolExecutor(PUSHERS) as crowd:
        for one in [crowd.submit(pushes.push, PUSHES + number) for number in range(4 * PUSHERS)]:
            one.result()
    assert set(pushes.failures) <= {503}, "whoever comes to a node that does not reach the database is told to try again"
    nodes.database.set("cut")
    nodes.database.set("pass")
    eventually(second.is_well)
    _nothing_is_lost(second, pushes)


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
@pytest.mark.skipif(not THOROUGH, reason="THOROUGH=1 tries it")
def test_a_clock_that_is_wrong_is_said_and_does_no_harm(nodes: Nodes) -> None:
    """By 40 s, on one of two nodes."""
    first, second = nodes.first, nodes.second
    nodes.start(first)
    second.environment = {"LD_PRELOAD": FAKETIME[0], "FAKETIME": "+40s"}
    nodes.start(second)
    second.admin = first.admin
    _each_takes_what_the_other_gives(first, second)
    pushes = Pushes(nodes)
    with ThreadPoolExecutor(PUSHERS) as crowd:
        for one in [crowd.submit(pushes.push, number) for number in range(4 * PUSHERS)]:
            one.result()
    assert not pushes.failures
    _nothing_is_lost(first, pushes)

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(first.cli("nodes", "-o", "json").stdout)
        return found

    eventually(lambda: len(listed()) == 2)
    assert sorted(round(one["clock_ahead_seconds"]) for one in listed()) == [0, 40]
    done = first.cli("doctor", "nodes", check=False)
    assert done.returncode == 1
    assert "by 40 s" in done.stdout
    second.stop()
    eventually(lambda: len(listed()) == 1)


def _each_takes_what_the_other_gives(first: Stack, second: Stack) -> None:
    """Asked without the balancer."""
    for given_by, taken_by in ((first, second), (second, first)):
        scope = {"service": "harbor-registry", "scope": "repository:library/hello:pull,push"}
        answer = requests.get(
            f"{given_by.own_url}/service/token", params=scope, auth=first.admin, verify=str(first.ca), timeout=30
        )
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        upload = requests.post(
            f"{taken_by.own_url}/v2/library/hello/blobs/uploads/", headers=headers, verify=str(first.ca), timeout=30
        )
        assert upload.status_code == 202, upload.text
        on = f"{given_by.own_url}{upload.headers['Location']}"
        assert requests.patch(on, headers=headers, data=b"x", verify=str(first.ca), timeout=30).status_code == 202, (
            "begun elsewhere"
        )


def _nothing_is_lost(node: Stack, pushes: Pushes) -> None:
    """What was acknowledged is in the index, told once for each time that it was pushed, and can be pulled."""
    client = RawClient(node, node.admin)

    def indexed() -> dict[str, str]:
        found: dict[str, str] = {}
        for number in range(PUSHERS):
            answer = node.api("GET", f"/projects/library/repositories/app{number}/artifacts?page_size=100&with_tag=true")
            for artifact in answer.json():
                found |= {tag["name"]: artifact["digest"] for tag in artifact["tags"] or ()}
        return found

    eventually(lambda: indexed() == pushes.done)
    for tag, digest in pushes.done.items():
        assert client.manifest(f"library/app{int(tag[1:]) % PUSHERS}", tag).headers["Docker-Content-Digest"] == digest
    created = node.api("GET", "/audit-logs?q=operation=create,resource_type=artifact,resource=~library/app&page_size=1")
    assert len(pushes.done) <= int(created.headers["X-Total-Count"]) <= len(pushes.done) + pushes.cut_off + len(pushes.failures)
