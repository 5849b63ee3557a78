"""What was found, over all projects or in one."""

from __future__ import annotations

from typing import Any

import pytest
from harborapi import models

from authsvc.rbac.roles import Role
from authsvc.scanning import hub
from tests.scanning.conftest import Scanned
from tests.support.scanner import finding, scanner


@pytest.fixture
def full(scanned: Scanned) -> Scanned:
    """`v1` with three findings, the worst Critical; `v2` and a second project's with one each; `v3` with none."""
    zlib = {"package": "zlib", "preferred_cvss": {"score_v3": 9.8}}
    images = {
        "v1": [finding(1, "Critical", **zlib), finding(2, "Low", fix_version=""), finding(3, "Medium", preferred_cvss={})],
        "v2": [finding(2, "Low", fix_version="")],
        "v3": [],
    }
    for tag, findings in images.items():
        scanned.scanner.by_digest[scanned.push(tag, tag)] = findings
        assert scanned.scan(tag) == 202
    scanned.work()
    first, second = scanned.project, "second"
    scanned.project, scanned.repository = second, f"{second}/app"
    scanned.world.project(second, 1)
    scanned.scanner.by_digest[scanned.push("v1", "fourth")] = [finding(4, "High")]
    scanned.scan("v1")
    scanned.work()
    scanned.project, scanned.repository = first, f"{first}/app"
    return scanned


def ask(scanned: Scanned, query: str = "", who: str = "admin", place: str = "") -> list[dict[str, Any]]:
    answer = scanned.world.api("GET", f"{place}/security/vul?{query}", who)
    assert answer.status_code == 200, answer.text
    return list(answer.get_json())


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["cve_id"].removeprefix("CVE-2026-000") for row in rows]


def test_the_summary(full: Scanned) -> None:
    path = "/security/summary?with_dangerous_cve=true&with_dangerous_artifact=true"
    said = full.world.api("GET", path, "admin").get_json()
    assert {name: said[name] for name in said if name.endswith(("cnt", "vuls", "artifact"))} == {
        "critical_cnt": 1,
        "high_cnt": 1,
        "medium_cnt": 1,
        "low_cnt": 2,
        "none_cnt": 0,
        "unknown_cnt": 0,
        "total_vuls": 5,
        "fixable_cnt": 3,
        "scanned_cnt": 4,
        "total_artifact": 4,
    }
    assert ids(said["dangerous_cves"]) == ["1", "4", "3", "2"]
    assert said["dangerous_cves"][0]["cvss_score_v3"] == 9.8
    worst = said["dangerous_artifacts"]
    assert [(row["repository_name"], row["critical_cnt"], row["high_cnt"]) for row in worst] == [
        (full.repository, 1, 0),
        ("second/app", 0, 1),
        (full.repository, 0, 0),
    ]
    assert models.SecuritySummary(**said).total_vuls == 5
    of_project = full.world.api("GET", f"/projects/{full.project}/security/summary", "admin").get_json()
    assert (of_project["total_vuls"], of_project["high_cnt"], of_project["scanned_cnt"]) == (4, 0, 3)


def test_the_list(full: Scanned) -> None:
    rows = ask(full, "with_tag=true")
    assert ids(rows) == ["1", "4", "3", "2", "2"]
    assert rows[0] == {
        "project_id": full.project_id,
        "repository_name": full.repository,
        "digest": full.api("GET", "v1").get_json()["digest"],
        "tags": ["v1"],
        "cve_id": "CVE-2026-0001",
        "severity": "Critical",
        "status": "fixed",
        "cvss_v3_score": 9.8,
        "package": "zlib",
        "version": "3.0.1",
        "fixed_version": "3.0.2",
        "desc": "number 1",
        "links": ["https://cve.example.com/1"],
    }
    assert models.VulnerabilityItem(**rows[0]).cve_id == "CVE-2026-0001"
    assert {tuple(row["tags"]) for row in rows if row["cve_id"] == "CVE-2026-0002"} == {("v1",), ("v2",)}


