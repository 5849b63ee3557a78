"""Who may not, is told so clearly; and no spelling of a path or header gets around it."""

from __future__ import annotations

import http.client
import json
import ssl
from urllib.parse import urlsplit

import pytest
import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.rbac.roles import Role
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient, Refused
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.support.world import granted_by


@pytest.fixture(scope="module")
def team(stack: Stack) -> Team:
    """A private project that holds `app:v1`."""
    made = make_team(stack)
    made.client(Role.DEVELOPER).push(f"{made.project}/app", "v1")
    return made


@pytest.mark.parametrize(
    ("role", "pulls", "pushes", "deletes"),
    [
        (Role.PROJECT_ADMIN, True, True, True),
        (Role.MAINTAINER, True, True, True),
        (Role.DEVELOPER, True, True, False),
        (Role.GUEST, True, False, False),
        (Role.LIMITED_GUEST, True, False, False),
        (None, False, False, False),
    ],
)
def test_each_role_at_the_real_registry(team: Team, role: Role | None, pulls: bool, pushes: bool, deletes: bool) -> None:
    client = team.client(role)
    repository = f"{team.project}/app"
    assert client.manifest(repository, "v1").status_code == (200 if pulls else 403)
    if pushes:
        digest = client.push(repository, f"by-{client.auth[0] if client.auth else ''}", content=str(role))
    else:
        with pytest.raises(Refused) as refused:
            client.push(repository, "nope")
        assert refused.value.status == 403
        digest = "sha256:" + "0" * 64
    assert client.delete(repository, digest).status_code == (202 if deletes else 403)


def test_nobody_pulls_what_is_public_only(stack: Stack, team: Team) -> None:
    RawClient(stack, stack.admin).push("library/hello", "v1")
    nobody = RawClient(stack)
    assert nobody.manifest("library/hello", "v1").status_code == 200
    refused = nobody.manifest(f"{team.project}/app", "v1")
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"
    with pytest.raises(Refused):
        nobody.push("library/hello", "v2")
    with pytest.raises(Refused):
        RawClient(stack, stack.admin).push("no-such-project/app", "v1")


def test_the_catalog_shows_what_the_caller_may_see(stack: Stack, team: Team) -> None:
    RawClient(stack, stack.admin).push("library/hello", "v1")
    own = f"{team.project}/app"

    def catalog(client: RawClient) -> list[str]:
        answer = client.request("GET", "/v2/_catalog", "registry:catalog:*")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["repositories"])

    eventually(lambda: {"library/hello", own} <= set(catalog(RawClient(stack, stack.admin))))
    assert set(catalog(team.client(Role.GUEST))) & {"library/hello", own} == {"library/hello", own}
    assert own not in catalog(team.client(None))
    assert own not in catalog(RawClient(stack))
    challenge = RawClient(stack).request("GET", "/v2/_catalog")
    assert challenge.status_code == 401
    assert challenge.headers["WWW-Authenticate"].startswith(f'Bearer realm="{stack.url}/service/token"')
    assert RawClient(stack).request("GET", "/v2/_catalog", token="forged").status_code == 401


def test_a_disabled_user_is_told_so(stack: Stack, team: Team) -> None:
    user_id = team.user_id(Role.LIMITED_GUEST)
    assert stack.api("PUT", f"/users/{user_id}/disabled", json={"disabled": True}).status_code == 200
    answer = stack.token(auth=team.auth(Role.LIMITED_GUEST))
    assert answer.status_code == 403
    assert "is disabled" in answer.json()["errors"][0]["message"]
    assert stack.api("PUT", f"/users/{user_id}/disabled", json={"disabled": False}).status_code == 200
    assert stack.token(auth=team.auth(Role.LIMITED_GUEST)).status_code == 200


