"""The page of what a project keeps: rules, their schedule, a trial, a run; and nobody else's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authsvc.jobs import service as jobs
from tests.gate.conftest import Site
from tests.support.visitor import Visitor, see

RULE = {"repositories": "**", "tags": "**", "template": "latestPushedK", "number": "1", "untagged": "true"}


def visitor(site: Site, name: str) -> Visitor:
    one = Visitor(site.world)
    one.sign_in(name)
    return one


@pytest.fixture
def keeper(site: Site) -> Visitor:
    return visitor(site, "developer")


def there(site: Site) -> str:
    return f"/projects/{site.project}/retention"


def seen(one: Visitor, path: str) -> str:
    return str(re.findall(r'name="seen" value="(\w+)"', one.get(path).text)[0])


def add(one: Visitor, path: str, **changes: str) -> int:
    return one.post(f"{path}/rules", RULE | changes, seen=seen(one, path)).status_code


def policy(site: Site) -> dict[str, Any]:
    project = site.world.api("GET", f"/projects/{site.project}", "admin").get_json()
    return dict(site.world.api("GET", f"/retentions/{project['metadata']['retention_id']}", "admin").get_json())


def test_rules_are_added_switched_and_deleted(site: Site, keeper: Visitor) -> None:
    path = there(site)
    assert "No rule: everything is kept." in keeper.page(path).text
    assert add(keeper, path) == 303
    assert add(keeper, path, template="nDaysSinceLastPull", number="7", tags="dev-*", tags_excluded="true") == 303
    (first, second) = policy(site)["rules"]
    assert (first["template"], first["params"]) == ("latestPushedK", {"latestPushedK": 1})
    assert second["tag_selectors"] == [
        {"kind": "doublestar", "decoration": "excludes", "pattern": "dev-*", "extras": '{"untagged": true}'}
    ]
    assert "all but dev-*" in keeper.page(path).text
    assert keeper.post(f"{path}/rules/0", action="disable", seen=seen(keeper, path)).headers["Location"] == path
    assert [rule.get("disabled", False) for rule in policy(site)["rules"]] == [True, False]
    assert keeper.post(f"{path}/rules/0", action="delete", seen=seen(keeper, path)).status_code == 303
    assert [rule["template"] for rule in policy(site)["rules"]] == ["nDaysSinceLastPull"]


def test_who_saw_other_rules_changes_nothing(site: Site, keeper: Visitor) -> None:
    """The third rule of a page that is old by now is not the third rule."""
    path = there(site)
    old = seen(keeper, path)
    assert add(keeper, path) == 303
    for target, form in (
        ("rules", RULE | {"number": "2"}),
        ("rules/0", {"action": "delete"}),
        ("schedule", {"cron": "0 0 0 * * *"}),
    ):
        for stale in (old, "", "x"):
            refused = keeper.post(f"{path}/{target}", form, seen=stale)
            assert (refused.status_code, "changed this meanwhile" in refused.text) == (409, True)
    assert len(policy(site)["rules"]) == 1


def test_what_cannot_be_is_said(site: Site, keeper: Visitor) -> None:
    path = there(site)
    assert add(keeper, path) == 303
    for changes, status in (
        ({}, 409),
        ({"template": "never"}, 400),
        ({"number": "many"}, 400),
        ({"number": ""}, 400),
        ({"tags": ""}, 400),
        ({"repositories": "{a"}, 400),
        ({"tags": "x" * 2000}, 400),
        ({"tags": "a\0"}, 400),
    ):
        assert add(keeper, path, **changes) == status, changes
    assert keeper.post(f"{path}/rules/7", action="delete", seen=seen(keeper, path)).status_code == 404
    assert keeper.post(f"{path}/rules/0", action="explode", seen=seen(keeper, path)).status_code == 400
    assert keeper.post(f"{path}/schedule", cron="soon", seen=seen(keeper, path)).status_code == 400
    assert len(policy(site)["rules"]) == 1


def test_it_is_scheduled(site: Site, keeper: Visitor) -> None:
    path = there(site)
    assert add(keeper, path) == 303
    assert keeper.post(f"{path}/schedule", cron="0 30 2 * * 6", seen=seen(keeper, path)).status_code == 303
    assert policy(site)["trigger"]["settings"]["cron"] == "0 30 2 * * 6"
    assert "Next time" in keeper.page(path).text
    assert keeper.post(f"{path}/schedule", cron="", seen=seen(keeper, path)).status_code == 303
    assert "Next time" not in keeper.page(path).text


def test_a_trial_and_a_run_are_started_and_shown(site: Site, keeper: Visitor) -> None:
    path = there(site)
    assert keeper.post(f"{path}/runs", dry_run="true").status_code == 400, "there is no rule"
    assert site.put("v1", site.manifest()).status_code == 201
    assert add(keeper, path) == 303
    for dry in ("true", "false"):
        started = keeper.post(f"{path}/runs", dry_run=dry)
        assert started.status_code == 303
        shown = keeper.page(started.headers["Location"])
        assert ("trial" in shown.text, "app: Pending" in shown.text) == (dry == "true", True)
    with site.world.changes():
        executions = [jobs.get_any(number).extra_attrs["dry_run"] for number in (1, 2)]
        assert executions == [True, False]
        other = jobs.begin("RETENTION", "MANUAL", 4711, {"dry_run": True, "rules": []}).id
        reconciled = jobs.launch("RECONCILE", "MANUAL").id
    for number in (other, reconciled, 999999):
        assert keeper.get(f"{path}/runs/{number}").status_code == 404, "of another policy or kind"


@pytest.mark.parametrize("name", ["guest", "limitedGuest", "stranger", None])
def test_others_change_and_start_nothing(site: Site, keeper: Visitor, name: str | None) -> None:
    path = there(site)
    assert add(keeper, path) == 303
    fresh = seen(keeper, path)
    one = visitor(site, name) if name else Visitor(site.world)
    shown = one.get(path)
    assert shown.status_code == (403 if name else 302)
    assert fresh not in see(shown).text
    for target, form in (
        ("rules", RULE),
        ("rules/0", {"action": "delete"}),
        ("schedule", {"cron": ""}),
        ("runs", {"dry_run": "false"}),
    ):
        assert one.post(f"{path}/{target}", form, seen=fresh).status_code == (403 if name else 401)
    assert len(policy(site)["rules"]) == 1
