"""`docker login -u oidc` with a job's own ID token: what the rules say, and nothing else."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa

from authsvc.authn.backends.keyless.commands import trust as trust_command
from authsvc.authn.backends.oidc import provider
from authsvc.authn.commands import explain
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.wsgi import Front
from tests.gate.test_reads import Answer, ask
from tests.support.issuer import CiIssuer, ci_issuer
from tests.support.world import World, basic, granted_by

SCOPE = "repository:web/a:pull,push,delete"


@pytest.fixture
def issuer() -> Iterator[CiIssuer]:
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


EACH = "&scope=".join(f"repository:web/{name}:pull,push,delete" for name in ("api", "site", "site-old", "other"))


def test_all_rules_that_fit_decide_together(ci: World, issuer: CiIssuer) -> None:
    """Also of one project: on each repository what those rules give that are for it, in whatever order they were made."""
    everything: dict[str, Any] = {"claims": {"repository": "example/*"}, "repositories": "*", "actions": ["pull"]}
    rules: list[dict[str, Any]] = [
        {"repositories": "site*"},
        everything,
        {"repositories": "api", "actions": ["push", "delete"]},
        {"repositories": "other", "actions": ["delete"], "claims": {"repository": "example/another"}},
    ]
    for number, rule in enumerate(rules):
        trust(ci, issuer, name=f"rule {number}", **rule)
    assert granted(ci, issuer.token(), EACH) == {
        "web/api": ["pull", "push", "delete"],
        "web/site": ["pull", "push"],
        "web/site-old": ["pull", "push"],
        "web/other": ["pull"],
    }
    headers = basic("oidc", issuer.token())
    refused = ci.client.delete("/v2/web/site/manifests/latest", headers=headers)
    assert refused.status_code == 403
    assert "delete on web/api only" in refused.text


def test_a_job_deletes_no_other_repository_by_the_api_either(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer, repositories="site-*", actions=["pull", "delete"])
    headers = basic("oidc", issuer.token())
    assert ci.api("DELETE", "/projects/web/repositories/site-old", headers=headers).status_code == 404
    assert ci.api("DELETE", "/projects/web/repositories/other", headers=headers).status_code == 403


def test_a_public_project_is_as_public_to_jobs(ci: World, issuer: CiIssuer) -> None:
    ci.project("open", 1, public=True)
    trust(ci, issuer, project="open", repositories="site-*", actions=["push"])
    scope = "repository:open/site-a:pull,push&scope=repository:open/other:pull,push"
    assert granted(ci, issuer.token(), scope) == {"open/site-a": ["pull", "push"], "open/other": ["pull"]}


def test_why_a_token_does_not_fit(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    trust(ci, issuer, name="tags", claims={"ref": "refs/tags/*", "environment": "release"}, actions=["push"])
    trust(ci, issuer, name="another", audience="somebody else")

    def said(token: str) -> Result:
        return CliRunner().invoke(trust_command, ["test", "-o", "json"], obj=ci.front.flask.config["TIDEGATE"], input=token)

    result = said(issuer.token())
    assert result.exit_code == 0
    assert {row["name"]: row["fits"] for row in json.loads(result.stdout)} == {
        "main branch": "yes",
        "tags": "ref is refs/heads/main, and the rule wants refs/tags/*; the token has no environment",
        "another": "the token is for registry.example.com, and the rule wants one for somebody else",
    }
    assert said(issuer.token(ref="refs/heads/x", repository="other")).exit_code == 12
    assert said("nonsense").exit_code != 0


def test_explain_goes_by_a_jobs_token(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer, repositories="site-*", actions=["push"])
    trust(ci, issuer, name="tags", claims={"ref": "refs/tags/*"}, actions=["pull"])

    def said(action: str, repository: str, token: str) -> Result:
        settings = ci.front.flask.config["TIDEGATE"]
        return CliRunner().invoke(explain, ["oidc", action, repository, "--secret-stdin"], obj=settings, input=token)

    assert said("push", "web/site-a", issuer.token()).exit_code == 0
    refused = said("push", "web/other", issuer.token())
    assert refused.exit_code == 12
    assert "was given repository:push in web on site-* only" in refused.stdout
    assert "  trust rule tags: ref is refs/heads/main, and the rule wants refs/tags/*" in refused.stdout
    misfit = said("push", "web/site-a", issuer.token(ref="refs/heads/x", repository="other"))
    assert "no trust rule fits the token" in str(misfit.exception)
    assert misfit.exit_code not in (0, 12)


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


def _jwt(header: Any, claims: Any) -> str:
    """Whatever looks like a token, unsigned."""
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, claims, "signature"))


DEEP = "[" * 2500 + "]" * 2500


UNSIGNED = [
    ("{}", "{}"),
    ("[]", "[]"),
    ("null", "null"),
    ('{"alg":"RS256","kid":[1]}', '{"iss":"%s"}'),
    ('{"alg":null,"kid":null}', '{"iss":"%s"}'),
    ('{"alg":"RS256","kid":"key-1"}', '{"iss":"%s","aud":{},"exp":"x"}'),
    ('{"alg":"RS256","kid":"key-1","crit":["x"]}', '{"iss":"%s"}'),
    ('{"alg":"RS256","kid":"key-1","x":' + DEEP + "}", '{"iss":"%s"}'),
    ('{"alg":"RS256","kid":"key-1"}', '{"iss":"%s","x":' + DEEP + "}"),
    ('{"alg":"RS256","kid":"key-1"}', '{"iss":["%s"]}'),
    ('{"alg":"RS256","kid":"key-1"}', '{"iss":1e999}'),
    ("\x00", "\x00"),
    ("", ""),
]


def test_whatever_looks_like_a_token_is_wrong_and_no_fault(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    for header, claims in UNSIGNED:
        token = _jwt(header, claims.replace("%s", issuer.url))
        form = {"grant_type": "password", "username": "oidc", "password": token, "service": "harbor-registry"}
        assert ci.client.post("/service/token", data=form).status_code == 401, (header[:40], claims[:40])
        assert ci.api("GET", "/projects", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_signed_claims_of_wrong_types(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    values: list[Any] = [None, 0, -1, 1.5, True, "", "x", [], ["x"], {}, 10**400]
    for name, wrong in itertools.product(("iss", "aud", "sub", "exp", "iat", "nbf", "repository"), values):
        found = granted(ci, issuer.token(**{name: wrong}))
        may_be_anything = name in ("nbf", "iat", "sub") or (name == "exp" and wrong == values[-1])  # far off is far off
        harmless = may_be_anything and found == {"web/a": ["pull", "push"]}
        assert found == 401 or harmless, (name, wrong, found)


@pytest.mark.parametrize("typ", ["at+jwt", "application/AT+JWT", "logout+jwt"])
def test_tokens_for_something_else_are_not_taken(ci: World, issuer: CiIssuer, typ: str) -> None:
    trust(ci, issuer)
    assert granted(ci, issuer.token(typ=typ)) == 401


def test_keys_are_kept_and_a_new_one_is_found(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer)
    for number in range(5):
        assert granted(ci, issuer.token(jti=str(number))) == {"web/a": ["pull", "push"]}
    assert issuer.asked.count("/keys") == 1
    issuer.rotate()
    assert granted(ci, issuer.token()) == 401, "asked again a moment ago"
    for known in ci.own(provider.Issuers)._known.values():
        known._keys._fetched_at -= 60
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


def registry_token(world: World, token: str, scope: str = SCOPE) -> dict[str, str]:
    """A job's registry token, as a header."""
    response = world.client.get(f"/service/token?service=harbor-registry&scope={scope}", headers=basic("oidc", token))
    return {"Authorization": f"Bearer {response.get_json()['token']}"}


