"""Scans of artifacts, from the first click to what is shown of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from harborapi import models
from harborapi.models.scanner import HarborVulnerabilityReport
from sqlalchemy import update

from authsvc.core.db import db, utcnow
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, Task
from authsvc.rbac.roles import Role
from authsvc.scanners.rules import NATIVE_REPORT, REPORT
from authsvc.scanning import tasks
from authsvc.scanning.models import Vulnerability
from tests.scanning.conftest import Scanned
from tests.support.scanner import METADATA, NAME, finding


def test_a_scan_from_its_begin_to_its_end(scanned: Scanned) -> None:
    digest = scanned.push("v1")
    assert scanned.seen("v1") == {}
    assert scanned.api("GET", "v1", "/additions/vulnerabilities").get_json() == {}
    scanned.scanner.findings = [finding(1, "Low"), finding(2, "Critical", fix_version=""), finding(3, "Critical")]
    assert scanned.scan("v1") == 202
    assert scanned.seen("v1")["scan_status"] == "Pending"
    scanned.work()
    seen = scanned.seen("v1")
    assert (seen["scan_status"], seen["severity"], seen["complete_percent"]) == ("Success", "Critical", 100)
    assert seen["summary"] == {"total": 3, "fixable": 2, "summary": {"Low": 1, "Critical": 2}}
    assert seen["scanner"] == NAME
    report = scanned.api("GET", "v1", "/additions/vulnerabilities").get_json()[REPORT]
    assert (report["severity"], report["scanner"]) == ("Critical", NAME)
    assert report["generated_at"] == "2026-11-02T03:04:05.000Z"
    assert [row["id"] for row in report["vulnerabilities"]] == ["CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0001"]
    assert report["vulnerabilities"][1] == {
        **{name: value for name, value in finding(3, "Critical").items() if name != "preferred_cvss"},
        "artifact_digests": [digest],
        "preferred_cvss": {"score_v3": 7.5, "score_v2": None, "vector_v3": "CVSS:3.1/AV:N", "vector_v2": ""},
    }
    understood = HarborVulnerabilityReport(**report), models.NativeReportSummary(**seen)  # as a client of Harbor's does
    assert [vulnerability.severity.value for vulnerability in understood[0].vulnerabilities] == ["Critical", "Critical", "Low"]
    assert understood[1].summary is not None
    assert understood[1].summary.summary == {"Low": 1, "Critical": 2}
    log = scanned.api("GET", "v1", f"/scan/{seen['report_id']}/log")
    assert log.status_code == 200
    assert "3 vulnerabilities" in log.text
    links = scanned.api("GET", "v1").get_json()["addition_links"]
    assert links["vulnerabilities"]["href"].endswith(f"/artifacts/{digest}/additions/vulnerabilities")


def test_what_the_scanner_is_told(scanned: Scanned) -> None:
    digest = scanned.push("v1")
    scanned.scan("v1")
    scanned.work()
    (request,) = scanned.scanner.requests
    artifact = request["artifact"]
    assert request["registry"]["url"] == "https://localhost:8443"
    assert request["registry"]["authorization"].startswith("Basic ")
    assert (artifact["repository"], artifact["digest"]) == (scanned.repository, digest)
    assert artifact["mime_type"] == "application/vnd.oci.image.manifest.v1+json"
    assert request["enabled_capabilities"] == [{"type": "vulnerability", "produces_mime_types": [REPORT]}]


def test_the_header_says_which_report_is_wanted(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scan("v1")
    scanned.work()
    for header, there in ((NATIVE_REPORT, [NATIVE_REPORT]), (f"{NATIVE_REPORT}, {REPORT}", [REPORT]), ("text/html", [])):
        told = {"X-Accept-Vulnerabilities": header}
        seen = scanned.api("GET", "v1", "?with_scan_overview=true", headers=told).get_json()
        assert list(seen.get("scan_overview", {})) == there
        assert list(scanned.api("GET", "v1", "/additions/vulnerabilities", headers=told).get_json()) == there


def test_one_scan_of_an_artifact_at_a_time(scanned: Scanned) -> None:
    scanned.push("v1")
    path = f"/projects/{scanned.project}/repositories/app/artifacts/v1/scan"
    answers = scanned.world.crowd(*[("POST", path, "admin", {"scan_type": "vulnerability"})] * 6)
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 5]
    scanned.work()
    assert len(scanned.scanner.requests) == 1
    assert scanned.scan("v1") == 202


def test_a_scan_anew_finds_what_there_is_then(scanned: Scanned) -> None:
    """And what has not changed is the same row."""
    scanned.push("v1")
    scanned.scanner.findings = [finding(1), finding(2), finding(3, "Low")]
    scanned.scan("v1")
    scanned.work()
    first = scanned.seen("v1")
    scanned.scanner.findings = [finding(2, "Critical", fix_version=""), finding(3, "Low"), finding(4)]
    scanned.scan("v1")
    scanned.work()
    assert {row["id"]: row["severity"] for row in scanned.found("v1")} == {
        "CVE-2026-0002": "Critical",
        "CVE-2026-0003": "Low",
        "CVE-2026-0004": "High",
    }
    seen = scanned.seen("v1")
    assert seen["summary"] == {"total": 3, "fixable": 2, "summary": {"Critical": 1, "Low": 1, "High": 1}}
    assert seen["report_id"] != first["report_id"]


def test_the_last_verdict_stays_until_there_is_another(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scan("v1")
    scanned.work()
    scanned.scanner.rule = lambda method, path: (500, {}, b'{"error":{"message":"no space left"}}') if "report" in path else None
    scanned.scan("v1")
    assert (scanned.seen("v1")["scan_status"], scanned.seen("v1")["severity"]) == ("Pending", "High")
    scanned.work()
    seen = scanned.seen("v1")
    assert (seen["scan_status"], seen["severity"], seen["summary"]["total"]) == ("Error", "High", 1)
    assert len(scanned.found("v1")) == 1
    assert "no space left" in scanned.api("GET", "v1", f"/scan/{seen['report_id']}/log").text


def test_a_report_that_comes_later_is_waited_for(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scanner.later = 2
    scanned.scan("v1")
    scanned.work()
    assert scanned.seen("v1")["scan_status"] == "Success"
    assert [path for _, path, _ in scanned.scanner.asked if path.endswith("/report")] == ["/api/v1/scan/scan-1/report"] * 3


def test_a_scan_that_waits_is_stopped_at_once(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scan("v1")
    assert scanned.api("POST", "v1", "/scan/stop", json={"scan_type": "vulnerability"}).status_code == 202
    scanned.work()
    assert scanned.seen("v1")["scan_status"] == "Stopped"
    assert scanned.scanner.requests == []
    assert scanned.scan("v1") == 202


def test_a_scan_that_runs_is_stopped(scanned: Scanned) -> None:
    """What the scanner finds after all is nobody's."""
    scanned.push("v1")

    def stop(request: dict[str, Any]) -> None:
        assert scanned.api("POST", "v1", "/scan/stop").status_code == 202

    scanned.scanner.scanned = stop
    scanned.scanner.later = 1
    scanned.scan("v1")
    scanned.work()
    seen = scanned.seen("v1")
    assert seen["scan_status"] == "Stopped"
    assert "severity" not in seen


