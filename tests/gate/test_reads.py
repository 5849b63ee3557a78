"""What nginx is told when it asks whether a request may pass; and that what was taken away is gone at the next one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.passwords import choose
from authsvc.wsgi import Front
from tests.gate.conftest import Site
from tests.support.world import World, basic, claims_of, granted_by

DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Answer:
    """What the client would see; status 0: it passes."""

    status: int
    code: str = ""
    message: str = ""
    challenge: str = ""
    authorization: str = ""


def ask(world: World, method: str, uri: str, headers: dict[str, str], **more: str) -> Answer:
    told = {"X-Gate-Method": method, "X-Gate-Uri": uri, "X-Real-IP": "192.0.2.7"} | more
    response: TestResponse = world.client.get("/internal/gate", headers=told | headers)
    if response.status_code == 204:
        return Answer(0, authorization=response.headers.get("X-Gate-Authorization", ""))
    assert response.status_code == 403, response.status
    error: dict[str, Any] = json.loads(response.headers["X-Gate-Body"])["errors"][0]
    return Answer(
        int(response.headers["X-Gate-Status"]), error["code"], error["message"], response.headers.get("X-Gate-Challenge", "")
    )


def pull(site: Site, headers: dict[str, str], world: World | None = None) -> Answer:
    return ask(world or site.world, "GET", f"/v2/{site.repository}/manifests/v1", headers)


def test_nobody_is_asked_to_log_in(site: Site) -> None:
    realm = 'Bearer realm="https://localhost:8443/service/token",service="harbor-registry"'
    assert ask(site.world, "GET", "/v2/", {}) == Answer(401, "UNAUTHORIZED", "authentication required", realm)
    assert pull(site, {}).challenge == f'{realm},scope="repository:{site.repository}:pull"'
    upload = ask(site.world, "POST", f"/v2/{site.repository}/blobs/uploads/?mount={DIGEST}&from=q/b", {})
    assert upload.challenge == f'{realm},scope="repository:{site.repository}:pull,push repository:q/b:pull"'
    assert pull(site, {"Authorization": "Bearer forged"}).challenge.endswith(',error="invalid_token"')
    wrong = pull(site, basic("guest", "wrong"))
    assert (wrong.status, wrong.challenge) == (401, f'{realm},scope="repository:{site.repository}:pull"')


def test_a_token_passes_for_what_it_says(site: Site) -> None:
    token = site.bearer(f"repository:{site.repository}:pull", "guest")
    assert pull(site, token) == Answer(0)
    assert ask(site.world, "HEAD", f"/v2/{site.repository}/blobs/{DIGEST}", token) == Answer(0)
    assert ask(site.world, "GET", "/v2/", token) == Answer(0)
    other = ask(site.world, "GET", f"/v2/{site.project}/other/manifests/v1", token)
    assert (other.status, other.code) == (401, "UNAUTHORIZED")
    assert other.challenge.endswith(f'scope="repository:{site.project}/other:pull",error="insufficient_scope"')
    push = ask(site.world, "POST", f"/v2/{site.repository}/blobs/uploads/", token)
    assert (push.status, push.code, push.challenge) == (403, "DENIED", "")
    assert "guest is guest in" in push.message
    assert "decision " in push.message


def test_a_password_passes_and_is_changed_for_a_token(site: Site) -> None:
    answer = pull(site, basic("guest"))
    assert answer.status == 0
    token = answer.authorization.removeprefix("Bearer ")
    assert granted_by(token) == {site.repository: ["pull"]}
    assert claims_of(token)["sub"] == "guest"
    assert pull(site, basic("guest")).authorization == answer.authorization, "one signature serves many requests"
    assert pull(site, {"Authorization": answer.authorization}) == Answer(0)
    assert ask(site.world, "GET", "/v2/", basic("guest")).status == 0


def test_manifests_are_never_written_past_the_write_path(site: Site) -> None:
    token = site.bearer(f"repository:{site.repository}:pull,push,delete", "maintainer")
    for method in ("PUT", "DELETE", "POST", "PATCH"):
        assert ask(site.world, method, f"/v2/{site.repository}/manifests/v1", token).status == 405


def test_a_stranger_cannot_tell_private_from_missing(site: Site) -> None:
    for headers in (basic("stranger"), site.bearer(f"repository:{site.repository}:pull", "stranger")):
        known = pull(site, headers)
        missing = ask(site.world, "GET", "/v2/no-such/app/manifests/v1", headers)
        cut = [answer.message.rpartition("decision")[0].replace(site.project, "no-such") for answer in (known, missing)]
        assert cut[0] == cut[1]
        assert (known.status, known.code) == (missing.status, missing.code) == (403, "DENIED")
    anonymous = site.bearer(f"repository:{site.repository}:pull", None)
    known, missing = pull(site, anonymous), ask(site.world, "GET", "/v2/no-such/app/manifests/v1", anonymous)
    assert known.message.replace(site.project, "no-such") == missing.message
    assert known.status == missing.status == 401
    assert ask(site.world, "GET", "/v2/no-such/app/manifests/v1", basic("admin")).code == "NAME_UNKNOWN"


def role_removed(site: Site) -> None:
    members.remove(
        "t",
        projects.get_by_name(site.project),
        members.id_of(projects.get_by_name(site.project), users.get_by_name("guest")) or 0,
    )


def user_disabled(_: Site) -> None:
    users.set_disabled("t", users.get_by_name("guest"), True)


def user_deleted(_: Site) -> None:
    users.delete("t", users.get_by_name("guest"))


def password_changed(_: Site) -> None:
    chosen = choose("something else entirely")
    users.set_password("t", users.get_by_name("guest"), chosen)


def user_recreated(site: Site) -> None:
    chosen = choose("correct horse battery")
    users.delete("t", users.get_by_name("guest"))
    again = users.create("t", username="guest", password=chosen, email="guest@example.com")
    members.add(operator("t"), projects.get_by_name(site.project), again, Role.PROJECT_ADMIN)


def project_recreated(site: Site) -> None:
    projects.delete("t", projects.get_by_name(site.project))
    site.project_id = projects.create("t", 1, site.project, {"public": "true"}).id


def project_deleted(site: Site) -> None:
    projects.delete("t", projects.get_by_name(site.project))


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        (role_removed, 403, "holds no role in it"),
        (user_disabled, 403, "is disabled"),
        (user_deleted, 401, "the account is gone"),
        (user_recreated, 401, "the account is gone"),
        (password_changed, 401, "credentials were changed"),
        (project_recreated, 401, "that is gone"),
        (project_deleted, 401, "that is gone"),
    ],
)
def test_what_was_taken_away_is_gone_from_every_process_at_the_next_request(
    site: Site, change: Callable[[Site], None], status: int, says: str
) -> None:
    token = site.bearer(f"repository:{site.repository}:pull", "guest")
    other = World(Front(site.world.front.flask.config["TIDEGATE"]))
    assert pull(site, token) == pull(site, token, other) == Answer(0)
    with site.world.changes():
        change(site)
    for world in (site.world, other):
        answer = pull(site, token, world)
        assert (answer.status, says in answer.message) == (status, True), answer
        assert answer.challenge.endswith('error="invalid_token"') == (status == 401)
    other.close()


def test_public_and_private_again(site: Site) -> None:
    with site.world.changes():
        projects.update(operator("t"), projects.get_by_name(site.project), {"public": "true"})
    token = site.bearer(f"repository:{site.repository}:pull", "stranger")
    anonymous = site.bearer(f"repository:{site.repository}:pull", None)
    assert pull(site, token) == pull(site, anonymous) == Answer(0)
    with site.world.changes():
        projects.update(operator("t"), projects.get_by_name(site.project), {"public": "false"})
    assert (pull(site, token).status, pull(site, anonymous).status) == (403, 401)


def test_the_source_of_a_mount_must_still_be_readable(site: Site) -> None:
    source = "source/app"
    site.world.project("source", 1)
    member = site.world.member("source", "developer", Role.GUEST)
    scopes = f"repository:{site.repository}:pull,push repository:{source}:pull"
    token = site.bearer(scopes)
    uri = f"/v2/{site.repository}/blobs/uploads/?mount={DIGEST}&from={source}"
    assert ask(site.world, "POST", uri, token) == Answer(0)
    with site.world.changes():
        members.remove("t", projects.get_by_name("source"), member)
    assert ask(site.world, "POST", uri, token).status == 401
    with site.world.changes():
        projects.delete("t", projects.get_by_name("source"))
        projects.create("t", 1, "source", {"public": "true"})
    assert ask(site.world, "POST", uri, token).challenge.endswith('error="invalid_token"')


def test_an_access_token_that_was_revoked_takes_its_registry_tokens_with_it(site: Site) -> None:
    made = site.world.api("POST", "/users/current/access-tokens", "guest", json={"name": "x", "days": 1})
    if made.status_code == 404:
        guest = site.world.api("GET", "/users/current", "guest").get_json()["user_id"]
        made = site.world.api("POST", f"/users/{guest}/access-tokens", "guest", json={"name": "x", "days": 1})
    assert made.status_code == 201, made.text
    secret, secret_id = made.get_json()["token"], made.get_json()["id"]
    scope = f"repository:{site.repository}:pull"
    answer = site.world.client.get(f"/service/token?service=harbor-registry&scope={scope}", headers=basic("guest", secret))
    token = {"Authorization": f"Bearer {answer.get_json()['token']}"}
    assert pull(site, token) == Answer(0)
    guest = site.world.api("GET", "/users/current", "guest").get_json()["user_id"]
    assert site.world.api("DELETE", f"/users/{guest}/access-tokens/{secret_id}", "guest").status_code == 200
    assert pull(site, token).status == 401


def test_read_only_mode_stops_uploads(site: Site) -> None:
    token = site.bearer(f"repository:{site.repository}:pull,push")
    upload = f"/v2/{site.repository}/blobs/uploads/"
    assert ask(site.world, "POST", upload, token) == Answer(0)
    assert site.world.api("PUT", "/configurations", "admin", json={"read_only": True}).status_code == 200
    assert pull(site, token) == Answer(0)
    for method, uri in (("POST", upload), ("PATCH", f"{upload}x"), ("PUT", f"{upload}x?digest={DIGEST}")):
        refused = ask(site.world, method, uri, token)
        assert (refused.status, refused.code) == (403, "DENIED")
        assert refused.message.startswith("The system is in read only mode.")
