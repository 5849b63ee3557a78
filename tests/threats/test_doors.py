"""S1 S5 S13 S24 and their kind: no credential does more through another door than the table says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authsvc.rbac.authority import CLOSED, DOORS, Authority, Credential, Door, table
from tests.support.world import PASSWORD, World, claims_of
from tests.threats.credentials import KINDS, SCOPE, Shown, Wallet, id_of


def _token(shown: Shown, **query: str) -> Any:
    return shown.open("GET", "/service/token", query_string={"service": "harbor-registry", "scope": SCOPE} | query)


def _token_is_for_somebody(shown: Shown) -> bool:
    answer = _token(shown)
    return answer.status_code == 200 and bool(claims_of(answer.get_json()["token"])["sub"])


def _login_is_kept(shown: Shown) -> bool:
    """By either way to ask for it; a refresh token itself is given back and nothing more."""
    form = {"grant_type": "password", "username": shown.name, "password": shown.secret, "service": "harbor-registry"}
    posted = shown.client.post("/service/token", data=form | {"access_type": "offline", "client_id": "docker"})
    asked = _token(shown, offline_token="true")
    given = {answer.get_json().get("refresh_token") for answer in (posted, asked) if answer.status_code == 200}
    return not given <= {None, shown.secret}


def _is_not_refused(status: int) -> bool:
    assert status in (200, 201, 400, 401, 403), status
    return status < 400


def _session(shown: Shown) -> int:
    return shown.open("POST", "/c/login", data={"principal": shown.name, "password": shown.secret}).status_code


TRIES: dict[Door, Callable[[Shown, int], bool]] = {
    Door.TOKEN: lambda shown, _: _token_is_for_somebody(shown),
    Door.REGISTRY: lambda shown, _: _is_not_refused(shown.open("GET", "/v2/_catalog").status_code),
    Door.API: lambda shown, _: _is_not_refused(shown.api("GET", "/search?q=web").status_code),
    Door.PAGES: lambda shown, _: _is_not_refused(_session(shown)),
    Door.SELF_SERVICE: lambda shown, _: _is_not_refused(
        shown.api("PUT", f"/users/{shown.user_id}", json={"realname": "Somebody"}).status_code
    ),
    Door.CREDENTIALS: lambda shown, _: _is_not_refused(
        shown.api("POST", f"/users/{shown.user_id}/access-tokens", json={"name": "another", "days": None}).status_code
    ),
    Door.OFFLINE: lambda shown, _: _login_is_kept(shown),
    Door.IDENTITIES: lambda shown, other: _is_not_refused(
        shown.api("PUT", f"/users/{other}/sysadmin", json={"sysadmin_flag": True}).status_code
    ),
}


@pytest.mark.parametrize(("credential", "get"), KINDS, ids=[get.__name__ for _, get in KINDS])
def test_each_credential_opens_what_the_table_says(
    town: World, wallet: Wallet, credential: Credential, get: Callable[[Wallet], Shown]
) -> None:
    shown = get(wallet)
    mallory = id_of(town, "mallory")
    assert {door for door, attempt in TRIES.items() if attempt(shown, mallory)} == DOORS[credential]


def test_the_table_is_whole() -> None:
    assert {credential for credential, _ in KINDS} | {Credential.PROVIDER} == set(DOORS)
    assert set(TRIES) == set(Door)
    assert not any(CLOSED.opens(door) for door in Door)
    assert not any(Authority(Credential.NONE).covers(end) for end in (None, 0.0, 1.0))


def test_the_documentation_prints_it() -> None:
    page = Path("docs/identity.md").read_text()
    printed = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(
            r"^\|.*\|$", page.partition("## Which credential opens which door")[2].partition("\n## ")[0], re.MULTILINE
        )
    ]
    assert [printed[0], *printed[2:]] == table()


def test_a_limited_token_of_an_administrator_is_no_login(town: World, wallet: Wallet) -> None:
    """S1, word for word."""
    with_limits = wallet.access_token(projects=["web"], actions=["pull"], networks=["127.0.0.1"], days=1)
    asked = {"X-Real-IP": "127.0.0.1"}
    login = with_limits.open("POST", "/c/login", data={"principal": "admin", "password": with_limits.secret}, headers=asked)
    assert login.status_code == 403
    assert "Set-Cookie" not in login.headers
    assert "password" in login.get_json()["errors"][0]["message"]
    assert with_limits.api("GET", "/users", headers=asked).status_code == 403


def test_a_token_that_ends_gives_no_token_that_lives_longer(town: World, wallet: Wallet) -> None:
    """L11: the registry's own token, too, ends with the ID token for which it was given."""
    end = int(time.time()) + 60
    wallet.job()
    short = wallet.by_name("oidc", wallet.issuer.token(exp=end))
    answer = _token(short).get_json()
    claims = claims_of(answer["token"])
    assert claims["exp"] <= end + 60  # as long as the ID token itself is taken
    assert claims["exp"] - claims["iat"] == answer["expires_in"] < 300


