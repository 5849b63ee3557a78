"""Scans that nobody asked for by name: of what is pushed, and of everything."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db, utcnow
from authsvc.jobs.models import Schedule
from authsvc.wiring import JOBS
from tests.scanning.conftest import Scanned

MANUAL = {"schedule": {"type": "Manual"}}
DAILY = {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}}
NONE = {"schedule": {"type": "None"}}


def on_push(scanned: Scanned, value: str = "true") -> None:
    body = {"metadata": {"auto_scan": value}}
    assert scanned.world.api("PUT", f"/projects/{scanned.project}", "admin", json=body).status_code == 200


def schedule(scanned: Scanned, body: dict[str, Any], method: str = "POST", who: str = "admin") -> int:
    return scanned.world.api(method, "/system/scanAll/schedule", who, json=body).status_code


def metrics(scanned: Scanned, path: str = "/scans/all/metrics") -> dict[str, Any]:
    said: dict[str, Any] = scanned.world.api("GET", path, "admin").get_json()
    return said


# -- what is pushed ------------------------------------------------------------------------------------------------


def test_a_push_is_scanned_where_a_project_wants_it(scanned: Scanned) -> None:
    scanned.push("before")
    on_push(scanned)
    scanned.push("v1", "one")
    scanned.work()
    assert scanned.seen("v1")["scan_status"] == "Success"
    assert scanned.seen("before") == {}
    on_push(scanned, "false")
    scanned.push("v2", "two")
    scanned.work()
    assert scanned.seen("v2") == {}


def test_the_same_image_under_another_tag_is_not_scanned_again(scanned: Scanned) -> None:
    on_push(scanned)
    digest = scanned.push("v1")
    scanned.put("v2", digest)
    scanned.work()
    scanned.put("v3", digest)
    scanned.work()
    assert len(scanned.scanner.requests) == 1


def test_of_an_index_each_child_is_scanned_once(scanned: Scanned) -> None:
    on_push(scanned)
    children = {scanned.registry.image(scanned.repository, None, content=arch): arch for arch in ("amd64", "arm64")}
    for digest in children:
        scanned.put(digest, digest)
    scanned.put("multi", scanned.registry.index(scanned.repository, None, children))
    scanned.work()
    assert sorted(request["artifact"]["digest"] for request in scanned.scanner.requests) == sorted(children)
    assert scanned.seen("multi")["scan_status"] == "Success"


def test_what_is_attached_is_not_scanned(scanned: Scanned) -> None:
    on_push(scanned)
    digest = scanned.push("v1")
    scanned.work()
    scanned.push(f"sha256-{digest.removeprefix('sha256:')}.sig", "no signature by its layers")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": scanned.registry.blob(scanned.repository, b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [],
        "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 10},
    }
    attached = scanned.registry.put(scanned.repository, None, manifest)
    scanned.put(attached, attached)
    scanned.work()
    assert attached not in [request["artifact"]["digest"] for request in scanned.scanner.requests]


def test_a_push_is_let_in_whatever_is_with_the_scanner(scanned: Scanned) -> None:
    on_push(scanned)
    scanned.world.api("DELETE", f"/scanners/{scanned.uuid}", "admin")
    scanned.push("v1")
    scanned.work()
    assert scanned.seen("v1") == {}


# -- everything ----------------------------------------------------------------------------------------------------


def test_everything_is_scanned(scanned: Scanned) -> None:
    for tag in ("v1", "v2", "v3"):
        scanned.push(tag, tag)
    children = {scanned.registry.image(scanned.repository, None, content=arch): arch for arch in ("amd64", "arm64")}
    for digest in children:
        scanned.put(digest, digest)
    scanned.put("multi", scanned.registry.index(scanned.repository, None, children))
    assert metrics(scanned) == {"total": 0, "completed": 0, "metrics": {}, "ongoing": False}
    assert schedule(scanned, MANUAL) == 201
    assert schedule(scanned, MANUAL) == 409
    scanned.work(3)
    said = metrics(scanned)
    assert (said["total"], said["completed"], said["ongoing"], said["trigger"]) == (5, 2, True, "Manual")
    scanned.work()
    assert metrics(scanned) == {
        "total": 5,
        "completed": 5,
        "metrics": {"Success": 5},
        "ongoing": False,
        "trigger": "Manual",
    }
    assert {scanned.seen(tag)["scan_status"] for tag in ("v1", "v2", "v3", "multi")} == {"Success"}
    assert len(scanned.scanner.requests) == 5
    assert metrics(scanned, "/scans/schedule/metrics")["total"] == 0


def test_a_scan_of_everything_is_stopped(scanned: Scanned) -> None:
    for tag in ("v1", "v2"):
        scanned.push(tag, tag)
    assert scanned.world.api("POST", "/system/scanAll/stop", "admin").status_code == 400
    schedule(scanned, MANUAL)
    scanned.work(2)
    assert scanned.world.api("POST", "/system/scanAll/stop", "admin").status_code == 202
    scanned.work()
    said = metrics(scanned)
    assert (said["ongoing"], said["metrics"]) == (False, {"Success": 1, "Stopped": 1})


def test_the_schedule(scanned: Scanned) -> None:
    assert scanned.world.api("GET", "/system/scanAll/schedule", "admin").get_json() == {}
    assert schedule(scanned, DAILY) == 201
    assert schedule(scanned, DAILY) == 412
    said = scanned.world.api("GET", "/system/scanAll/schedule", "admin").get_json()
    assert (said["schedule"]["type"], said["schedule"]["cron"]) == ("Daily", "0 0 0 * * *")
    assert schedule(scanned, {"schedule": {"type": "Custom", "cron": "no"}}, "PUT") == 400
    assert schedule(scanned, MANUAL, "PUT") == 400
    scanned.push("v1")
    with scanned.world.changes():
        db.session.query(Schedule).update({"next_time": utcnow()})
        start = JOBS["SCAN_ALL"].start
        assert start is not None
        start(-1, {})
    scanned.work()
    assert metrics(scanned, "/scans/schedule/metrics")["trigger"] == "Schedule"
    assert scanned.seen("v1")["scan_status"] == "Success"
    assert schedule(scanned, NONE, "PUT") == 200
    assert scanned.world.api("GET", "/system/scanAll/schedule", "admin").get_json() == {}


def test_without_a_default_scanner_nothing_is_scheduled(scanned: Scanned) -> None:
    scanned.world.api("DELETE", f"/scanners/{scanned.uuid}", "admin")
    assert [schedule(scanned, body) for body in (MANUAL, DAILY, NONE)] == [412, 412, 201]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_only_administrators_scan_everything(scanned: Scanned, method: str) -> None:
    scanned.world.user("somebody")
    assert schedule(scanned, DAILY, method, "somebody") == 403
    assert scanned.world.api("POST", "/system/scanAll/stop", "somebody").status_code == 403
