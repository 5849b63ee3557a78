"""The pages of directories and providers: made, changed item by item, deleted; their secrets are never shown."""

from __future__ import annotations

import re

import pytest

from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/sources"
CORP = f"{THERE}/ldap/corp"
SECRET = "the search account's"
DIRECTORY = {
    "enabled": "true",
    "ldap_url": "ldap://directory.example.com",
    "ldap_base_dn": "dc=example,dc=com",
    "ldap_uid": "uid",
    "ldap_search_dn": "cn=reader,dc=example,dc=com",
    "ldap_search_password": SECRET,
}


@pytest.fixture
def boss(world: World) -> Visitor:
    world.user("root", sysadmin=True)
    visitor = Visitor(world)
    visitor.sign_in("root")
    return visitor


def stored(world: World) -> dict[str, object]:
    """name -> settings, with the secrets"""
    from authsvc.authn import sources

    with world.changes():
        return {
            f"{one.kind}/{one.name}": dict(one.settings) | {"enabled": one.enabled}
            for one in sources.of_kind("ldap", enabled_only=False)
        }


def test_one_is_made_changed_and_deleted(world: World, boss: Visitor) -> None:
    assert boss.get(f"{THERE}?kind=ldap&name=corp").headers["Location"] == CORP
    assert ": new" in boss.page(CORP).text
    assert boss.post(CORP, DIRECTORY).headers["Location"] == CORP
    assert stored(world)["ldap/corp"]["ldap_search_password"] == SECRET  # type: ignore[index]
    for page in (boss.get(THERE), boss.get(CORP)):
        assert "directory.example.com" in page.text
        assert SECRET not in page.text
    assert (
        boss.post(CORP, DIRECTORY | {"ldap_search_password": "", "ldap_filter": "(mail=*)", "enabled": "false"}).status_code
        == 303
    )
    after = stored(world)["ldap/corp"]
    assert (after["ldap_search_password"], after["ldap_filter"], after["enabled"]) == (SECRET, "(mail=*)", False)  # type: ignore[index]
    assert boss.post(CORP, action="delete").headers["Location"] == THERE
    assert stored(world) == {}


def test_what_was_not_changed_is_not_sent(world: World, boss: Visitor) -> None:
    assert boss.post(CORP, DIRECTORY).status_code == 303
    text = boss.get(CORP).text
    form = dict(re.findall(r'<input class="form-control" id="(\w+)"[^>]* value="([^"]*)"', text))
    before = stored(world)
    assert boss.post(CORP, form | {"enabled": "true"}).status_code == 303
    assert stored(world) == before


def test_a_password_does_not_follow_to_another_address(world: World, boss: Visitor) -> None:
    assert boss.post(CORP, DIRECTORY).status_code == 303
    moved = DIRECTORY | {"ldap_url": "ldap://elsewhere.example.com", "ldap_search_password": ""}
    boss.post(CORP, moved)
    assert SECRET not in str(stored(world)["ldap/corp"])


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        (CORP, {"ldap_url": "http://x"}, 400),
        (CORP, {"ldap_base_dn": ""}, 400),
        (CORP, {"ldap_filter": "((("}, 400),
        (CORP, {"ldap_scope": "7"}, 400),
        (CORP, {"ldap_verify_cert": "perhaps"}, 400),
        (CORP, {"ldap_ca": "no certificate"}, 400),
        (f"{THERE}/ldap/Not%20a%20name", {}, 400),
        (f"{THERE}/saml/corp", {}, 404),
    ],
)
def test_what_cannot_be_used_is_said(world: World, boss: Visitor, path: str, changes: dict[str, str], status: int) -> None:
    refused = boss.post(path, DIRECTORY | changes)
    assert (refused.status_code, refused.mimetype) == (status, "text/html")
    assert SECRET not in refused.text
    assert stored(world) == {}
    assert boss.get(f"{THERE}?kind=saml&name=corp").status_code == 200
    assert see(boss.get(f"{THERE}/ldap/%3Cimg%3E")).tags.count("img") == 0


def test_nobody_else_sees_or_changes_them(world: World, boss: Visitor) -> None:
    world.user("alice")
    alice = Visitor(world)
    for visitor, seen, done in ((Visitor(world), 302, 401), (alice, 403, 403)):
        if done == 403:
            alice.sign_in("alice")
        for path in (THERE, CORP):
            assert visitor.get(path).status_code == seen
        assert visitor.post(CORP, DIRECTORY).status_code == done
    assert stored(world) == {}
    assert boss.get(THERE).status_code == 200
