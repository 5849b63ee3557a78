"""Every page that any link leads to, on each database, with something of everything there: each is there, and runs nothing."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import select

from authsvc.artifacts.models import Artifact
from authsvc.core.db import db
from authsvc.registries import service as registries
from authsvc.registries.remote import Remote
from authsvc.scanners.rules import Found
from tests.gate.conftest import Site
from tests.support.findings import found_in
from tests.support.registry import digest_of
from tests.support.visitor import Visitor, see

_MOST = 500  # pages; what tables are sorted by counts as pages of its own
_OURS = re.compile(r"/(projects|admin|account|search|decisions|new-project|$)")


def fill(site: Site) -> None:
    """Something of everything, in one project."""
    there, boss = f"/projects/{site.project}", Visitor(site.world)
    for number in range(3):
        assert site.put(f"v{number}", site.manifest(f"{number % 2}")).status_code == 201
    child = site.manifest("child")
    assert site.put(digest_of(child), child).status_code == 201
    index = site.index(child)
    assert site.put("multi", index, media_type=json.loads(index)["mediaType"]).status_code == 201
    source = {"oidc_name": "sso", "oidc_endpoint": "https://sso.example.com", "oidc_client_id": "registry"}
    assert site.world.api("PUT", "/configurations", "admin", json=source).status_code == 200
    boss.sign_in("admin")
    with site.world.changes():
        far = registries.create("test", "far", "", "", Remote("docker-registry", "https://far.example.com")).id
    forms: dict[str, dict[str, Any]] = {
        "/admin/users": {"username": "newcomer", "email": "new@example.com", "realname": "New"},
        "/admin/groups": {"of": "oidc:default", "name": "platform"},
        "/admin/robots": {"name": "mirror", "duty": "pull", "days": "", "projects": "*"},
        "/admin/trust": {
            "name": "ci",
            "issuer": "https://ci.example.com",
            "audience": "registry",
            "project": site.project,
            "claims": "repository=a/b",
            "action": ["pull"],
        },
        "/admin/replication": {"name": "copies", "registry": f"{far}", "tags": "v*", "trigger": "manual"},
        "/admin/gc": {"dry_run": "true"},
        f"{there}/robots": {"name": "ci", "duty": "push", "days": "30"},
        f"{there}/labels": {"name": "stable", "description": "what it is"},
        f"{there}/retention/rules": {"template": "latestPushedK", "number": "10", "repositories": "**", "tags": "**"},
        f"{there}/immutability": {"repositories": "**", "tags": "v*"},
        f"{there}/webhooks": {"name": "chat", "kind": "http", "address": "https://example.com/hook", "event": "PUSH_ARTIFACT"},
        f"{there}/members": {"kind": "oidc:default", "name": "platform", "role": "2"},
        "/account/tokens": {"name": "laptop", "days": "30"},
    }
    for path, form in forms.items():
        shown = re.search(r'name="seen" value="(\w*)"', boss.get(path.removesuffix("/rules")).text)
        answer = boss.post(path, form | ({"seen": shown[1]} if shown else {}))
        assert answer.status_code in (200, 303), (path, see(answer).text)
    with site.world.front.flask.app_context():
        digest = db.session.scalars(select(Artifact.digest).order_by(Artifact.id).limit(1)).one()
    links = {"links": ["https://x.example.com"]}
    found_in(site.world.front.flask, digest, Found("CVE-2026-1", "zlib", "1.0", severity="High", details=links))
    (copies,) = site.world.api("GET", "/replication/policies", "admin").get_json()
    assert boss.post(f"/admin/replication/{copies['id']}", {"action": "run"}).status_code == 303


def test_each_page_is_there(site: Site) -> None:
    fill(site)
    boss = Visitor(site.world)
    boss.sign_in("admin")
    found = ["/projects", "/admin/users", "/account/password", "/search?q=app", f"/search?q={site.project}/app:v"]
    for path in found:
        answer = boss.get(path)
        assert answer.status_code in (200, 302), (path, answer.status_code)
        if answer.status_code == 302 or answer.content_type.split(";")[0] != "text/html":
            continue
        seen = see(answer)
        assert seen.foul == [], path
        found += sorted({link for link in seen.links if _OURS.match(link)} - set(found))
        assert len(found) < _MOST
    shown = {re.sub(r"\d+|sha256:\w+|\?.*", "N", path.replace(site.project, "P")) for path in found}
    assert len(shown) > 60, sorted(shown)
