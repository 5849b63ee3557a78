"""A running stack with a scanner: what is pushed is pulled by it, with what it is given, and its verdict holds at the door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, ViewportSize

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from tests.live.test_portal import LOOKS, browser, sign_in, well
from tests.support.people import Team, make_team
from tests.support.scanner import Scanner, finding, scanner
from tests.support.stack import Stack
from tests.support.waiting import eventually

__all__ = ["browser"]


class Puller:
    """The part of a scanner that pulls: each blob of the image, by the registry's own token protocol, as Trivy does."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.pulled: dict[str, int] = {}

    def __call__(self, request: dict[str, Any]) -> None:
        where, artifact = request["registry"], request["artifact"]
        shown = {"Authorization": where["authorization"]}
        scope = f"repository:{artifact['repository']}:pull"
        token = self._get(f"{where['url']}/service/token?service=harbor-registry&scope={scope}", shown).json()["token"]
        bearer = {"Authorization": f"Bearer {token}", "Accept": OCI_MANIFEST}
        path = f"{where['url']}/v2/{artifact['repository']}"
        for with_it in (shown | {"Accept": OCI_MANIFEST}, bearer):
            manifest = self._get(f"{path}/manifests/{artifact['digest']}", with_it).json()
        blobs = [manifest["config"], *manifest["layers"]]
        self.pulled[artifact["digest"]] = sum(
            len(self._get(f"{path}/blobs/{blob['digest']}", bearer).content) == blob["size"] for blob in blobs
        )

    def _get(self, url: str, headers: dict[str, str]) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers=headers, verify=str(self.stack.ca), timeout=30)
        assert answer.status_code == 200, (url, answer.text)
        return answer


@pytest.fixture
def probe() -> Iterator[Scanner]:
    with scanner() as running:
        yield running


@pytest.fixture
def team(own_stack: Stack, probe: Scanner) -> Team:
    """Its project scans what is pushed, and refuses what is high or worse."""
    own_stack.start(OUTGOING_ALLOW="127.0.0.1/32")
    registered = own_stack.api("POST", "/scanners", json={"name": "probe", "url": probe.url})
    assert registered.status_code == 201, registered.text
    made = make_team(own_stack)
    metadata = {"auto_scan": "true", "prevent_vul": "true", "severity": "high"}
    assert own_stack.api("PUT", f"/projects/{made.project}", json={"metadata": metadata}).status_code == 200
    return made


def overview(team: Team, tag: str) -> dict[str, Any]:
    path = f"/projects/{team.project}/repositories/app/artifacts/{tag}?with_scan_overview=true"
    said = team.stack.api("GET", path).json()
    found: dict[str, Any] = next(iter(said.get("scan_overview", {}).values()), {})
    return found | {"pull_time": said.get("pull_time", "")}


def test_from_the_push_to_the_refused_pull(team: Team, probe: Scanner) -> None:
    puller = probe.scanned = Puller(team.stack)
    client, guest = team.client(Role.DEVELOPER), team.client(Role.GUEST)
    repository = f"{team.project}/app"
    good = client.push(repository, "good", "good")
    probe.by_digest[good] = []
    eventually(lambda: overview(team, "good").get("scan_status") == "Success")
    bad = client.push(repository, "bad", "bad")
    assert guest.manifest(repository, "bad").status_code in (200, 412)
    eventually(lambda: overview(team, "bad").get("severity") == "High")
    assert puller.pulled == {good: 2, bad: 2}
    assert guest.manifest(repository, "good").status_code == 200
    refused = guest.manifest(repository, "bad")
    assert refused.status_code == 412
    (error,) = json.loads(refused.text)["errors"]
    assert error["code"] == "PROJECTPOLICYVIOLATION"
    assert "CVE-2026-0001 (High, openssl 3.0.1, fixed in 3.0.2)" in error["message"]
    probe.findings = [finding(1, "Low")]
    assert team.stack.api("POST", f"/projects/{team.project}/repositories/app/artifacts/bad/scan").status_code == 202
    eventually(lambda: guest.manifest(repository, "bad").status_code == 200)


@pytest.mark.parametrize(("locale", "scheme", "width"), [*LOOKS.values()], ids=[*LOOKS])
def test_in_a_browser(team: Team, probe: Scanner, browser: Browser, locale: str, scheme: Any, width: int) -> None:
    """Nothing is scanned until somebody clicks, and the page says by itself how it ended."""
    stack, repository = team.stack, f"{team.project}/app"
    assert stack.api("PUT", f"/projects/{team.project}", json={"metadata": {"auto_scan": "false"}}).status_code == 200
    team.client(Role.DEVELOPER).push(repository, "v1")
    severities = ("Critical", "High", "Medium", "Low", "None", "Unknown")
    probe.findings = [finding(number, severities[number % 6], fix_version="1.2" * (number % 2)) for number in range(120)]
    viewport: ViewportSize = {"width": width, "height": 900}
    context = browser.new_context(
        base_url=stack.url, ignore_https_errors=True, locale=locale, color_scheme=scheme, viewport=viewport
    )
    page = context.new_page()
    boss = team.user_id(Role.PROJECT_ADMIN)
    assert stack.api("PUT", f"/users/{boss}/sysadmin", json={"sysadmin_flag": True}).status_code == 200
    sign_in(page, team.auth(Role.PROJECT_ADMIN), f"/projects/{team.project}/repositories/app:v1")
    well(page)
    report = f"/projects/{team.project}/vulnerabilities/app:v1"
    with page.expect_navigation():
        page.click(f"main a[href='{report}']")
    well(page)
    with page.expect_navigation():
        page.click("main button[name=action][value=start]")
    page.wait_for_selector("#seen .text-bg-danger")  # without loading the page again
    for path in (
        report,
        f"/projects/{team.project}/repositories/app",
        f"/projects/{team.project}/repositories/app:v1",
        f"/projects/{team.project}/settings",
        f"/projects/{team.project}/vulnerabilities?severity=High",
        "/admin/vulnerabilities",
        "/admin/scanners",
        "/admin/scans",
    ):
        page.goto(path)
        well(page)
    with page.expect_navigation():
        page.click("main button[value=start]")
    page.wait_for_selector("#runs tbody tr:first-child >> text=Success")
    page.goto("/admin/scanners")
    with page.expect_navigation():
        page.click("main table a >> text=probe")
    well(page)
    context.close()


def test_a_worker_that_dies_with_a_scan(team: Team, probe: Scanner) -> None:
    """The next one begins it anew."""
    killed: list[int] = []

    def kill(_request: dict[str, Any]) -> None:
        if not killed:
            killed.append(team.stack.kill("worker"))

    probe.scanned = kill
    team.client(Role.DEVELOPER).push(f"{team.project}/app", "v1")
    eventually(lambda: overview(team, "v1").get("scan_status") == "Success")
    assert len(probe.requests) == 2
