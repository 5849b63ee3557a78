"""The pages of scanners, of what they find, and of what projects make of that."""

from __future__ import annotations

import csv
import io

import pytest

from authsvc.rbac.roles import Role
from tests.scanning.conftest import Scanned
from tests.support.hostile import TEXTS
from tests.support.scanner import finding, scanner
from tests.support.visitor import Visitor, see


@pytest.fixture
def boss(scanned: Scanned) -> Visitor:
    visitor = Visitor(scanned.world)
    visitor.sign_in("admin")
    return visitor


def member(scanned: Scanned, role: Role) -> Visitor:
    scanned.world.user("member")
    scanned.world.member(scanned.project, "member", role)
    visitor = Visitor(scanned.world)
    visitor.sign_in("member")
    return visitor


def test_a_scanner_is_registered_changed_and_deleted(scanned: Scanned, boss: Visitor) -> None:
    shown = boss.page("/admin/scanners").text
    assert "probe" in shown
    assert "Probe 1.0" in shown
    assert "2026-11-01T00:00:00Z" in shown
    with scanner() as other:
        other.wants = ("Authorization", "Bearer hidden words")
        form = {"name": "other", "url": other.url, "auth": "Bearer", "access_credential": "wrong"}
        wrong = boss.post("/admin/scanners", form)
        assert (wrong.status_code, "401" in wrong.text) == (400, True)
        assert "wrong" not in see(wrong).text
        assert boss.post("/admin/scanners", form | {"access_credential": "hidden words"}).status_code == 303
        (uuid,) = (row["uuid"] for row in scanned.world.api("GET", "/scanners?q=name=other", "admin").get_json())
        there = f"/admin/scanners/{uuid}"
        assert "hidden words" not in boss.get(there).text
        renamed = form | {"name": "renamed", "access_credential": "", "action": "save", "disabled": "true"}
        assert boss.post(there, renamed).status_code == 303
        assert "disabled" in boss.page(there).text
        refused = boss.post(there, action="default")
        assert (refused.status_code, "is disabled" in refused.text) == (400, True)
        del renamed["disabled"]
        assert boss.post(there, renamed).status_code == 303
        assert boss.post(there, action="default").status_code == 303
        assert scanned.world.api("GET", f"/scanners/{uuid}", "admin").get_json()["is_default"] is True
        assert boss.post(there, action="nothing").status_code == 400
        assert boss.post(there, action="delete").status_code == 303
    assert boss.get(there).status_code == 404


def test_only_administrators_see_scanners(scanned: Scanned) -> None:
    somebody = member(scanned, Role.PROJECT_ADMIN)
    for path in ("/admin/scanners", f"/admin/scanners/{scanned.uuid}", "/admin/scans"):
        assert somebody.get(path).status_code == 403
        assert somebody.post(path, action="delete").status_code == 403


def test_an_artifact_is_scanned_from_its_page(scanned: Scanned, boss: Visitor) -> None:
    scanned.push("v1")
    there, report = f"/projects/{scanned.project}/repositories/app:v1", f"/projects/{scanned.project}/vulnerabilities/app:v1"
    assert report in boss.page(there).links
    assert "Nobody has looked at it yet." in boss.page(report).text
    assert boss.post(f"/projects/{scanned.project}/scan/app:v1", action="start").headers["Location"] == report
    assert 'data-live="2"' in boss.get(report).text
    again = boss.post(f"/projects/{scanned.project}/scan/app:v1", action="start")
    assert (again.status_code, "running already" in again.text) == (409, True)
    scanned.scanner.findings = [finding(1, "Low"), finding(2, "Critical", package="zlib", fix_version="")]
    scanned.work()
    shown = boss.page(report).text
    assert "critical" in shown
    assert shown.index("CVE-2026-0002") < shown.index("CVE-2026-0001")
    assert "one can be fixed" in shown
    assert "CVE-2026-0001" not in boss.page(f"{report}?search=zlib").text
    assert "Nothing that was found holds" in boss.page(f"{report}?search=nothing").text
    rows = list(csv.DictReader(io.StringIO(boss.get(f"{report}?format=csv").text)))
    assert [(row["cve_id"], row["severity"], row["cvss_v3"]) for row in rows] == [
        ("CVE-2026-0002", "Critical", "7.5"),
        ("CVE-2026-0001", "Low", "7.5"),
    ]
    assert "critical" in boss.page(there).text
    assert report in boss.page(f"/projects/{scanned.project}/repositories/app").links


def test_a_scan_is_stopped_from_its_page(scanned: Scanned, boss: Visitor) -> None:
    scanned.push("v1")
    scanned.scan("v1")
    assert boss.post(f"/projects/{scanned.project}/scan/app:v1", action="stop").status_code == 303
    assert "stopped" in boss.page(f"/projects/{scanned.project}/vulnerabilities/app:v1").text


def test_who_may_not_scan_is_not_offered_it(scanned: Scanned) -> None:
    scanned.push("v1")
    guest = member(scanned, Role.GUEST)
    report = f"/projects/{scanned.project}/vulnerabilities/app:v1"
    assert "/scan/" not in guest.get(report).text
    assert guest.post(f"/projects/{scanned.project}/scan/app:v1", action="start").status_code == 403
    scanned.world.user("stranger")
    stranger = Visitor(scanned.world)
    stranger.sign_in("stranger")
    assert stranger.get(report).status_code == 403
    assert guest.get(f"/projects/{scanned.project}/vulnerabilities/app").status_code == 404
    assert guest.get(f"/projects/{scanned.project}/vulnerabilities/app:none").status_code == 404