def test_only_a_password_is_kept_by_docker(town: World, wallet: Wallet) -> None:
    """S13, L12: what is not kept is not answered either, in whatever form it would be of no use."""
    token = wallet.access_token()
    form = {"grant_type": "password", "username": "admin", "service": "harbor-registry", "access_type": "offline"}
    kept = town.client.post("/service/token", data=form | {"password": PASSWORD}).get_json()["refresh_token"]
    assert "refresh_token" not in town.client.post("/service/token", data=form | {"password": token.secret}).get_json()
    again = town.client.post("/service/token", data=form | {"grant_type": "refresh_token", "refresh_token": kept})
    assert again.get_json()["refresh_token"] == kept


def test_not_everybody_looks_for_people(town: World, wallet: Wallet) -> None:
    """S24: who picks members does; machines and tokens for less do not."""
    for path in ("/users/search?username=a&page_size=0", "/usergroups/search?groupname=a"):
        assert town.api("GET", path, "mallory").status_code == 200
        assert wallet.session().api("GET", path).status_code == 200
        for shown in (wallet.robot(), wallet.job(), wallet.access_token(actions=["pull"])):
            assert shown.api("GET", path).status_code == 403, path


def test_a_kept_answer_is_for_who_got_it(town: World, wallet: Wallet) -> None:
    """L7: the answer to a password's request holds a secret, and a token of less would be given it again."""
    body = {
        "name": "ci",
        "level": "project",
        "duration": -1,
        "permissions": [{"kind": "project", "namespace": "web", "access": [{"resource": "repository", "action": "push"}]}],
    }
    key = {"Idempotency-Key": "once"}
    made = town.api("POST", "/robots", "admin", json=body, headers=key)
    assert made.status_code == 201
    again = wallet.session().api("POST", "/robots", json=body, headers=key)
    assert again.get_json()["secret"] == made.get_json()["secret"]
    everything: list[dict[str, Any]] = [{"actions": ["pull"]}, {"actions": ["read", "write"]}, {}]
    for limits in everything:
        refused = wallet.access_token(**limits).api("POST", "/robots", json=body, headers=key)
        assert refused.status_code in (403, 409), refused.text
        assert made.get_json()["secret"] not in refused.text


def test_identity_settings_want_a_login(town: World, wallet: Wallet) -> None:
    """H5: who is let in, and as what, is not for a token that lies about; the rest of the configuration may be."""
    token = wallet.access_token()
    for body in (
        {"auth_mode": "db_auth"},
        {"oidc_admin_group": "everybody"},
        {"self_registration": True},
        {"ldap_url": "ldaps://x"},
    ):
        assert token.api("PUT", "/configurations", json=body).status_code == 403, body
        assert "password" in token.api("PUT", "/configurations", json=body).text
    assert token.api("PUT", "/configurations", json={"token_expiration": 10}).status_code == 200
    assert token.api("GET", "/configurations").status_code == 200
    assert town.api("PUT", "/configurations", "admin", json={"self_registration": True}).status_code == 200