ASKED = {
    "cve_id=CVE-2026-0002": ["2", "2"],
    "cve_id=~0002": ["2", "2"],
    "severity=Low": ["2", "2"],
    "severity={Critical high}": ["1", "4"],
    "package=zlib": ["1"],
    "repository_name=second/app": ["4"],
    "tag=v2": ["2"],
    "tag=~v": ["1", "4", "3", "2", "2"],
    "cvss_score_v3=[7.0~9.0]": ["4", "2", "2"],
    "cvss_score_v3=[9.8~]": ["1"],
    "cvss_score_v3=9.8": ["1"],
    "severity=Low,tag=v1": ["2"],
    "digest=sha256:nothing": [],
}
REFUSED = ("severity=[a~b]", "cvss_score_v3=high", "cvss_score_v3=[11~]", "cvss_score_v3=~7", "tag={a b}", "password=1", "x")


def test_it_is_asked(full: Scanned) -> None:
    for q, found in ASKED.items():
        assert ids(ask(full, f"q={q}")) == found, q
        answer = full.world.api("GET", f"/security/vul?q={q}", "admin")
        assert answer.headers["X-Total-Count"] == str(len(found)), q
    for q in REFUSED:
        assert full.world.api("GET", f"/security/vul?q={q}", "admin").status_code == 400, q


def test_pages(full: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [ask(full, f"page={page}&page_size=2") for page in (1, 2, 3, 4)]
    assert [ids(rows) for rows in pages] == [["1", "4"], ["3", "2"], ["2"], []]
    answer = full.world.api("GET", "/security/vul?page=2&page_size=2", "admin")
    assert answer.headers["X-Total-Count"] == "5"
    assert 'rel="next"' in answer.headers["Link"]
    tuned = full.world.api("GET", "/security/vul?tune_count=true&page_size=2", "admin")
    assert tuned.headers["X-Total-Count"] == "5"
    monkeypatch.setattr(hub, "MANY", 3)
    for page, goes_on in ((1, True), (2, True), (3, False)):
        tuned = full.world.api("GET", f"/security/vul?tune_count=true&page_size=2&page={page}", "admin")
        assert tuned.headers["X-Total-Count"] == "-1"
        assert ('rel="next"' in tuned.headers.get("Link", "")) is goes_on


def test_of_each_project_its_own_scanner_counts(full: Scanned) -> None:
    with scanner() as other:
        uuid = full.register("other", other.url)
        assert full.world.api("PUT", f"/projects/{full.project}/scanner", "admin", json={"uuid": uuid}).status_code == 200
    assert ids(ask(full)) == ["4"]
    assert full.world.api("GET", "/security/summary", "admin").get_json()["total_vuls"] == 1


def test_of_a_project_whoever_may_read_its_reports(full: Scanned) -> None:
    full.world.user("guest")
    full.world.user("stranger")
    full.world.member(full.project, "guest", Role.GUEST)
    place = f"/projects/{full.project}"
    assert ids(ask(full, who="guest", place=place)) == ["1", "3", "2", "2"]
    for path in ("/security/summary", "/security/vul", "/projects/second/security/vul"):
        assert full.world.api("GET", path, "guest").status_code == 403
    assert full.world.api("GET", f"{place}/security/summary", "stranger").status_code == 403
    beyond = ask(full, "q=repository_name=second/app", who="guest", place=place)
    assert beyond == [], "a question does not lead out of the project"


def test_nothing_was_found_yet(scanned: Scanned) -> None:
    scanned.push("v1")
    said = scanned.world.api("GET", "/security/summary?with_dangerous_cve=true", "admin").get_json()
    assert (said["total_vuls"], said["scanned_cnt"], said["total_artifact"]) == (0, 0, 1)
    assert ask(scanned) == []