MANIFEST, UPLOAD = "/v2/web/a/manifests/v1", "/v2/web/a/blobs/uploads/"


def test_the_gate_holds_a_jobs_token_against_its_rule_as_it_is_now(ci: World, issuer: CiIssuer) -> None:
    rule_id = trust(ci, issuer)
    headers = registry_token(ci, issuer.token())
    other = World(Front(ci.front.flask.config["TIDEGATE"]))
    for world in (ci, other):
        assert ask(world, "GET", MANIFEST, headers) == ask(world, "POST", UPLOAD, headers) == Answer(0)
        given_up = ask(world, "DELETE", f"{UPLOAD}u1", headers)
        assert granted_by(given_up.authorization.removeprefix("Bearer ")) == {"web/a": ["delete"]}
        assert ask(world, "GET", "/v2/other/a/manifests/v1", headers).status == 403
        assert ask(world, "DELETE", f"/v2/web/a/blobs/sha256:{'a' * 64}", headers).status == 403
    assert ci.api("DELETE", f"/system/trust-rules/{rule_id}", "admin").status_code == 200
    for world in (ci, other):
        assert ask(world, "GET", MANIFEST, headers).status == ask(world, "POST", UPLOAD, headers).status == 403
    trust(ci, issuer, name="the same again")
    assert ask(ci, "GET", MANIFEST, headers).status == 403, "another rule, which did not let it in"
    other.close()


def test_what_one_of_two_rules_gave_is_gone_with_it(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer, name="all may pull", actions=["pull"])
    pushes = trust(ci, issuer, name="main pushes", actions=["push"])
    headers = registry_token(ci, issuer.token())
    assert ask(ci, "POST", UPLOAD, headers) == Answer(0)
    assert ci.api("DELETE", f"/system/trust-rules/{pushes}", "admin").status_code == 200
    assert ask(ci, "POST", UPLOAD, headers).status == 403
    assert ask(ci, "GET", MANIFEST, headers) == Answer(0)


def test_the_gate_knows_a_project_that_was_made_anew_and_the_bounds_of_a_rule(ci: World, issuer: CiIssuer) -> None:
    trust(ci, issuer, repositories="a*")
    headers = registry_token(ci, issuer.token(), "repository:web/a:pull repository:web/b:pull")
    assert ask(ci, "GET", MANIFEST, headers) == Answer(0)
    bound = ask(ci, "GET", "/v2/web/b/manifests/v1", headers)
    assert (bound.status, "pull on web/a* only" in bound.message) == (403, True)
    with ci.changes():
        projects.delete("t", projects.get_by_name("web"))
        projects.create("t", 1, "web")
    assert ask(ci, "GET", MANIFEST, headers).challenge.endswith('error="invalid_token"')


def test_an_id_token_is_a_password_at_the_gate_for_as_long_as_its_rule_is_there(ci: World, issuer: CiIssuer) -> None:
    rule_id, token = trust(ci, issuer), issuer.token()
    answer = ask(ci, "GET", MANIFEST, basic("oidc", token))
    assert granted_by(answer.authorization.removeprefix("Bearer ")) == {"web/a": ["pull"]}
    assert ask(ci, "GET", MANIFEST, {"Authorization": answer.authorization}) == Answer(0)
    assert ci.api("DELETE", f"/system/trust-rules/{rule_id}", "admin").status_code == 200
    assert ask(ci, "GET", MANIFEST, basic("oidc", token)).status == 401
    assert ask(ci, "GET", MANIFEST, {"Authorization": answer.authorization}).status == 403