def test_of_an_index_its_children_are_scanned(scanned: Scanned) -> None:
    """Not what builders attach to them; the overview is of all, and each child has its own."""
    made = {
        scanned.registry.image(scanned.repository, None, content=arch, architecture=arch): arch
        for arch in ("amd64", "arm64", "unknown")
    }
    for digest in made:
        scanned.put(digest, digest)
    scanned.put("multi", scanned.registry.index(scanned.repository, None, made))
    children = amd64, arm64 = list(made)[:2]
    scanned.scanner.by_digest = {amd64: [finding(1), finding(2, "Low")], arm64: [finding(1), finding(3, "Critical")]}
    assert scanned.scan("multi") == 202
    scanned.work(1)
    seen = scanned.seen("multi")
    assert (seen["scan_status"], seen["complete_percent"]) == ("Running", 50)
    scanned.work()
    assert sorted(request["artifact"]["digest"] for request in scanned.scanner.requests) == sorted(children)
    seen = scanned.seen("multi")
    assert (seen["scan_status"], seen["severity"], seen["summary"]["total"]) == ("Success", "Critical", 4)
    assert scanned.seen(amd64)["severity"] == "High"
    found = {row["id"]: sorted(row["artifact_digests"]) for row in scanned.found("multi")}
    assert found == {
        "CVE-2026-0001": sorted(children),
        "CVE-2026-0002": [amd64],
        "CVE-2026-0003": [arm64],
    }