def test_without_a_scanner_pages_say_so(scanned: Scanned, boss: Visitor) -> None:
    scanned.push("v1")
    boss.post(f"/admin/scanners/{scanned.uuid}", action="delete")
    assert "There is no scanner" in boss.page(f"/projects/{scanned.project}/vulnerabilities/app:v1").text
    assert "There is no scanner" in boss.page("/admin/scanners").text
    assert "There is no scanner" in boss.page("/admin/scans").text
    assert "not scanned" not in boss.page(f"/projects/{scanned.project}/repositories/app:v1").text
    refused = boss.post("/admin/scans", action="start")
    assert refused.status_code == 412


def test_everything_is_scanned_from_a_page(scanned: Scanned, boss: Visitor) -> None:
    for tag in ("v1", "v2"):
        scanned.push(tag, tag)
    assert boss.post("/admin/scans", action="start").status_code == 303
    assert boss.post("/admin/scans", action="start").status_code == 409
    scanned.work(2)
    assert "1 of 2" in boss.page("/admin/scans").text
    assert boss.post("/admin/scans", action="stop").status_code == 303
    scanned.work()
    assert "Stopped" in boss.page("/admin/scans").text
    assert boss.post("/admin/scans", action="schedule", type="Daily", cron="").status_code == 303
    assert "Next time" in boss.page("/admin/scans").text
    assert boss.post("/admin/scans", action="schedule", type="Manual", cron="").status_code == 400
    assert boss.post("/admin/scans", action="schedule", type="None", cron="").status_code == 303
    assert "Next time" not in boss.page("/admin/scans").text


def test_a_project_says_what_is_scanned_and_refused(scanned: Scanned, boss: Visitor) -> None:
    there = f"/projects/{scanned.project}/settings"
    path = f"/projects/{scanned.project}"
    assert boss.post(there, public="false").status_code == 303
    assert scanned.world.api("GET", path, "admin").get_json()["metadata"] == {"public": "false"}, "nothing was asked for"
    form = {
        "public": "false",
        "auto_scan": "true",
        "prevent_vul": "true",
        "severity": "high",
        "prevent_vul_only_fixable": "true",
        "prevent_vul_unscanned": "allow",
        "prevent_vul_grace_days": "14",
        "scanner": scanned.uuid,
    }
    assert boss.post(there, form).status_code == 303
    assert scanned.world.api("GET", path, "admin").get_json()["metadata"] == {
        name: value for name, value in form.items() if name != "scanner"
    }
    shown = boss.get(there).text
    assert 'value="14"' in shown
    assert f'value="{scanned.uuid}" selected' in shown
    assert boss.post(there, public="false", severity="high").status_code == 303
    metadata = scanned.world.api("GET", path, "admin").get_json()["metadata"]
    assert (metadata["auto_scan"], metadata["prevent_vul"], metadata["prevent_vul_unscanned"]) == ("false", "false", "refuse")
    assert f'value="{scanned.uuid}" selected' not in boss.get(there).text
    wrong = boss.post(there, form | {"prevent_vul_grace_days": "soon"})
    assert wrong.status_code == 400
    assert boss.post(there, form | {"scanner": "no-such"}).status_code == 404


def test_what_scanners_say_stays_text(scanned: Scanned, boss: Visitor) -> None:
    scanned.push("v1")
    scanned.scanner.findings = [
        finding(number, id=f"{number:03}{text}", package=text, version=text, fix_version=text, description=text, status=text)
        for number, text in enumerate(TEXTS)
    ]
    scanned.scan("v1")
    scanned.work()
    for there in (f"/projects/{scanned.project}/vulnerabilities/app:v1", "/admin/vulnerabilities"):
        words = ""
        for number in range(1, len(TEXTS) // 50 + 1):
            seen = see(boss.get(f"{there}?page={number}"))
            assert seen.foul == []
            assert not {"img", "svg", "iframe", "style", "object", "embed"} & set(seen.tags)
            words += "".join(seen.words)
        assert [text for text in TEXTS if text[:255] not in words] == []


def test_what_was_found_in_a_project_and_everywhere(scanned: Scanned, boss: Visitor) -> None:
    assert "nothing" in boss.page(f"/projects/{scanned.project}/vulnerabilities").text
    for tag, found in (
        ("v1", [finding(1, "Critical"), finding(2, "Low", package="zlib")]),
        ("v2", [finding(2, "Low", package="zlib")]),
    ):
        scanned.scanner.by_digest[scanned.push(tag, tag)] = found
        scanned.scan(tag)
    scanned.work()
    guest = member(scanned, Role.GUEST)
    for visitor, path in ((boss, "/admin/vulnerabilities"), (guest, f"/projects/{scanned.project}/vulnerabilities")):
        shown = visitor.page(path)
        assert "1 to 3 of 3" in shown.text
        assert "2 of 2" in shown.text
        assert shown.text.index("CVE-2026-0001") < shown.text.index("CVE-2026-0002")
        digest = scanned.api("GET", "v1").get_json()["digest"]
        assert f"/projects/{scanned.project}/vulnerabilities/app@{digest}" in shown.links
        assert "1 to 2 of 2" in visitor.page(f"{path}?search=zlib").text
        assert "1 to 1 of 1" in visitor.page(f"{path}?search=cve-2026-0001").text
        assert "1 to 2 of 2" in visitor.page(f"{path}?severity=Low&search=zlib").text
        assert "Nothing like this was found." in visitor.page(f"{path}?severity=High").text
        for strange in ("a,b", "x=1", "~", "[a~b]", "%00", ","):
            assert visitor.get(f"{path}?search={strange}").status_code in (200, 400)
    assert guest.get("/admin/vulnerabilities").status_code == 403
