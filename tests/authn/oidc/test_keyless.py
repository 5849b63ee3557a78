"""`docker login -u oidc` with a job's own ID token: what the rules say, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from authsvc.authn.backends.oidc import provider
from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.support.issuer import CiIssuer, ci_issuer
from tests.support.world import World, basic, granted_by

SCOPE = "repository:web/a:pull,push,delete"


@pytest.fixture
def issuer() -> Iterator[CiIssuer]:
    provider._issuers.clear()
    with ci_issuer() as running:
        yield running


@pytest.fixture
def ci(make_settings: Callable[..., Settings], issuer: CiIssuer) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    made.project("web", 1)
    made.project("other", 1)
    yield made
    made.close()


def trust(world: World, issuer: CiIssuer, **changes: Any) -> int:
    rule = {
        "name": "main branch",
        "issuer": issuer.url,
        "audience": "registry.example.com",
        "claims": {"repository": "example/web", "ref": "refs/heads/*"},
        "project": "web",
        "actions": ["pull", "push"],
    }
    response = world.api("POST", "/system/trust-rules", "admin", json=rule | changes)
    assert response.status_code == 201, response.text
    return int(response.headers["Location"].rpartition("/")[2])


def granted(world: World, token: str, scope: str = SCOPE) -> dict[str, list[str]] | int:
    response = world.client.get(f"/service/token?service=harbor-registry&scope={scope}", headers=basic("oidc", token))
    return granted_by(response.get_json()["token"]) if response.status_code == 200 else response.status_code


def test_a_job_may_do_what_its_rule_says(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    assert granted(ci, issuer.token()) == {"web/a": ["pull", "push"]}
    assert granted(ci, issuer.token(), "repository:other/a:pull") == {"other/a": []}
    login = ci.client.get("/service/token?service=harbor-registry&offline_token=true", headers=basic("oidc", issuer.token()))
    assert login.status_code == 200
    assert "refresh_token" not in login.get_json()
    for method, path in (("GET", "/users/current"), ("POST", "/projects"), ("GET", "/configurations")):
        response = ci.api(method, path, headers=basic("oidc", issuer.token()), json={"project_name": "x"})
        assert response.status_code in (403, 412)


def test_bound_to_some_repositories(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer, repositories="frontend-*")
    assert granted(ci, issuer.token(), "repository:web/frontend-app:push") == {"web/frontend-app": ["push"]}
    assert granted(ci, issuer.token()) == {"web/a": []}


@pytest.mark.parametrize(
    "claims",
    [
        {"repository": "example/webshop"},
        {"repository": None},
        {"ref": "refs/tags/v1"},
        {"aud": "somebody else"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iss": "https://issuer.example.com"},
        {"iss": None},
        {"nbf": 4_000_000_000},
    ],
)
def test_whatever_does_not_fit_is_refused(ci: World, issuer: CiIssuer, claims: dict[str, Any]) -> None:
    trust(ci, issuer)
    assert granted(ci, issuer.token(**claims)) == 401


def test_only_the_issuers_own_keys_count(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert granted(ci, issuer.token(key=other)) == 401
    assert granted(ci, issuer.token(key=other, key_id="unknown")) == 401
    assert granted(ci, issuer.token(key="a secret that is long enough for it", algorithm="HS256")) == 401
    unsigned = jwt.encode(jwt.decode(issuer.token(), options={"verify_signature": False}), None, "none")  # type: ignore[arg-type]
    assert granted(ci, unsigned) == 401
    assert granted(ci, issuer.token()) == {"web/a": ["pull", "push"]}


def test_keys_are_kept_and_a_new_one_is_found(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    for number in range(5):
        assert granted(ci, issuer.token(jti=str(number))) == {"web/a": ["pull", "push"]}
    assert issuer.asked.count("/keys") == 1
    issuer.rotate()
    assert granted(ci, issuer.token()) == 401, "asked again a moment ago"
    for known in provider._issuers.values():
        known._keys_fetched -= 60
    assert granted(ci, issuer.token()) == {"web/a": ["pull", "push"]}


def test_a_removed_rule_is_felt_at_once(ci: World, issuer: CiIssuer) -> None:
    rule_id = trust(ci, issuer)
    token = issuer.token()
    assert granted(ci, token) == {"web/a": ["pull", "push"]}
    assert ci.api("DELETE", f"/system/trust-rules/{rule_id}", "admin").status_code == 200
    assert granted(ci, token) == 401


def test_an_issuer_that_does_not_answer_is_an_outage(ci: World, issuer: CiIssuer) -> None:
    with ci_issuer() as gone:
        token = gone.token()
        trust(ci, gone)
    assert granted(ci, token) == 503


def test_an_issuer_at_a_special_address_is_not_asked(world: World, issuer: CiIssuer) -> None:
    world.project("web", 1)
    trust(world, issuer)
    response = world.client.get("/service/token?service=harbor-registry", headers=basic("oidc", issuer.token()))
    assert response.status_code == 503
    assert "TIDEGATE_OUTGOING_ALLOW" in response.text
    assert issuer.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {}},
        {"claims": {"repository": "*"}},
        {"issuer": "nowhere"},
        {"actions": ["admin"]},
        {"actions": []},
        {"audience": " "},
    ],
)
def test_rules_that_trust_too_much_are_refused(ci: World, issuer: CiIssuer, changes: dict[str, Any]) -> None:
    rule = {"name": "x", "issuer": issuer.url, "audience": "a", "claims": {"a": "b"}, "project": "web", "actions": ["pull"]}
    assert ci.api("POST", "/system/trust-rules", "admin", json=rule | changes).status_code == 400
