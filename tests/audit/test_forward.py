"""Forwarding to a real syslog collector: framing, TLS, and nothing lost whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from authsvc.audit import forward
from authsvc.audit import service as audit
from authsvc.audit.forward import Forwarder
from authsvc.audit.models import AuditLog, AuditOutbox
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs import leases
from authsvc.jobs.models import Lease
from authsvc.wsgi import Front
from tests.support.certificates import make_authority
from tests.support.collector import Collector, collector
from tests.support.ports import free_ports
from tests.support.world import World

ALLOWED = {"outgoing_allow": ("127.0.0.0/8",)}


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(**ALLOWED)))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture
def forwarder(world: World) -> Iterator[Forwarder]:
    made = Forwarder(world.front.flask.config["TIDEGATE"])
    yield made
    made.close()


def configure(world: World, **items: Any) -> Any:
    return world.api("PUT", "/configurations", "admin", json=items)


def note(world: World, *names: str) -> None:
    with world.changes():
        for name in names:
            audit.record("alice", "create", "project", name, description="ünï\ncode", succeeded=name != "refused")


def send(world: World, forwarder: Forwarder) -> bool:
    with world.front.flask.app_context():
        sent = forwarder.run()
        db.session.remove()
        return sent


def count(world: World, model: Any) -> int:
    with world.changes():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_nothing_is_kept_to_be_sent_while_nobody_wants_it(world: World, forwarder: Forwarder) -> None:
    note(world, "a")
    assert count(world, AuditOutbox) == 0
    assert not send(world, forwarder)


def test_messages_are_framed_as_the_standards_say(world: World, forwarder: Forwarder) -> None:
    with collector() as here:
        assert configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}").status_code == 200
        note(world, "a", "refused")
        assert send(world, forwarder)
        here.wait_for(3)
        configured, created, refused = here.messages
        assert (configured["operation"], configured["resource_type"]) == ("update", "configuration")
        priority, moment, host, app, process, kind = created["header"]
        assert (priority, host, app, process, kind) == ("109", "localhost:8443", "tidegate", "-", "create_project")
        assert moment.endswith("Z")
        assert (created["resource"], created["username"], created["description"]) == ("a", "alice", "ünï\ncode")
        assert (refused["header"][0], refused["succeeded"]) == ("108", False)
        assert not send(world, forwarder), "once"


def test_over_tls_by_an_authority_that_is_named(world: World, forwarder: Forwarder, tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "localhost")
    with collector(authority=authority) as here:
        endpoint = f"tls://localhost:{here.port}"
        unknown = configure(world, audit_log_forward_endpoint=endpoint)
        assert unknown.status_code == 400
        assert "could not connect to the audit endpoint: SSLCertVerificationError" in unknown.text
        items = {"audit_log_forward_endpoint": endpoint, "audit_log_forward_ca": authority.ca.read_text()}
        assert configure(world, **items).status_code == 200
        assert configure(world, audit_log_forward_endpoint=endpoint.replace("localhost", "127.0.0.1")).status_code == 400
        note(world, "a")
        assert send(world, forwarder)
        here.wait_for(2)
        assert here.messages[-1]["resource"] == "a"


@pytest.mark.parametrize(
    "endpoint",
    ["nonsense", "host:99999", "udp://a:1", "a@b:1", "tcp://a:1/x", "127.0.0.1:0", ":5", 7, "a b:1", "tls://", "[::1"],
)
def test_what_is_no_endpoint(world: World, endpoint: Any) -> None:
    assert configure(world, audit_log_forward_endpoint=endpoint).status_code == 400


def test_somebody_must_be_there_when_it_is_set(world: World) -> None:
    response = configure(world, audit_log_forward_endpoint=f"127.0.0.1:{free_ports(1)[0]}")
    assert response.status_code == 400
    assert "could not connect to the audit endpoint" in response.text
    assert world.api("GET", "/configurations", "admin").get_json()["audit_log_forward_endpoint"]["value"] == ""


def test_it_may_not_be_an_address_that_only_we_reach(make_settings: Callable[..., Settings]) -> None:
    guarded = World(Front(make_settings()))
    guarded.user("admin", sysadmin=True)
    with collector() as here:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            assert configure(guarded, audit_log_forward_endpoint=f"{host}:{here.port}").status_code == 400, host
        assert here._connections == []
    guarded.close()


def test_an_outage_loses_nothing(world: World, forwarder: Forwarder) -> None:
    with collector() as here:
        configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}")
        note(world, "before")
        send(world, forwarder)
        here.wait_for(2)
    note(world, "during-1", "during-2")
    assert not send(world, forwarder)
    assert count(world, AuditOutbox) == 2
    assert not send(world, forwarder), "it does not try again at once"
    forwarder._not_before = 0.0
    with collector(here.port) as again:
        assert send(world, forwarder)
        again.wait_for(2)
        assert [message["resource"] for message in again.messages] == ["during-1", "during-2"]
    assert count(world, AuditOutbox) == 0


def test_a_collector_that_hangs_up_did_not_take_it(world: World, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as here:
        configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}")

        def read_nothing(self: Collector, connection: Any) -> None:
            connection.recv(1)

        monkeypatch.setattr(Collector, "_read", read_nothing)
        note(world, "a")
        waiting = count(world, AuditOutbox)
        assert not send(world, forwarder)
        assert count(world, AuditOutbox) == waiting
        monkeypatch.undo()
        forwarder._not_before = 0.0
        assert send(world, forwarder)
        here.wait_for(waiting)


def test_without_a_copy_in_the_database_nothing_is_lost_when_forwarding_ends(world: World, forwarder: Forwarder) -> None:
    assert configure(world, skip_audit_log_database=True).status_code == 400
    with collector() as here:
        configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}", skip_audit_log_database=True)
        stored = count(world, AuditLog)
        note(world, "only-there")
        assert count(world, AuditLog) == stored
        send(world, forwarder)
        here.wait_for(2)
        note(world, "left-over")
        configure(world, audit_log_forward_endpoint="", skip_audit_log_database=False)
    assert send(world, forwarder)
    assert count(world, AuditOutbox) == 0
    logged = world.api("GET", "/auditlog-exts?q=resource=left-over", "admin").get_json()
    assert [entry["username"] for entry in logged] == ["alice"]


def test_one_process_sends_at_a_time(world: World, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as here:
        configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}")
        with world.changes():
            leases.take(forward.LEASE, 60, "another process")
        assert not send(world, forwarder)
        assert here.messages == []


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(world: World) -> None:
    """Real worker processes, killed again and again while entries are written."""
    settings: Settings = world.front.flask.config["TIDEGATE"]
    environ = os.environ | {
        "TIDEGATE_STATE_DIR": str(settings.state_dir),
        "TIDEGATE_DATABASE_URL": settings.database_url,
        "TIDEGATE_OUTGOING_ALLOW": "127.0.0.0/8",
        "TIDEGATE_REGISTRY_ADDRESS": f"127.0.0.1:{free_ports(1)[0]}",
    }
    with collector() as here:
        configure(world, audit_log_forward_endpoint=f"127.0.0.1:{here.port}")
        written = 1
        for _ in range(4):
            process = subprocess.Popen([sys.executable, "-m", "authsvc.cli", "worker"], env=environ, stdout=subprocess.DEVNULL)
            target = len(here.messages) + 20
            while len(here.messages) < target:
                assert process.poll() is None
                note(world, *(f"p{number}" for number in range(written, written + 10)))
                written += 10
                time.sleep(0.02)  # between entries, so that they come one by one
            process.send_signal(signal.SIGKILL)
            process.wait()
            with world.changes():  # the dead one's lease would last a minute
                leases.give_back(forward.LEASE, db.session.get_one(Lease, forward.LEASE).owner)
        with closing(Forwarder(settings)) as last:
            while send(world, last):
                pass
        here.wait_for(written)
        resources = {message["resource"] for message in here.messages}
        assert {f"p{number}" for number in range(1, written)} <= resources
        assert len(here.messages) <= written + 4 * 500, "doubles come from the batches that were under way, no more"
