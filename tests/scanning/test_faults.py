"""Scanners that are down, slow, wrong or malicious."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from authsvc.scanners import adapter
from authsvc.scanning import tasks
from tests.scanning.conftest import Scanned
from tests.support.ports import NOWHERE
from tests.support.scanner import METADATA, Answer, finding

BOMB = gzip.compress(b" " * 50_000_000)


def on(part: str, *answer: Any) -> Callable[[str, str], Answer | None]:
    return lambda method, path: (answer[0], dict(answer[1]), answer[2]) if part in path else None


def status(scanned: Scanned) -> str:
    return str(scanned.seen("v1")["scan_status"])


def log(scanned: Scanned) -> str:
    return scanned.api("GET", "v1", f"/scan/{scanned.seen('v1')['report_id']}/log").text


def test_one_that_is_down_is_tried_again(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scanner.rule = on("scan", 503, {}, b"")
    scanned.scan("v1")
    scanned.work()
    assert status(scanned) == "Pending"
    scanned.scanner.rule = lambda method, path: None
    scanned.hurry()
    scanned.work()
    assert status(scanned) == "Success"


def test_it_is_not_tried_for_ever(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scanner.rule = on("metadata", 503, {}, b"")
    scanned.scan("v1")
    for _ in range(tasks.ATTEMPTS):
        scanned.hurry()
        scanned.work()
    assert status(scanned) == "Error"
    assert "503" in log(scanned)
    assert scanned.scan("v1") == 202


@pytest.mark.parametrize(
    ("part", "answer", "said"),
    [
        ("/report", (200, {}, b"no JSON"), "no JSON that can be read"),
        ("/report", (200, {}, b"[" * 100_000), "no JSON that can be read"),
        ("/report", (200, {}, b"[]"), "no JSON object"),
        ("/report", (200, {}, b'{"vulnerabilities": {"id": 1}}'), "no list"),
        ("/report", (200, {"Content-Encoding": "gzip"}, BOMB), "asked not to"),
        ("/report", (404, {}, b'{"error": {"message": "gone"}}'), "404: gone"),
        ("/report", (301, {"Location": "http://169.254.169.254/"}, b""), "301"),
        ("/scan", (202, {}, b'{"id": "../../admin"}'), "no id"),
        ("/scan", (202, {}, b"{}"), "no id"),
        ("/metadata", (200, {}, b"<html>"), "no JSON that can be read"),
        ("/metadata", (200, {"Content-Length": "1000", "Connection": "close"}, b"{}"), "cannot be asked"),
    ],
)
def test_nonsense_is_an_error_that_says_what_it_is(scanned: Scanned, part: str, answer: Answer, said: str) -> None:
    scanned.push("v1")
    scanned.scanner.rule = on(part, *answer)
    scanned.scan("v1")
    scanned.work()
    assert status(scanned) == "Pending"
    assert said in log(scanned)
    assert "severity" not in scanned.seen("v1")


def test_a_report_without_end_ends(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned.push("v1")
    monkeypatch.setattr(adapter, "_LARGEST", 1024 * 1024)
    scanned.scanner.rule = on("/report", 200, {}, b" " * 1024 * 1025)
    scanned.scan("v1")
    scanned.work()
    assert "more than 1 MiB" in log(scanned)


def test_a_scanner_that_is_never_ready(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned.push("v1")
    monkeypatch.setattr(tasks, "_LONGEST", 0.5)
    scanned.scanner.later = 1000
    scanned.scan("v1")
    scanned.work()
    assert status(scanned) == "Error"
    assert "has not been ready" in log(scanned)


def test_one_that_breaks_holds_up_no_other(scanned: Scanned) -> None:
    scanned.push("v1")
    good = scanned.push("v2", "other")
    scanned.scanner.by_digest = {good: []}
    scanned.scanner.findings = [{"id": None}, "nothing", {"package": "x"}, finding(1, "Apocalyptic")]  # type: ignore[list-item]
    for tag in ("v1", "v2"):
        scanned.scan(tag)
    scanned.work()
    assert (scanned.seen("v1")["severity"], scanned.seen("v1")["summary"]["total"]) == ("Unknown", 1)
    assert (scanned.seen("v2")["severity"], scanned.seen("v2")["summary"]["total"]) == ("None", 0)
    assert scanned.found("v2") == []


def test_what_others_wrote_is_kept_as_text_or_not_at_all(scanned: Scanned) -> None:
    scanned.push("v1")
    deep: Any = {}
    for _ in range(500):
        deep = {"in": deep}
    scanned.scanner.findings = [
        finding(
            1,
            package="p\0" * 300,
            version="\ud800" + "9" * 300,
            description="<script>alert(1)</script>" + "\U0001f600" * 20_000,
            links=["javascript:alert(1)", "https://fine.example.com/", "http://[", 7, "data:text/html,x"],
            preferred_cvss={"score_v3": 1e9, "vector_v3": ["no"], "score_v2": True},
            cwe_ids="CWE-1",
            vendor_attributes={"nul": "\0"},
        ),
        finding(2, vendor_attributes=deep),
        finding(3, id="CVE-" + "3" * 5000),
    ]
    scanned.scan("v1")
    scanned.work()
    assert status(scanned) == "Success"
    rows = scanned.found("v1")
    assert len(rows) == 3
    (first,) = [row for row in rows if row["id"] == "CVE-2026-0001"]
    assert first["links"] == ["https://fine.example.com/"]
    assert first["preferred_cvss"] == {"score_v3": None, "score_v2": None, "vector_v3": "", "vector_v2": ""}
    assert len(first["description"]) == 8000
    assert (first["cwe_ids"], first["vendor_attributes"]) == ([], {})


def test_fifty_thousand_findings(scanned: Scanned) -> None:
    scanned.push("v1")
    scanned.scanner.findings = [finding(number, "Low", package=f"p{number % 100}") for number in range(50_000)]
    scanned.scan("v1")
    scanned.work()
    assert scanned.seen("v1")["summary"]["total"] == 50_000
    assert len(scanned.found("v1")) == 50_000


def test_two_names_of_one_vulnerability(scanned: Scanned) -> None:
    """The worse one counts."""
    scanned.push("v1")
    scanned.scanner.findings = [finding(1, "Low"), finding(1, "Critical"), finding(1, "Medium")]
    scanned.scan("v1")
    scanned.work()
    assert [(row["id"], row["severity"]) for row in scanned.found("v1")] == [("CVE-2026-0001", "Critical")]


def test_a_scanner_that_moved_where_requests_may_not_go(scanned: Scanned) -> None:
    for url in ("http://169.254.169.254", "http://[fe80::1]", "ftp://scanner", f"http://{NOWHERE}/#x", "http://user@scanner"):
        body = {"name": "inside", "url": url}
        assert scanned.world.api("POST", "/scanners", "admin", json=body).status_code == 400, url
    body = {"name": "nobody", "url": f"http://{NOWHERE}"}
    answer = scanned.world.api("POST", "/scanners", "admin", json=body)
    assert answer.status_code == 400
    assert "cannot be asked" in answer.text


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        {"scanner": {"name": "x"}},
        METADATA | {"scanner": {}},
        METADATA | {"capabilities": [{"type": "vulnerability", "produces_mime_types": ["text/plain"]}]},
    ],
)
def test_what_is_no_scanner_is_not_registered(scanned: Scanned, said: Any) -> None:
    scanned.scanner.rule = on("/metadata", 200, {}, json.dumps(said).encode())
    body = {"name": "other", "url": f"{scanned.scanner.url}/below"}
    assert scanned.world.api("POST", "/scanners", "admin", json=body).status_code == 400
