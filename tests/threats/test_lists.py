"""D2 D3 L1: lists, searches and counts show to whoever asks exactly what he may read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from authsvc.audit.models import AuditLog
from authsvc.core.db import db, utcnow
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from tests.support.world import World
from tests.threats.credentials import Shown, Wallet, id_of


@pytest.fixture
def filled(town: World) -> World:
    """Repositories in alice's `web`, bob's `payroll` and in a public project; alice is a developer of `payroll` as well."""
    town.project("open", 1, public=True)
    with town.changes():
        for name in ("web/app", "web/frontend-x", "payroll/app", "open/app"):
            repositories.ensure(name, utcnow())
    town.member("payroll", "alice", Role.DEVELOPER)
    return town


def seen(shown: Shown) -> dict[str, Any]:
    """What each list shows of the private projects."""
    found = shown.api("GET", "/search?q=p").get_json()
    counts = shown.api("GET", "/statistics")
    return {
        "projects": sorted(one["name"] for one in shown.api("GET", "/projects").get_json() if one["name"] != "open"),
        "repositories": sorted(
            one["name"] for one in shown.api("GET", "/repositories").get_json() if not one["name"].startswith("open/")
        ),
        "found": sorted(one["repository_name"] for one in found["repository"] if one["project_name"] != "open"),
        "counted": (counts.get_json()["private_project_count"], counts.get_json()["private_repo_count"]),
    }


NOTHING: dict[str, Any] = {"projects": [], "repositories": [], "found": [], "counted": (0, 0)}


def test_a_limited_token_lists_no_more_than_it_may_read(filled: World, wallet: Wallet) -> None:
    """D2"""
    alice = id_of(filled, "alice")
    web = ["web/app", "web/frontend-x"]
    limited = wallet.access_token("alice", alice, projects=["web"], actions=["pull"])
    assert seen(limited) == {"projects": ["web"], "repositories": web, "found": web[:1], "counted": (1, 2)}
    assert seen(wallet.access_token("alice", alice, actions=["delete"])) == NOTHING
    both = wallet.access_token("alice", alice)
    assert seen(both)["repositories"] == ["payroll/app", *web]
    admins = wallet.access_token(projects=["payroll"], actions=["read"])
    assert seen(admins) == {"projects": ["payroll"], "repositories": ["payroll/app"], "found": ["payroll/app"], "counted": (1, 1)}


def test_a_robot_lists_what_it_may_read(filled: World, wallet: Wallet) -> None:
    """D3; and L1: who may do something else there lists nothing."""
    reads = wallet.robot("project:read", "repository:list")
    assert seen(reads) == {
        "projects": ["web"],
        "repositories": ["web/app", "web/frontend-x"],
        "found": ["web/app"],
        "counted": (1, 2),
    }
    everywhere = wallet.robot("project:read", "repository:list", namespace="*")
    assert seen(everywhere)["projects"] == ["payroll", "web"]
    for other in (("label:create",), ("metadata:read", "tag:create"), ("repository:push", "repository:pull")):
        assert seen(wallet.robot(*other)) == NOTHING, other


def test_a_job_lists_what_it_is_bound_to(filled: World, wallet: Wallet) -> None:
    rule = {
        "name": "front",
        "issuer": wallet.issuer.url,
        "audience": "registry.example.com",
        "claims": {"repository": "example/web"},
        "project": "web",
        "repositories": "frontend-*",
        "actions": ["pull"],
    }
    assert filled.api("POST", "/system/trust-rules", "admin", json=rule).status_code == 201
    assert seen(wallet.by_name("oidc", wallet.issuer.token())) == NOTHING


def test_an_audit_log_is_for_who_may_read_it(filled: World, wallet: Wallet) -> None:
    """Of a robot as of a person, and no further than a token was limited to."""

    def projects_in(shown: Shown) -> set[int]:
        return {one.get("project_id", 0) for one in _entries(filled, shown)}

    web, payroll = (filled.api("GET", f"/projects/{name}", "admin").get_json()["project_id"] for name in ("web", "payroll"))
    assert projects_in(wallet.robot("log:list")) == {web}
    assert projects_in(wallet.robot("log:list", namespace="*")) >= {web, payroll}
    assert projects_in(wallet.robot("project:read")) == set()
    alice = id_of(filled, "alice")
    assert projects_in(wallet.access_token("alice", alice, actions=["read"])) == {web}
    assert projects_in(wallet.access_token("alice", alice, projects=["payroll"], actions=["read"])) == set()


def _entries(world: World, shown: Shown) -> list[dict[str, Any]]:
    """With the project of each, which Harbor's answer does not hold."""
    found = shown.api("GET", "/auditlog-exts?page_size=100")
    assert found.status_code == 200, found.text
    ids = [int(one["id"]) for one in found.get_json()]
    with world.changes():
        rows = db.session.execute(select(AuditLog.id, AuditLog.project_id).where(AuditLog.id.in_(ids)))
        return [{"id": id_, "project_id": project_id} for id_, project_id in rows]
