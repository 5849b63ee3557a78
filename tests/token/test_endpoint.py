"""The token endpoint's protocol: what docker, containerd, podman, BuildKit and crane rely on."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authsvc.core.db import db
from authsvc.rbac.roles import Role
from authsvc.secrets import service as secrets
from authsvc.secrets.models import Secret
from authsvc.users import service as users
from authsvc.users.passwords import choose
from tests.support.world import PASSWORD, World, basic, claims_of, granted_by


@pytest.fixture
def alice(world: World) -> World:
    """alice is developer in the private project `web`; `library` is public."""
    world.user("alice")
    world.project("web", 1)
    world.project("library", 1, public=True)
    world.member("web", "alice", Role.DEVELOPER)
    return world


def post(world: World, **form: str) -> TestResponse:
    return world.client.post("/service/token", data=form)


def test_a_token_answer_has_all_that_any_client_reads(alice: World) -> None:
    before = int(time.time())
    response = alice.token("repository:web/app:pull,push", who="alice", account="alice", client_id="docker")
    body: dict[str, Any] = response.get_json()
    assert response.status_code == 200
    assert response.content_type.startswith("application/json")
    assert response.headers["Cache-Control"] == "no-store"
    assert body["token"] == body["access_token"]
    assert body["expires_in"] == 300
    issued = datetime.fromisoformat(body["issued_at"])
    claims = claims_of(body["token"])
    assert claims["iat"] == claims["nbf"] == int(issued.timestamp())
    assert before <= claims["iat"] <= int(time.time())
    assert claims["exp"] - claims["iat"] == 300
    assert claims["aud"] == "harbor-registry"
    assert (claims["iss"], claims["sub"]) == ("tidegate", "alice")
    assert claims["access"] == [{"type": "repository", "name": "web/app", "actions": ["pull", "push"]}]
    assert "refresh_token" not in body


def test_scopes_come_repeated_and_in_one_value_and_are_merged(alice: World) -> None:
    granted = alice.granted("repository:web/a:push repository:library/b:pull,push", "repository:web/a:pull", who="alice")
    assert granted == {"web/a": ["pull", "push"], "library/b": ["pull"]}


def test_asterisk_is_expanded_to_what_is_held(alice: World) -> None:
    assert alice.granted("repository:web/a:*", who="alice") == {"web/a": ["pull", "push"]}
    assert alice.granted("repository:web/a:*", who="admin") == {"web/a": ["pull", "push", "delete"]}


def test_a_stranger_cannot_tell_a_private_project_from_none(alice: World) -> None:
    scopes = ("repository:web/app:pull", "repository:nowhere/app:pull")
    assert alice.granted(*scopes) == {"web/app": [], "nowhere/app": []}


def test_nobody_gets_public_pulls_only(alice: World) -> None:
    assert alice.granted("repository:library/a:pull,push,delete") == {"library/a": ["pull"]}
    assert claims_of(alice.token("repository:library/a:pull").get_json()["token"])["sub"] == ""


def test_the_catalog_is_for_administrators(alice: World) -> None:
    assert alice.granted("registry:catalog:*", who="admin") == {"catalog": ["*"]}
    assert alice.granted("registry:catalog:*", who="alice") == {"catalog": []}
    assert alice.granted("registry:catalog:*") == {"catalog": []}


def test_no_scope_and_no_credentials_is_401_as_docker_login_needs(alice: World) -> None:
    response = alice.token()
    assert response.status_code == 401
    assert response.get_json()["errors"][0] == {"code": "UNAUTHORIZED", "message": "authentication required"}


@pytest.mark.parametrize("scope", [(), ("repository:library/a:pull",)])
def test_wrong_credentials_never_become_anonymous(alice: World, scope: tuple[str, ...]) -> None:
    query = {"service": "harbor-registry", "scope": list(scope)}
    for header in (basic("alice", "wrong"), basic("nobody"), {"Authorization": "Basic ###"}, {"Authorization": "Digest x"}):
        response = alice.client.get("/service/token", query_string=query, headers=header)
        assert response.status_code == 401, header
        assert response.get_json()["errors"][0]["code"] == "UNAUTHORIZED"
        assert "token" not in response.get_json()


def test_an_unknown_service_is_400(alice: World) -> None:
    response = alice.client.get("/service/token?service=elsewhere", headers=basic("alice"))
    assert response.status_code == 400
    assert response.get_json()["errors"][0]["message"] == "Unable to handle service: elsewhere"


def test_service_may_be_absent(alice: World) -> None:
    assert alice.client.get("/service/token", headers=basic("alice")).status_code == 200


def test_a_disabled_account_is_told_so_after_the_right_password_only(alice: World) -> None:
    with alice.changes():
        users.set_disabled("test", users.get_by_name("alice"), True)
    right = alice.token(who="alice")
    assert (right.status_code, right.get_json()["errors"][0]["code"]) == (403, "DENIED")
    assert "disabled" in right.get_json()["errors"][0]["message"]
    wrong = alice.client.get("/service/token", headers=basic("alice", "wrong"))
    assert wrong.status_code == 401
    assert "disabled" not in wrong.text


def test_docker_login_gets_a_refresh_token_that_replaces_the_password(alice: World) -> None:
    login = alice.token(who="alice", offline_token="true", client_id="docker", account="alice").get_json()
    refresh = login["refresh_token"]
    assert refresh.startswith("tgr_")
    again = post(
        alice, grant_type="refresh_token", refresh_token=refresh, service="harbor-registry", client_id="docker",
        scope="repository:web/a:pull,push",
    )  # fmt: skip
    assert again.status_code == 200
    assert granted_by(again.get_json()["access_token"]) == {"web/a": ["pull", "push"]}
    assert "refresh_token" not in again.get_json()
    for name in ("", "<token>"):  # BuildKit's daemon and credential helpers
        response = alice.client.get("/service/token?scope=repository:web/a:pull", headers=basic(name, refresh))
        assert granted_by(response.get_json()["token"]) == {"web/a": ["pull"]}


def test_containerd_posts_the_password(alice: World) -> None:
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD, "service": "harbor-registry"}
    body = post(alice, **form, client_id="containerd-client", scope="repository:web/a:pull").get_json()
    assert granted_by(body["access_token"]) == {"web/a": ["pull"]}
    assert body["scope"] == "repository:web/a:pull"
    offline = post(alice, **form, access_type="offline").get_json()
    assert offline["refresh_token"].startswith("tgr_")


def test_podman_posts_repeated_scopes(alice: World) -> None:
    refresh = alice.token(who="alice", offline_token="true").get_json()["refresh_token"]
    form = f"grant_type=refresh_token&refresh_token={refresh}&scope=repository:web/a:pull&scope=repository:library/b:pull"
    response = alice.client.post("/service/token", data=form, content_type="application/x-www-form-urlencoded")
    assert granted_by(response.get_json()["access_token"]) == {"web/a": ["pull"], "library/b": ["pull"]}


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "alice", "password": "wrong"}, 401, "invalid_grant"),
        ({"grant_type": "password", "username": "alice", "password": ""}, 401, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "tgr_nonsense"}, 401, "invalid_grant"),
        ({"grant_type": "refresh_token"}, 401, "invalid_grant"),
    ],
)
def test_bad_forms_have_a_reason_for_both_kinds_of_client(alice: World, form: dict[str, str], status: int, error: str) -> None:
    response = post(alice, **form)
    body = response.get_json()
    assert (response.status_code, body["error"]) == (status, error)
    assert body["errors"][0]["message"]


def test_other_methods_are_405(alice: World) -> None:
    response = alice.client.delete("/service/token")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")


def test_a_body_that_is_too_long_or_of_another_type_is_refused(alice: World) -> None:
    assert alice.client.post("/service/token", data={"x": "y" * 70_000}).status_code == 400
    assert alice.client.post("/service/token", json={"grant_type": "password"}).status_code == 400


def test_refresh_tokens_are_stored_hashed_and_end_with_the_password(alice: World) -> None:
    refresh = alice.token(who="alice", offline_token="true").get_json()["refresh_token"]
    chosen = choose("another good one")
    with alice.changes():
        stored = db.session.query(Secret).one()
        assert refresh not in (stored.digest, stored.name)
        users.set_password("test", users.get_by_name("alice"), chosen)
    response = post(alice, grant_type="refresh_token", refresh_token=refresh)
    assert response.status_code == 401


def test_logins_do_not_pile_up(alice: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `docker login` is given a token that is good for months; those that were used last stay."""
    monkeypatch.setattr(secrets, "_MOST", 8)
    given = [alice.token(who="alice", offline_token="true").get_json()["refresh_token"] for _ in range(16)]
    assert post(alice, grant_type="refresh_token", refresh_token=given[0]).status_code == 401
    used = given[10]
    assert post(alice, grant_type="refresh_token", refresh_token=used).status_code == 200
    alice.front._token._uses.flush()
    given += [alice.token(who="alice", offline_token="true").get_json()["refresh_token"] for _ in range(6)]
    listed = alice.api("GET", "/users/2/refresh-tokens?page_size=100", "alice").get_json()
    assert 8 <= len(listed) <= 8 + 3
    outcomes = [post(alice, grant_type="refresh_token", refresh_token=token).status_code for token in given]
    assert outcomes[:10] == [401] * 10
    assert outcomes[10] == 200, "it was used after the others"
    assert outcomes[-7:] == [200] * 7


