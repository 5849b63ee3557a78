"""Names that nobody has: mistyped ones are said, wherever names are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from authsvc.core.errors import BadRequest
from tests.support.console import Run
from tests.support.world import World


@pytest.mark.parametrize("list_of", ["/projects", "/users", "/auditlog-exts", "/registries", "/robots", "/usergroups"])
def test_keys_of_queries(world: World, list_of: str) -> None:
    answer = world.api("GET", f"{list_of}?q=nosuch=x", "admin")
    assert answer.status_code == 400
    assert "there is no key nosuch to ask by" in answer.get_json()["errors"][0]["message"]


@pytest.mark.parametrize(("path", "item"), [("/ldap/directories/typo", "ldap_ulr"), ("/system/oidc/providers/typo", "oidc_nam")])
def test_items_of_directories_and_providers(world: World, path: str, item: str) -> None:
    answer = world.api("PUT", path, "admin", json={"enabled": False, "position": 1, "settings": {item: "x"}})
    assert answer.status_code == 400, answer.text
    assert f"there is no item {item}" in answer.get_json()["errors"][0]["message"]


def test_a_directory_by_command(run: Run, tmp_path: Path) -> None:
    assert "there is no item ldap_ulr" in str(run("ldap", "set", "default", "ldap_ulr=ldaps://x").exception)
    assert run("ldap", "set", "default", "ldap_url=ldaps://x", "ldap_base_dn=dc=x").exit_code == 0
    assert run("ldap", "set", "default", "--password-stdin", stdin="a secret\n").exit_code == 0
    no_authority = tmp_path / "ca.der"
    no_authority.write_bytes(b"\xff\xfe")
    refused = run("ldap", "set", "default", "--ca", str(no_authority))
    assert isinstance(refused.exception, BadRequest)
    assert "ldap_ca" in str(refused.exception)
