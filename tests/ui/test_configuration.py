"""The configuration item by item: shown with default and last change, changed one by one, and by nobody else."""

from __future__ import annotations

import re

import pytest

from authsvc.configuration.items import ITEMS
from authsvc.configuration.pages import SECTIONS
from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/configuration"
# Obeyed by what comes later, or by the pages of what they belong to.
ELSEWHERE = {"primary_auth_mode", "scan_all_policy", "scanner_skip_update_pulltime"}


@pytest.fixture
def boss(world: World) -> Visitor:
    world.user("root", sysadmin=True)
    visitor = Visitor(world)
    visitor.sign_in("root")
    return visitor


def written(boss: Visitor) -> dict[str, str]:
    """What the form would send as it is."""
    text = boss.get(THERE).text
    fields = dict(re.findall(r'<input class="form-control" id="(\w+)"[^>]* value="([^"]*)"', text))
    for name, options in re.findall(r'<select class="form-select" id="(\w+)".*?>(.*?)</select>', text, re.DOTALL):
        fields[name] = re.findall(r'<option value="(\w+)" selected', options)[0]
    fields |= dict(re.findall(r'<textarea class="form-control" id="(\w+)"[^>]*>(.*?)</textarea>', text, re.DOTALL))
    return fields


def values(world: World) -> dict[str, object]:
    return {name: one["value"] for name, one in world.api("GET", "/configurations", "root").get_json().items()}


def test_every_item_that_is_obeyed_is_there(boss: Visitor) -> None:
    shown = {name for section in SECTIONS.values() for name in section}
    not_served = {name for name in ITEMS if name.startswith(("uaa_", "http_authproxy_"))}
    assert shown == ITEMS.keys() - not_served - ELSEWHERE
    assert written(boss).keys() == shown
    text = boss.page(THERE).text
    for name in shown:
        assert name in text


def test_saving_what_is_there_changes_nothing(world: World, boss: Visitor) -> None:
    before = values(world)
    assert boss.post(THERE, written(boss)).headers["Location"] == THERE
    assert values(world) == before
    assert "Changed by" not in boss.page(THERE).text


def test_items_are_changed_and_it_is_said_by_whom(world: World, boss: Visitor) -> None:
    form = written(boss) | {"session_timeout": "30", "self_registration": "true", "banner_message": "Down <b>at</b> noon"}
    assert boss.post(THERE, form).status_code == 303
    found = values(world)
    assert (found["session_timeout"], found["self_registration"]) == (30, True)
    page = boss.page(THERE)
    assert "Down <b>at</b> noon" in page.text
    assert "b" not in page.tags
    assert page.text.count("Changed by root") == 3
    assert boss.post(THERE, written(boss) | {"banner_message": ""}).status_code == 303
    assert values(world)["banner_message"] == ""


def test_two_administrators_change_two_items(world: World, boss: Visitor) -> None:
    """Whoever saves a page that is old by now takes nothing back that somebody else has changed, if it sends what it saw."""
    assert world.api("PUT", "/configurations", "admin", json={"robot_token_duration": 7}).status_code == 200
    assert boss.post(THERE, session_timeout="45").status_code == 303
    assert (values(world)["robot_token_duration"], values(world)["session_timeout"]) == (7, 45)


@pytest.mark.parametrize(
    ("name", "value"),
    [("session_timeout", "soon"), ("session_timeout", "0"), ("token_expiration", "61"), ("storage_per_project", "1 GB"),
     ("project_creation_restriction", "nobody"), ("robot_name_prefix", ""), ("read_only", "perhaps"), ("foreign_layer_hosts", "a b"),
     ("skip_audit_log_database", "true"), ("audit_log_forward_ca", "no certificate")],
)  # fmt: skip
def test_what_cannot_be_used_is_said_and_kept_in_the_form(world: World, boss: Visitor, name: str, value: str) -> None:
    before, form = values(world), written(boss) | {"robot_token_duration": "9", name: value}
    refused = boss.post(THERE, form)
    assert refused.status_code == 400, refused.text
    assert "alert" in refused.text
    assert values(world) == before
    if value and name not in ("read_only", "project_creation_restriction", "skip_audit_log_database"):
        assert value in see(refused).text or f'value="{value}"' in refused.text


def test_no_prefix_makes_robots_of_people(world: World, boss: Visitor) -> None:
    """What the API refuses is refused here, since it is the same verb."""
    world.user("ci-alice")
    refused = boss.post(THERE, robot_name_prefix="ci-")
    assert (refused.status_code, "ci-" in refused.text) == (400, True)
    assert values(world)["robot_name_prefix"] == "robot$"


def test_read_only_mode_can_be_ended(world: World, boss: Visitor) -> None:
    assert boss.post(THERE, read_only="true").status_code == 303
    assert boss.post("/new-project", name="web").status_code == 403
    assert boss.post(THERE, read_only="false").status_code == 303
    assert boss.post("/new-project", name="web").status_code == 303


def test_nobody_else_reads_or_changes_it(world: World, boss: Visitor) -> None:
    world.user("alice")
    alice = Visitor(world)
    for visitor, status in ((Visitor(world), 401), (alice, 403)):
        if status == 403:
            alice.sign_in("alice")
        assert visitor.get(THERE).status_code in (302, 403)
        assert visitor.post(THERE, self_registration="true").status_code == status
    assert values(world)["self_registration"] is False