def test_a_used_refresh_token_shows_when_and_from_where(alice: World) -> None:
    refresh = alice.token(who="alice", offline_token="true", client_id="docker").get_json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": "repository:web/a:pull"}
    alice.client.post("/service/token", data=form, headers={"X-Real-Ip": "10.9.8.7"})
    alice.front._token._uses.flush()
    listed = alice.api("GET", "/users/2/refresh-tokens", "alice").get_json()
    assert [(entry["client"], entry["last_address"]) for entry in listed] == [("docker", "10.9.8.7")]
    assert refresh not in str(listed)
    assert alice.api("DELETE", f"/users/2/refresh-tokens/{listed[0]['id']}", "alice").status_code == 200
    assert alice.client.post("/service/token", data=form).status_code == 401


def test_a_token_is_reused_for_the_same_question_only(alice: World) -> None:
    first, again = (alice.token("repository:web/a:pull", who="alice").get_json()["token"] for _ in range(2))
    assert first == again
    assert alice.token("repository:web/a:pull", who="admin").get_json()["token"] != first
    assert alice.token("repository:web/b:pull", who="alice").get_json()["token"] != first


def test_a_role_taken_away_is_gone_from_the_next_token(alice: World) -> None:
    assert alice.granted("repository:web/a:pull,push", who="alice") == {"web/a": ["pull", "push"]}
    listed = alice.api("GET", "/projects/web/members", "admin").get_json()
    member = next(entry["id"] for entry in listed if entry["entity_name"] == "alice")
    assert alice.api("DELETE", f"/projects/web/members/{member}", "admin").status_code == 200
    assert alice.granted("repository:web/a:pull,push", who="alice") == {"web/a": []}
