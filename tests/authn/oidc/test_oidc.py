"""OpenID Connect against npm's certified provider, by a client that follows redirects and fills in forms as a browser does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import update

from authsvc.authn import sources
from authsvc.authn.backends.oidc import provider as known_providers
from authsvc.authn.backends.oidc.models import OidcArrival
from authsvc.authn.onboarding import origin_of
from authsvc.core.db import db, utcnow
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from tests.authn.oidc.people import URL, Person, configure
from tests.support.oidc_provider import CLIENT_SECRET, OidcProvider, oidc_provider
from tests.support.world import World, basic


def test_log_in_and_be_somebody(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc)
    olga = person("olga")
    assert olga.log_in("/projects?page=2") == (302, "/projects?page=2")
    current = olga.current()
    assert (current["username"], current["email"], current["realname"]) == ("olga", "olga@example.org", "olga Example")
    again = person("olga")
    again.log_in()
    assert again.current()["user_id"] == current["user_id"]


def test_groups_give_roles_and_make_administrators(
    login_world: World, oidc: OidcProvider, person: Callable[[str], Person]
) -> None:
    configure(login_world, oidc, oidc_group_filter="^registry-", oidc_admin_group="registry-admins")
    login_world.project("web", 1)
    with login_world.changes():
        group = groups.onboard(GroupName(GroupType.OIDC, "registry-developers"))
        members.add(operator("test"), projects.get_by_name("web"), group, Role.DEVELOPER)
    olga, root = person("olga"), person("root")
    olga.log_in()
    root.log_in()
    assert [p["name"] for p in olga.client.get("/api/v2.0/projects", base_url=URL).get_json()] == ["web"]
    assert root.client.get("/api/v2.0/users", base_url=URL).status_code == 200
    assert olga.client.get("/api/v2.0/users", base_url=URL).status_code == 403
    with login_world.changes():
        found = [g.group_name for g in db.session.scalars(groups.of_user(users.get_by_name("olga").id))]
        assert found == ["registry-developers"], "chess is filtered out"


def test_the_first_login_asks_for_a_name(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc, oidc_auto_onboard=False)
    olga = person("olga")
    assert olga.log_in("/x") == (200, "/c/oidc/onboard")
    page = olga.client.get("/c/oidc/onboard", base_url=URL, headers={"Accept-Language": "zh-CN"})
    assert "选择用户名" in page.text
    assert 'value="olga"' in page.text
    own = {"Origin": URL}
    foreign = olga.client.post("/c/oidc/onboard", data={"username": "x"}, base_url=URL, headers={"Origin": "http://evil.test"})
    assert foreign.status_code == 403
    taken = olga.client.post("/c/oidc/onboard", data={"username": "Admin"}, base_url=URL, headers=own)
    assert taken.status_code == 409
    assert "name of another user" in taken.text
    chosen = olga.client.post("/c/oidc/onboard", data={"username": "olga-o"}, base_url=URL, headers=own)
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/x")
    assert olga.current()["username"] == "olga-o"
    later = person("olga")
    assert later.log_in() == (302, "/")
    assert later.current()["username"] == "olga-o"


def test_people_in_hundreds_of_groups_come_aboard(
    login_world: World, oidc: OidcProvider, person: Callable[[str], Person]
) -> None:
    """What browsers and proxies keep of cookies and headers is a few kilobytes."""
    configure(login_world, oidc, oidc_auto_onboard=False)
    names = sorted(str(uuid4()) for _ in range(400))
    with oidc.changed(olga=names):
        olga = person("olga")
        assert olga.log_in("/x" * 3000) == (200, "/c/oidc/onboard")
        assert olga.log_in("/x") == (200, "/c/oidc/onboard")
    assert sum(len(olga.cookie(name)) for name in ("oidc_flow", "oidc_arrival")) < 1000
    chosen = olga.client.post("/c/oidc/onboard", data={"username": "olga"}, base_url=URL, headers={"Origin": URL})
    assert chosen.status_code == 303
    with login_world.changes():
        assert sorted(g.group_name for g in db.session.scalars(groups.of_user(users.get_by_name("olga").id))) == names
        assert db.session.query(OidcArrival).count() == 0, "of the first time neither"


def test_a_name_is_chosen_in_time_and_once(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc, oidc_auto_onboard=False)
    olga, stranger = person("olga"), person("stranger")
    own = {"Origin": URL}
    assert stranger.client.post("/c/oidc/onboard", data={"username": "x"}, base_url=URL, headers=own).status_code == 401
    olga.log_in()
    with login_world.changes():
        db.session.execute(update(OidcArrival).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert olga.client.get("/c/oidc/onboard", base_url=URL).status_code == 401
    olga.log_in()
    with login_world.changes():
        (arrival,) = db.session.query(OidcArrival)
        assert "olga" not in arrival.sealed
    again = olga.cookie("oidc_arrival")
    assert olga.client.post("/c/oidc/onboard", data={"username": "olga"}, base_url=URL, headers=own).status_code == 303
    olga.client.set_cookie("oidc_arrival", again, path="/c/oidc", domain="registry.test")
    assert olga.client.get("/c/oidc/onboard", base_url=URL).status_code == 401


def test_a_local_users_name_is_not_taken_over(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc)
    login_world.user("olga")
    status, _ = person("olga").log_in()
    assert status == 401


@pytest.mark.parametrize("back_to", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/a\nb"])
def test_nobody_is_sent_elsewhere_after_login(
    login_world: World, oidc: OidcProvider, person: Callable[[str], Person], back_to: str
) -> None:
    configure(login_world, oidc)
    assert person("olga").log_in(back_to) == (302, "/")


def test_what_was_not_started_here_does_not_end_here(
    login_world: World, oidc: OidcProvider, person: Callable[[str], Person]
) -> None:
    configure(login_world, oidc)
    stranger, olga = person("stranger"), person("olga")
    start = olga.client.get("/c/oidc/login", base_url=URL).headers["Location"]
    answer = olga._pass_the_provider(start)
    assert stranger.come_back(answer)[0] == 401, "no cookie: somebody was given another one's link"
    query = urlsplit(answer).query
    assert olga.come_back(f"{URL}/c/oidc/callback?{query.replace('state=', 'state=x')}")[0] == 401
    assert olga.come_back(answer)[0] == 302
    assert olga.come_back(answer)[0] in (401, 503), "a code is good once"


def test_refused_by_the_provider(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc)
    olga = person("olga")
    start = olga.client.get("/c/oidc/login", base_url=URL).headers["Location"]
    state = re.search(r"state=([^&]+)", start)
    assert state
    response = olga.client.get(f"/c/oidc/callback?error=access_denied&state={state[1]}", base_url=URL)
    assert response.status_code == 401
    assert "access_denied" in response.text


def test_log_out_at_the_provider_too(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc, oidc_logout=True)
    olga = person("olga")
    olga.log_in()
    answer = olga.client.post("/c/log_out", base_url=URL, headers={"Origin": URL}).get_json()
    assert answer["redirect"].startswith(f"{oidc.issuer}/session/end?")
    assert olga.client.get("/api/v2.0/users/current", base_url=URL).status_code == 401
    assert olga.at_provider.get(answer["redirect"], timeout=10).status_code == 200


def test_cli_secrets_for_docker_and_the_api(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc)
    olga, own = person("olga"), {"Origin": URL}
    olga.log_in()

    def logs_in(secret: str) -> bool:
        response = login_world.client.get("/service/token?service=harbor-registry", headers=basic("olga", secret))
        return response.status_code == 200

    made = olga.client.post("/api/v2.0/users/2/cli_secret", base_url=URL, headers=own).get_json()["secret"]
    assert made.startswith("tgc_")
    assert logs_in(made)
    olga = person("olga")
    olga.log_in()
    chosen = olga.client.put("/api/v2.0/users/2/cli_secret", json={"secret": "Chosen by olga 1"}, base_url=URL, headers=own)
    assert chosen.status_code == 200
    assert logs_in("Chosen by olga 1")
    assert not logs_in(made)
    page = login_world.client.post("/c/login", data={"principal": "olga", "password": "Chosen by olga 1"}, headers=own)
    assert page.status_code == 403
    assert login_world.api("PUT", "/users/1/cli_secret", "admin", json={"secret": "Not for local ones 1"}).status_code == 412


def test_an_id_token_on_the_api(
    login_world: World, oidc: OidcProvider, person: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(login_world, oidc)
    kept: list[str] = []
    verify = known_providers.Issuer.verify

    def keep(self: known_providers.Issuer, token: str, audience: str) -> dict[str, object]:
        kept.append(token)
        return verify(self, token, audience)

    monkeypatch.setattr(known_providers.Issuer, "verify", keep)
    person("olga").log_in()
    headers = {"Authorization": f"Bearer {kept[0]}"}
    assert login_world.api("GET", "/users/current", headers=headers).get_json()["username"] == "olga"
    assert login_world.api("GET", "/users/current", headers={"Authorization": f"Bearer {kept[0]}x"}).status_code == 401
    assert login_world.api("GET", "/users/current", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_several_providers(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    configure(login_world, oidc)
    with login_world.changes():
        sources.save("test", "oidc", "second", oidc.settings(oidc_name="Another", oidc_endpoint="https://other.example.com"))
    listed = login_world.client.get("/c/oidc/providers").get_json()
    assert listed == [{"name": "default", "label": "Test provider"}, {"name": "second", "label": "Another"}]
    assert login_world.client.get("/c/oidc/login?provider=third").status_code == 400
    shown = login_world.api("GET", "/system/oidc/providers", "admin")
    assert CLIENT_SECRET not in shown.text
    assert shown.get_json()[0]["redirect_uri"] == f"{URL}/c/oidc/callback"


def test_two_providers_at_once(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> None:
    """Who has a name at one is nobody at the other, however alike they are; each comes back as who he was."""
    with oidc_provider(URL) as other:
        configure(login_world, oidc)
        configure(login_world, other, "second", oidc_name="Another")
        assert person("olga").log_in(provider="default") == (302, "/")
        assert person("pavel").log_in(provider="second") == (302, "/")
        assert person("olga").log_in(provider="second")[0] == 401, "another person, and the name is taken"
        again = person("pavel")
        again.log_in(provider="second")
        assert again.current()["username"] == "pavel"
        with login_world.changes():
            found = {name: origin_of(users.get_by_name(name).id) for name in ("olga", "pavel")}
            assert {name: (one.source, one.subject) for name, one in found.items() if one} == {
                "olga": ("default", f"{oidc.issuer}#olga"),
                "pavel": ("second", f"{other.issuer}#pavel"),
            }
        mixed = person("pavel")
        start = mixed.client.get("/c/oidc/login?provider=second", base_url=URL).headers["Location"]
        assert mixed.come_back(mixed._pass_the_provider(start.replace(other.issuer, oidc.issuer)))[0] in (401, 503), (
            "a code of one is of no use at the other"
        )


def test_ping(login_world: World, oidc: OidcProvider) -> None:
    assert login_world.api("POST", "/system/oidc/ping", "admin", json={"url": oidc.issuer}).status_code == 200
    for url in (f"{oidc.issuer}/nothing", "http://127.0.0.1:1", "nonsense"):
        assert login_world.api("POST", "/system/oidc/ping", "admin", json={"url": url}).status_code == 400
    configuration = oidc.settings() | {"auth_mode": "oidc_auth"}
    assert login_world.api("PUT", "/configurations", "admin", json=configuration).status_code == 200
    shown = login_world.api("GET", "/configurations", "admin")
    assert shown.get_json()["auth_mode"]["value"] == "oidc_auth"
    assert CLIENT_SECRET not in shown.text