def test_who_may_scan_and_who_may_look(scanned: Scanned) -> None:
    scanned.push("v1")
    for name, role in (("maintainer", Role.MAINTAINER), ("dev", Role.DEVELOPER), ("guest", Role.LIMITED_GUEST)):
        scanned.world.user(name)
        scanned.world.member(scanned.project, name, role)
    scanned.world.user("stranger")
    assert [scanned.scan("v1", who) for who in ("stranger", "guest", "dev", "maintainer")] == [403, 403, 403, 202]
    scanned.work()
    report = scanned.seen("v1")["report_id"]
    for rest in ("/additions/vulnerabilities", f"/scan/{report}/log"):
        looked = [scanned.api("GET", "v1", rest, who).status_code for who in ("stranger", "guest", "dev")]
        assert looked == [403, 200, 200]
    assert scanned.api("GET", "v1", "/scan/no-such/log").status_code == 404
    stopped = [scanned.api("POST", "v1", "/scan/stop", who).status_code for who in ("dev", "maintainer")]
    assert stopped == [403, 202]


def test_a_log_is_of_its_own_artifact_only(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.push("v2", "other")
    scanned.scan("v1")
    scanned.work()
    report = scanned.seen("v1")["report_id"]
    assert scanned.api("GET", "v2", f"/scan/{report}/log").status_code == 404


def test_what_no_scanner_looks_at(scanned: Scanned) -> None:
    scanned.push("v1")
    assert scanned.api("POST", "v1", "/scan", json={"scan_type": "sbom"}).status_code == 400
    made_of_nothing = {"type": "vulnerability", "consumes_mime_types": ["x/y"], "produces_mime_types": [REPORT]}
    scanned.scanner.metadata = METADATA | {"capabilities": [made_of_nothing]}
    body = {"name": "probe", "url": scanned.scanner.url}
    assert scanned.world.api("PUT", f"/scanners/{scanned.uuid}", "admin", json=body).status_code == 200
    answer = scanned.api("POST", "v1", "/scan")
    assert answer.status_code == 400
    assert "does not support scanning artifact" in answer.text


def test_without_a_scanner_nothing_is_scanned(scanned: Scanned) -> None:
    scanned.push("v1")
    assert scanned.world.api("DELETE", f"/scanners/{scanned.uuid}", "admin").status_code == 200
    answer = scanned.api("POST", "v1", "/scan")
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert scanned.seen("v1") == {}
    assert "vulnerabilities" not in scanned.api("GET", "v1").get_json()["addition_links"]
    assert scanned.world.api("GET", f"/projects/{scanned.project}/scanner", "admin").get_json() == {}


def test_a_deleted_image_takes_its_report_with_it(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.push("v2", "other")
    scanned.scan("v1")
    scanned.scan("v2")
    scanned.work()
    assert scanned.api("DELETE", "v1").status_code == 200
    assert len(scanned.found("v2")) == 1
    scanned.push("v1")
    assert scanned.seen("v1") == {}


@pytest.mark.parametrize("deleted_when", ["waiting", "running"])
def test_an_image_may_go_while_it_is_scanned(scanned: Scanned, deleted_when: str) -> None:
    scanned.push("v1")
    if deleted_when == "running":
        scanned.scanner.scanned = lambda request: scanned.api("DELETE", "v1").close()
    scanned.scan("v1")
    if deleted_when == "waiting":
        assert scanned.api("DELETE", "v1").status_code == 200
    scanned.work()
    assert scanned.api("GET", "v1").status_code == 404
    with scanned.world.changes():
        assert [task.status for task in db.session.query(Task)] == ["Success"], "nothing is left to be done"


def test_what_no_report_names_any_more_is_forgotten(scanned: Scanned) -> None:
    """Not at once: somebody may be about to name it."""
    scanned.push("v1")
    for number in (1, 2):
        scanned.scanner.findings = [finding(number)]
        scanned.scan("v1")
        scanned.work()

    def purged() -> list[str]:
        with scanned.world.changes():
            jobs.launch(tasks.PURGE, MANUAL)
        scanned.work()
        with scanned.world.changes():
            return sorted(row.cve_id for row in db.session.query(Vulnerability))

    assert purged() == ["CVE-2026-0001", "CVE-2026-0002"]
    with scanned.world.changes():
        db.session.execute(update(Vulnerability).values(first_seen_at=utcnow() - timedelta(days=2)))
    assert purged() == ["CVE-2026-0002"]
    assert len(scanned.found("v1")) == 1
