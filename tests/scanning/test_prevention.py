"""Images that may not be pulled for what was found in them: at the gate, as clients ask."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db
from authsvc.rbac.roles import Role
from authsvc.scanning import credentials
from authsvc.scanning.models import Vulnerability
from tests.scanning.conftest import Scanned
from tests.support.scanner import METADATA, finding, scanner
from tests.support.world import basic

BODY = "X-Gate-Body"


@pytest.fixture
def guarded(scanned: Scanned) -> Scanned:
    """The project prevents images with severity high or higher; `dev` may push and `guest` may pull."""
    scanned.world.user("dev")
    scanned.world.user("guest")
    scanned.world.member(scanned.project, "dev", Role.DEVELOPER)
    scanned.world.member(scanned.project, "guest", Role.GUEST)
    want(scanned, prevent_vul="true", severity="high")
    return scanned


def want(scanned: Scanned, **metadata: str) -> None:
    answer = scanned.world.api("PUT", f"/projects/{scanned.project}", "admin", json={"metadata": metadata})
    assert answer.status_code == 200, answer.text


def pull(scanned: Scanned, reference: str, who: str = "guest", method: str = "GET", **headers: str) -> tuple[int, str]:
    """What the gate answers, and what a client prints of it."""
    told = {"X-Gate-Method": method, "X-Gate-Uri": f"/v2/{scanned.repository}/manifests/{reference}", "X-Real-IP": "192.0.2.7"}
    shown = basic(who) if "Authorization" not in headers else {}
    answer = scanned.world.client.get("/internal/gate", headers=told | shown | headers)
    return int(answer.headers.get("X-Gate-Status", answer.status_code)), answer.headers.get(BODY, "")


def scan(scanned: Scanned, reference: str, *findings: dict[str, Any]) -> None:
    scanned.scanner.findings = list(findings)
    assert scanned.scan(reference) == 202
    scanned.work()


def test_the_severity_decides(guarded: Scanned) -> None:
    guarded.push("v1")
    scan(guarded, "v1", finding(1, "Medium"), finding(2, "Low"))
    assert pull(guarded, "v1")[0] == 204
    scan(guarded, "v1", finding(1, "Medium"), finding(2, "High"))
    for method in ("GET", "HEAD"):
        assert pull(guarded, "v1", method=method)[0] == 412
    want(guarded, severity="critical")
    assert pull(guarded, "v1")[0] == 204
    want(guarded, severity="low")
    assert pull(guarded, "v1")[0] == 412
    want(guarded, prevent_vul="false")
    assert pull(guarded, "v1")[0] == 204


def test_by_digest_as_by_tag(guarded: Scanned) -> None:
    digest = guarded.push("v1")
    scan(guarded, "v1", finding(1, "Critical"))
    assert [pull(guarded, reference)[0] for reference in ("v1", digest)] == [412, 412]


def test_the_refusal_names_the_worst(guarded: Scanned) -> None:
    guarded.push("v1")
    found = [finding(number, "High", package=f"p{number}") for number in range(1, 6)]
    scan(guarded, "v1", *found, finding(9, "Critical", package="openssl", fix_version=""), finding(8, "Low"))
    status, said = pull(guarded, "v1")
    assert status == 412
    assert "PROJECTPOLICYVIOLATION" in said
    assert "current image with 6 vulnerabilities cannot be pulled due to configured policy in" in said
    assert 'severity of \\"High\\" or higher from running' in said
    assert "CVE-2026-0009 (Critical, openssl 3.0.1, not fixed)" in said
    assert "CVE-2026-0001 (High, p1 3.0.1, fixed in 3.0.2)" in said
    assert "CVE-2026-0003" not in said


def test_what_nobody_has_looked_at(guarded: Scanned) -> None:
    guarded.push("v1")
    status, said = pull(guarded, "v1")
    assert status == 412
    assert "current image without vulnerability scanning cannot be pulled" in said
    guarded.scan("v1")
    assert 'with \\"Pending\\" status of vulnerability scanning' in pull(guarded, "v1")[1]
    want(guarded, prevent_vul_unscanned="allow")
    assert pull(guarded, "v1")[0] == 204
    want(guarded, prevent_vul_unscanned="refuse")
    assert pull(guarded, "v1")[0] == 412


def test_what_cannot_be_scanned_passes(guarded: Scanned) -> None:
    guarded.push("v1")
    nothing = {"type": "vulnerability", "consumes_mime_types": ["x/y"]}
    made = METADATA["capabilities"][0]["produces_mime_types"]
    guarded.scanner.metadata = METADATA | {"capabilities": [nothing | {"produces_mime_types": made}]}
    body = {"name": "probe", "url": guarded.scanner.url}
    assert guarded.world.api("PUT", f"/scanners/{guarded.uuid}", "admin", json=body).status_code == 200
    assert pull(guarded, "v1")[0] == 204
    assert guarded.world.api("DELETE", f"/scanners/{guarded.uuid}", "admin").status_code == 200
    assert pull(guarded, "v1")[0] == 204


def test_the_last_verdict_counts_while_a_scan_goes_on_or_has_failed(guarded: Scanned) -> None:
    """A scanner that is down blocks nothing, and lets nothing through."""
    good = guarded.push("good", "good")
    bad = guarded.push("bad", "bad")
    guarded.scanner.by_digest = {good: [], bad: [finding(1, "Critical")]}
    for tag in ("good", "bad"):
        guarded.scan(tag)
    guarded.work()
    guarded.scanner.rule = lambda method, path: (500, {}, b"{}")
    for tag in ("good", "bad"):
        guarded.scan(tag)
    assert [pull(guarded, tag)[0] for tag in ("good", "bad")] == [204, 412]
    guarded.work()
    assert [pull(guarded, tag)[0] for tag in ("good", "bad")] == [204, 412]


def test_what_somebody_decided_to_live_with(guarded: Scanned) -> None:
    guarded.push("v1")
    scan(guarded, "v1", finding(1, "Critical"), finding(2, "High"))

    def allow(path: str, *ids: str, until: int | None = None) -> None:
        allowlist = {"items": [{"cve_id": id_} for id_ in ids], "expires_at": until}
        body = allowlist if path.startswith("/system") else {"cve_allowlist": allowlist}
        assert guarded.world.api("PUT", path, "admin", json=body).status_code == 200

    allow("/system/CVEAllowlist", "CVE-2026-0001")
    assert "with 1 vulnerabilities" in pull(guarded, "v1")[1]
    allow("/system/CVEAllowlist", "CVE-2026-0001", "CVE-2026-0002")
    assert pull(guarded, "v1")[0] == 204
    allow("/system/CVEAllowlist", "CVE-2026-0001", "CVE-2026-0002", until=int(time.time()) - 1)
    assert pull(guarded, "v1")[0] == 412
    of_project = f"/projects/{guarded.project}"
    allow(of_project, "CVE-2026-0001", "CVE-2026-0002")
    assert pull(guarded, "v1")[0] == 412, "the system's is used until the project says otherwise"
    want(guarded, reuse_sys_cve_allowlist="false")
    assert pull(guarded, "v1")[0] == 204


def test_only_what_can_be_fixed(guarded: Scanned) -> None:
    guarded.push("v1")
    scan(guarded, "v1", finding(1, "Critical", fix_version=""))
    want(guarded, prevent_vul_only_fixable="true")
    assert pull(guarded, "v1")[0] == 204
    scan(guarded, "v1", finding(1, "Critical", fix_version="3.0.2"))
    assert pull(guarded, "v1")[0] == 412


def test_time_to_mend(guarded: Scanned) -> None:
    """Counted from when a scanner named it first, in whatever image."""
    guarded.push("v1")
    scan(guarded, "v1", finding(1, "Critical"))
    want(guarded, prevent_vul_grace_days="7")
    assert pull(guarded, "v1")[0] == 204
    with guarded.world.changes():
        eight_days_ago = {"first_seen_at": db.session.query(Vulnerability).one().first_seen_at.replace(year=2020)}
        db.session.execute(update(Vulnerability).values(**eight_days_ago))
    assert pull(guarded, "v1")[0] == 412
    scan(guarded, "v1", finding(1, "Critical"))
    assert pull(guarded, "v1")[0] == 412, "it is not younger for being found again"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prevent_vul_grace_days", "-1"),
        ("prevent_vul_grace_days", "99999"),
        ("prevent_vul_grace_days", "٣"),
        ("prevent_vul_unscanned", "maybe"),
        ("prevent_vul_only_fixable", "2"),
        ("severity", "apocalyptic"),
    ],
)
def test_what_cannot_be_asked_for(guarded: Scanned, key: str, value: str) -> None:
    body = {"metadata": {key: value}}
    assert guarded.world.api("PUT", f"/projects/{guarded.project}", "admin", json=body).status_code == 400


def test_of_an_index_each_child_is_asked_about(guarded: Scanned) -> None:
    children = {guarded.registry.image(guarded.repository, None, content=arch): arch for arch in ("amd64", "arm64")}
    for digest in children:
        guarded.put(digest, digest)
    guarded.put("multi", guarded.registry.index(guarded.repository, None, children))
    amd64, arm64 = children
    guarded.scanner.by_digest = {amd64: [], arm64: [finding(1, "Critical")]}
    guarded.scan("multi")
    guarded.work()
    assert [pull(guarded, reference)[0] for reference in ("multi", amd64, arm64)] == [204, 204, 412]


def test_who_is_let_in_nevertheless(guarded: Scanned) -> None:
    """As in Harbor, and nobody else: scanners, who signs and may push, and system administrators by a token."""
    guarded.push("v1")
    scan(guarded, "v1", finding(1, "Critical"))
    for who in ("guest", "dev", "admin"):
        assert pull(guarded, "v1", who)[0] == 412
    for agent, who, status in (
        ("cosign/v2.4.1 (linux; amd64)", "dev", 204),
        ("cosign/v2.4.1 (linux; amd64)", "guest", 412),
        ("notation/1.2.0", "dev", 204),
        ("docker/28.0", "dev", 412),
    ):
        assert pull(guarded, "v1", who, **{"User-Agent": agent})[0] == status
    with guarded.world.changes():
        credential = credentials.issue(guarded.project_id, guarded.repository, 60)
    assert pull(guarded, "v1", **basic("scanner", credential))[0] == 204
    for who, status in (("admin", 204), ("dev", 412)):
        token = guarded.world.token(f"repository:{guarded.repository}:pull,push", who=who).get_json()["token"]
        assert pull(guarded, "v1", Authorization=f"Bearer {token}")[0] == status


def test_a_signature_is_pulled_to_look_at_it(guarded: Scanned) -> None:
    digest = guarded.push("v1")
    simple = "application/vnd.dev.cosign.simplesigning.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": guarded.registry.blob(guarded.repository, b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [guarded.registry.blob(guarded.repository, b"signed", simple)],
    }
    tag = f"sha256-{digest.removeprefix('sha256:')}.sig"
    guarded.put(tag, guarded.registry.put(guarded.repository, None, manifest))
    assert pull(guarded, tag)[0] == 204
    assert pull(guarded, "v1")[0] == 412


def test_other_projects_and_blobs_are_not_asked_about(guarded: Scanned) -> None:
    digest = guarded.push("v1")
    told = {"X-Gate-Method": "GET", "X-Gate-Uri": f"/v2/{guarded.repository}/blobs/{digest}", "X-Real-IP": "192.0.2.7"}
    assert guarded.world.client.get("/internal/gate", headers=told | basic("guest")).status_code == 204
    assert pull(guarded, "no-such-tag")[0] == 204, "the registry says that it is not there"


def test_the_project_s_own_scanner_decides(guarded: Scanned) -> None:
    """What the default one has found is not its verdict."""
    guarded.push("v1")
    scan(guarded, "v1")
    assert pull(guarded, "v1")[0] == 204
    with scanner() as other:
        uuid = guarded.register("other", other.url)
        path = f"/projects/{guarded.project}/scanner"
        assert guarded.world.api("PUT", path, "admin", json={"uuid": uuid}).status_code == 200
        assert pull(guarded, "v1")[0] == 412
        other.findings = []
        guarded.scan("v1")
        guarded.work()
    assert pull(guarded, "v1")[0] == 204
