"""How scans ended is told to those who listen to the project."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.scanners.rules import REPORT
from tests.scanning.conftest import Scanned
from tests.support.hook import Hook, hook

EVENTS = ["SCANNING_COMPLETED", "SCANNING_FAILED", "SCANNING_STOPPED"]


def listen(scanned: Scanned, to: Hook, **target: Any) -> None:
    body = {
        "name": f"policy {target}",
        "enabled": True,
        "event_types": EVENTS,
        "targets": [{"type": "http", "address": to.url} | target],
    }
    made = scanned.world.api("POST", f"/projects/{scanned.project}/webhook/policies", "admin", json=body)
    assert made.status_code == 201, made.text


@pytest.mark.parametrize("ending", EVENTS)
def test_each_ending_is_told_once(scanned: Scanned, ending: str) -> None:
    digest = scanned.push("v1")
    with hook() as listener:
        listen(scanned, listener)
        if ending == "SCANNING_FAILED":
            scanned.scanner.rule = lambda method, path: (500, {}, b"{}") if "report" in path else None
        scanned.scan("v1")
        if ending == "SCANNING_STOPPED":
            scanned.api("POST", "v1", "/scan/stop")
        scanned.work()
        (told,) = listener.told
    event = told.json
    assert event["type"] == ending
    assert event["operator"] == ("admin" if ending == "SCANNING_STOPPED" else "tidegate:scanner")
    assert event["event_data"]["scan"] == {"scan_type": "vulnerability"}
    (resource,) = event["event_data"]["resources"]
    assert (resource["digest"], resource["tag"]) == (digest, "v1")
    overview = resource["scan_overview"][REPORT]
    status = {"SCANNING_COMPLETED": "Success", "SCANNING_FAILED": "Error", "SCANNING_STOPPED": "Stopped"}[ending]
    assert overview["scan_status"] == status
    if ending == "SCANNING_COMPLETED":
        assert (overview["severity"], overview["summary"]["total"]) == ("High", 1)


def test_people_are_told_in_a_sentence(scanned: Scanned) -> None:
    scanned.push("v1")
    with hook() as listener:
        listener.says = b"ok"
        listen(scanned, listener, type="slack")
        scanned.scan("v1")
        scanned.work()
        (told,) = listener.told
    assert "1 vulnerabilities, 1 of them fixable, the worst High" in told.body.decode()