def test_passwords_are_passed_on_with_all_that_was_asked(stack: Stack, team: Team) -> None:
    """Each process that signs looks at one a second itself; the others reach the API, at the token endpoint and at the gate."""
    scope, ca = f"repository:{team.project}/app:pull", str(stack.ca)
    for secret, status in ((team.auth(Role.GUEST)[1], 200), ("wrong", 401)) * 4:
        name = team.auth(Role.GUEST)[0]
        query = {"service": "harbor-registry", "scope": scope}
        got = requests.get(f"{stack.url}/service/token", params=query, auth=(name, secret), verify=ca, timeout=10)
        assert got.status_code == status
        form = query | {"grant_type": "password", "username": name, "password": secret, "client_id": "test"}
        posted = requests.post(f"{stack.url}/service/token", data=form | {"access_type": "offline"}, verify=ca, timeout=10)
        assert posted.status_code == status
        for answer in (got, posted) if status == 200 else ():
            assert granted_by(answer.json()["token"]) == {f"{team.project}/app": ["pull"]}
        assert ("refresh_token" in posted.json()) == (status == 200)
        manifest = f"{stack.url}/v2/{team.project}/app/manifests/v1"
        assert (
            requests.get(manifest, headers={"Accept": OCI_MANIFEST}, auth=(name, secret), verify=ca, timeout=10).status_code
            == status
        )
        upload = f"{stack.url}/v2/{team.project}/app/blobs/uploads/"
        assert requests.post(upload, auth=(name, secret), verify=ca, timeout=10).status_code == (403 if status == 200 else 401)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/{p}%2Fapp/manifests/v1", "/v2//{p}/app/manifests/v1", "/v2/{p}/app//manifests/v1", "/v2/{p}/./app/manifests/v1",
        "/v2/x/../{p}/app/manifests/v1", "/v2/{p}/app/manifests/v1;x", "/v2/{p}\\app/manifests/v1", "/v2/{p}/app/manifests/%761",
        "/v2/%5fcatalog", "/v2/_catalog%00", "/v2/{p}/app/manifests/v1/..", "/%76%32/_catalog", "/x/../v2/_catalog", "//v2/_catalog",
        "/v2/{p}/app/manifests/v1%20", "/v2/{p}/app/blobs/uploads/%2e%2e/",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_around(stack: Stack, team: Team, path: str) -> None:
    token = RawClient(stack, stack.admin).token(f"repository:{team.project}/app:pull,push")
    status, body = _raw(stack, path.format(p=team.project), {"Authorization": f"Bearer {token}"})
    assert status in (400, 404), (status, body)
    assert json.loads(body)["errors"][0]["message"]


def _raw(stack: Stack, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(stack.url)
    context = ssl.create_default_context(cafile=str(stack.ca))
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context, timeout=10)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_forged_host_reaches_no_challenge_and_no_location(stack: Stack, team: Team) -> None:
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example",
    }
    client = RawClient(stack, stack.admin)
    challenge = client.request("GET", "/v2/", headers=forged)
    assert challenge.headers["WWW-Authenticate"].startswith(f'Bearer realm="{stack.url}/service/token"')
    token = client.token(f"repository:{team.project}/app:pull,push")
    started = client.request("POST", f"/v2/{team.project}/app/blobs/uploads/", token=token, headers=forged)
    assert started.status_code == 202
    assert "evil" not in str(started.headers)
    assert started.headers["Location"].startswith("/v2/")


def test_the_registry_itself_is_on_loopback_and_wants_a_token(stack: Stack) -> None:
    answer = requests.get(f"http://127.0.0.1:{stack.ports['registry']}/v2/_catalog", timeout=5)
    assert answer.status_code == 401
    listening = [line for line in _listening() if f":{stack.ports['registry']} " in line]
    assert listening
    assert all("127.0.0.1" in line for line in listening)


def _listening() -> list[str]:
    import subprocess

    return subprocess.run(["ss", "-ltn"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_plain_http_is_sent_to_https(stack: Stack) -> None:
    answer = requests.get(f"http://localhost:{stack.ports['http']}/v2/?x=1", timeout=5, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{stack.url}/v2/?x=1")


def test_a_manifest_that_is_too_large_is_refused(stack: Stack, team: Team) -> None:
    client = team.client(Role.DEVELOPER)
    path = f"/v2/{team.project}/app/manifests/big"
    answer = client.request("PUT", path, f"repository:{team.project}/app:pull,push", data=b" " * (5 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["code"] == "SIZE_INVALID"
