"""S25 S28 S29 S33 S41 S42 D5 F6 L8: single holes, each with its siblings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from authsvc.authn import sources
from authsvc.authn.backends.oidc import backend, claims
from authsvc.authn.backends.oidc import settings as oidc_settings
from authsvc.authn.onboarding import Proof, onboard
from authsvc.core import console
from authsvc.core.errors import PreconditionFailed
from authsvc.stack.prepare import _require_own
from authsvc.stack.rendering import NotReady
from authsvc.users import service as users
from authsvc.users.passwords import choose
from tests.support.console import runner
from tests.support.issuer import CiIssuer
from tests.support.world import World, basic
from tests.threats.credentials import CLIENT, URL, Wallet

SETTINGS = {"oidc_endpoint": "https://idp.example.com", "oidc_client_id": "c", "oidc_groups_claim": "groups"}


@pytest.mark.parametrize("shown", [None, "", "guessed", "\xe9\xff", "shown by nginx ", "shown by ngin"])
def test_nobody_but_nginx_says_from_where_a_request_comes(town: World, shown: str | None) -> None:
    """S25: any process of the host reaches our ports, and would be wherever a token is bound to."""
    body = {"name": "bound", "networks": ["10.9.8.7/32"]}
    token = town.api("POST", "/users/3/access-tokens", "bob", json=body).get_json()["token"]
    headers = basic("bob", token) | {"X-Real-IP": "10.9.8.7"}
    scope = {"service": "harbor-registry", "scope": "repository:web/a:pull"}
    assert town.client.get("/service/token", query_string=scope, headers=headers).status_code == 200
    direct = Client(town.front)
    more = {} if shown is None else {"HTTP_X_PROXY_SECRET": shown}
    for path in ("/service/token", "/api/v2.0/users/current"):
        assert direct.get(path, query_string=scope, headers=headers, environ_overrides=more).status_code == 403, path
    asked = headers | {"X-Gate-Method": "GET", "X-Gate-Uri": "/v2/web/a/manifests/latest"}
    assert direct.get("/internal/gate", headers=asked, environ_overrides=more).headers["X-Gate-Status"] == "403"


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_who_is_behind_a_command_is_not_his_to_say(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """S28"""
    before = console.actor()
    monkeypatch.setenv(name, "alice")
    assert console.actor() == before != "local:alice"


def test_a_robot_that_is_not_yours_and_one_that_is_not_are_alike(town: World, wallet: Wallet) -> None:
    """S29: by whatever way it is asked for."""
    wallet.robot()
    wallet.robot("repository:pull", namespace="*")
    (theirs,) = town.api("GET", "/projects/web/robots", "admin").get_json()
    (system,) = town.api("GET", "/robots", "admin").get_json()
    for method, suffix, body in (
        ("GET", "", None),
        ("PATCH", "", {"secret": ""}),
        ("DELETE", "", None),
        ("GET", "/secrets", None),
    ):
        for shown in (basic("mallory", "correct horse battery"), basic("bob", "correct horse battery")):
            texts = set()
            for robot_id in (theirs["id"], system["id"], 99_999):
                answer = town.api(method, f"/robots/{robot_id}{suffix}", headers=shown, json=body)
                texts.add((answer.status_code, answer.text))
            assert len(texts) == 1, texts
            assert texts.pop()[0] == 403
    assert town.api("GET", "/robots/99999", "admin").status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_site_ends_a_session(town: World, method: str, site: str) -> None:
    """S33: neither by a form nor by a picture."""
    browser = Client(town.nginx)
    login = {"principal": "alice", "password": "correct horse battery"}
    assert browser.post("/c/login", data=login, headers={"Origin": URL}, base_url=URL).status_code == 200
    refused = browser.open("/c/log_out", method=method, headers={"Sec-Fetch-Site": site}, base_url=URL)
    assert refused.status_code == 403
    assert browser.get("/api/v2.0/users/current", base_url=URL).status_code == 200
    ours = browser.open("/c/log_out", method=method, headers={"Sec-Fetch-Site": "same-origin"}, base_url=URL)
    assert ours.status_code == 200
    assert browser.get("/api/v2.0/users/current", base_url=URL).status_code == 401


@pytest.mark.parametrize(
    "where", ["javascript:alert(1)//", "data:text/html,x", "//evil.example", 7, None, "https://idp.example/end"]
)
def test_a_provider_sends_nobody_to_a_script(town: World, issuer: CiIssuer, monkeypatch: pytest.MonkeyPatch, where: Any) -> None:
    """S41"""
    documents = issuer.documents()
    documents["/.well-known/openid-configuration"]["end_session_endpoint"] = where
    monkeypatch.setattr(issuer, "documents", lambda: documents)
    with town.changes():
        settings = {"oidc_endpoint": issuer.url, "oidc_client_id": CLIENT, "oidc_logout": True}
        sources.save("test", "oidc", "default", settings)
    with town.front.flask.app_context():
        url = backend.logout_url("default")
    assert url == "" or (url.startswith("https://idp.example/end?") and where == "https://idp.example/end")
    assert bool(url) is (where == "https://idp.example/end")


def test_a_state_directory_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    """S42: whoever may write to it would swap our keys."""
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    _require_own(loose)
    assert loose.stat().st_mode & 0o7777 == 0o755
    if os.geteuid() == 0:
        os.chown(loose, 65534, 65534)
        with pytest.raises(NotReady, match="another user"):
            _require_own(loose)
    _require_own(tmp_path / "not there yet")


@pytest.mark.parametrize("kind", ["ldap", "oidc"])
def test_a_directorys_person_has_no_password_here(town: World, kind: Any) -> None:
    """D5: by command as by API, or it would log in when the directory is gone."""
    with town.changes():
        found = onboard(Proof(kind, "default", "x", "nora"))
    chosen = choose("something of our own")
    with town.changes(), pytest.raises(PreconditionFailed):
        users.set_password("t", users.get(found.account_id), chosen)
    refused = runner(town)("users", "reset-password", "nora", "--password-stdin", stdin="something of our own\n")
    assert isinstance(refused.exception, PreconditionFailed)
    body = {"new_password": "something of our own"}
    assert town.api("PUT", f"/users/{found.account_id}/password", "admin", json=body).status_code == 412


@pytest.mark.parametrize(
    "said",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"hasgroups": True},
        {"groups": {"a": 1}},
        {"groups": 7},
        {"groups": True},
        {"groups": ["g"] * 20_000},
    ],
)
def test_groups_that_are_not_told_are_not_gone(said: dict[str, Any]) -> None:
    """F6: unknown, be it at a login or by an ID token."""
    parsed = oidc_settings.parse(SETTINGS | {"oidc_admin_group": "admins"})
    for whole in (True, False):
        assert claims.proof("default", parsed, {"sub": "1"} | said, "x", whole=whole).groups is None


def test_groups_that_are_told() -> None:
    parsed = oidc_settings.parse(SETTINGS)

    def groups(said: dict[str, Any], *, whole: bool = True) -> list[str] | None:
        found = claims.proof("default", parsed, {"sub": "1"} | said, "x", whole=whole).groups
        return None if found is None else [group.name for group in found]

    assert groups({"groups": [f"g{number}" for number in range(1500)]}) == [f"g{number}" for number in range(1500)]
    assert groups({"groups": '["a", "b"]'}) == ["a", "b"]
    assert groups({"groups": "a, b"}) == ["a", "b"]
    assert groups({"groups": "[ops], b"}) == ["[ops]", "b"]
    assert groups({"groups": []}) == []
    assert (groups({}), groups({}, whole=False)) == ([], None)


@pytest.mark.parametrize(("said", "kept"), [(False, ""), ("false", ""), (True, "a@b.example"), (None, "a@b.example")])
def test_an_address_that_is_not_verified_is_not_taken(said: Any, kept: str) -> None:
    """S23"""
    given = {"sub": "1", "email": "a@b.example"} | ({"email_verified": said} if said is not None else {})
    assert claims.proof("default", oidc_settings.parse(SETTINGS), given, "x").email == kept
