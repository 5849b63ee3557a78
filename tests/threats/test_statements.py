"""S10 S14 S22 S35 and their kind: what somebody said once changes nothing when something newer is known."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc.authn import sources
from authsvc.authn.backends.oidc import arrivals
from authsvc.authn.backends.oidc.arrivals import Arrival
from authsvc.authn.onboarding import Proof, onboard
from authsvc.core import versioning
from authsvc.core.db import db, utcnow
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity
from tests.support.issuer import CiIssuer
from tests.support.world import World, basic
from tests.threats.credentials import CLIENT, URL

MINUTE = 60
DEVELOPERS = GroupName(GroupType.OIDC, "developers")


class Olga:
    """Somebody from a provider that names groups, and may be an administrator by one of them."""

    def __init__(self, world: World, issuer: CiIssuer) -> None:
        self.world, self.issuer = world, issuer
        self.settings = {
            "oidc_endpoint": issuer.url,
            "oidc_client_id": CLIENT,
            "oidc_groups_claim": "groups",
            "oidc_admin_group": "admins",
            "oidc_auto_onboard": True,
        }
        with world.changes():
            sources.save("test", "oidc", "default", self.settings)

    def says(self, *groups: str, **more: Any) -> int:
        """The provider says now, at a login, which groups she is in; her id here."""
        names = tuple(GroupName(GroupType.OIDC, name) for name in groups)
        proof = Proof("oidc", "default", f"{self.issuer.url}#olga", "olga", groups=names, is_sysadmin="admins" in groups, **more)
        with self.world.changes():
            return onboard(proof).account_id

    def token(self, *groups: str, age: int = 0, **claims: Any) -> dict[str, str]:
        """Her ID token of so many seconds ago."""
        issued = int(time.time()) - age
        said: dict[str, Any] = {
            "sub": "olga",
            "preferred_username": "olga",
            "groups": list(groups),
            "iat": issued,
            "exp": issued + 3600,
        }
        return {"Authorization": f"Bearer {self.issuer.token(aud=CLIENT, **said | claims)}"}

    def access_token(self) -> dict[str, str]:
        """One without end, made while all was well."""
        with self.world.changes():
            user = users.get_by_name("olga")
            return basic("olga", secrets.issue(Kind.ACCESS, user.id, user.epoch)[0])

    def is_let_in(self, headers: dict[str, str]) -> int:
        return self.world.api("GET", "/users/current", headers=headers).status_code

    def is_admin(self, headers: dict[str, str]) -> bool:
        return self.world.api("GET", "/users", headers=headers).status_code == 200


@pytest.fixture
def olga(town: World, issuer: CiIssuer) -> Olga:
    return Olga(town, issuer)


def test_an_older_id_token_brings_no_group_back(olga: Olga) -> None:
    """S14: a lost group of administrators, for good."""
    olga.says("admins")
    kept, token = olga.access_token(), olga.token("admins", age=10 * MINUTE)
    assert olga.is_admin(kept)
    olga.says("developers")
    assert not olga.is_admin(kept)
    assert not olga.is_admin(token)
    assert olga.is_let_in(token) == 200
    assert not olga.is_admin(kept)


def test_a_newer_one_counts(olga: Olga) -> None:
    olga.says("developers", stated_at=utcnow() - timedelta(minutes=10))
    assert olga.is_admin(olga.token("admins"))
    assert olga.is_admin(olga.access_token())


@pytest.mark.parametrize("age", [1, 30, 59])
def test_neither_does_one_that_may_be_older_by_another_clock(olga: Olga, age: int) -> None:
    olga.says("developers")
    ahead = olga.token("admins", age=-age)
    assert not olga.is_admin(ahead)


@pytest.mark.parametrize("claims", [{"iat": None}, {"iat": "soon"}, {"iat": -5}, {"iat": 10**30}])
def test_nor_one_that_says_nothing_of_its_time(olga: Olga, claims: dict[str, Any]) -> None:
    olga.says("developers")
    token = olga.token("admins", **claims)
    assert not olga.is_admin(token)
    assert not olga.is_admin(olga.access_token())


def test_an_older_id_token_brings_no_ended_account_back(olga: Olga) -> None:
    """H1"""
    user_id = olga.says("developers")
    kept, token = olga.access_token(), olga.token("developers", age=5 * MINUTE)
    with olga.world.changes():
        users.note_absence(user_id, 1)
    assert [olga.is_let_in(headers) for headers in (kept, token, kept)] == [403, 403, 403]
    olga.says("developers")
    assert olga.is_let_in(kept) == 200


def test_an_id_token_brings_nobody_back_who_was_deleted(olga: Olga) -> None:
    """Whoever comes for the first time comes by the provider, which knows whether he is still there."""
    user_id = olga.says("admins")
    token = olga.token("admins")
    assert olga.is_let_in(token) == 200
    assert olga.world.api("DELETE", f"/users/{user_id}", "admin").status_code == 200
    assert olga.is_let_in(token) == 401
    with olga.world.changes():
        assert db.session.scalar(select(User).where(User.username == "olga")) is None


@pytest.mark.parametrize("kind", ["oidc", "ldap"])
def test_whose_source_is_switched_off_may_do_nothing(town: World, issuer: CiIssuer, kind: Any) -> None:
    """S14, L4: neither by a token, nor by a session, nor in the registry; and goes on when it is switched on again."""
    settings: dict[str, Any] = {"oidc_endpoint": issuer.url, "oidc_client_id": CLIENT} if kind == "oidc" else {}
    with town.changes():
        sources.save("test", kind, "second", settings)
        identity = onboard(Proof(kind, "second", "subject", "nora"))
        members.add(operator("t"), projects.get_by_name("web"), users.get_by_name("nora"), Role.DEVELOPER)
        headers = basic("nora", secrets.issue(Kind.ACCESS, identity.account_id, identity.epoch)[0])
        session = secrets.issue(Kind.SESSION, identity.account_id, identity.epoch)[0]
    asked = {"service": "harbor-registry", "scope": "repository:web/a:pull"}
    token = town.client.get("/service/token", query_string=asked, headers=headers).get_json()["token"]

    def seen() -> tuple[int, ...]:
        town.client.set_cookie("sid", session, domain="localhost")
        by_session = town.client.get("/api/v2.0/users/current").status_code
        town.client.delete_cookie("sid", domain="localhost")
        asks = {"X-Gate-Method": "GET", "X-Gate-Uri": "/v2/web/a/manifests/x", "Authorization": f"Bearer {token}"}
        return (
            town.api("GET", "/users/current", headers=headers).status_code,
            by_session,
            town.client.get("/service/token", query_string=asked, headers=headers).status_code,
            town.client.get("/internal/gate", headers=asks).status_code,
        )

    assert seen() == (200, 200, 200, 204)
    for enabled, expected in ((False, (403, 403, 403, 403)), (True, (200, 200, 200, 204))):
        with town.changes():
            sources.save("test", kind, "second", {}, enabled=enabled)
        assert seen() == expected, enabled


def test_who_is_not_heard_of_lapses(olga: Olga) -> None:
    """S14: also where nobody can be asked, a word does not count for ever."""
    olga.says("admins")
    kept = olga.access_token()
    with olga.world.changes():
        identity = db.session.scalars(select(UserIdentity)).one()
        assert identity.lapses_at is not None
        assert timedelta(days=89) < identity.lapses_at - utcnow() < timedelta(days=91)
        db.session.execute(update(UserIdentity).values(lapses_at=utcnow() - timedelta(seconds=1)))
        users.get_by_name("olga").comment = "something has changed"
    refused = olga.world.api("GET", "/users/current", headers=kept)
    assert (refused.status_code, "log in where it comes from" in refused.text) == (403, True)
    olga.says("admins")
    assert olga.is_admin(kept)


def test_a_login_on_its_way_is_of_no_use_after_another(olga: Olga, town: World) -> None:
    """S10: what the provider said of somebody who had yet to choose a name. There is one at a time, and it ends with the login."""
    said = {"sub": "olga", "preferred_username": "olga", "groups": ["admins"]}
    subject = f"{olga.issuer.url}#olga"
    with town.changes():
        first = arrivals.keep(Arrival("default", subject, said, "/", utcnow()))
        second = arrivals.keep(Arrival("default", subject, said | {"groups": ["developers"]}, "/", utcnow()))

    def finish(ticket: str, name: str = "olga") -> int:
        town.client.set_cookie("oidc_arrival", ticket, domain="registry.test", path="/c/oidc")
        answer = town.client.post("/c/oidc/onboard", data={"username": name}, base_url=URL, headers={"Origin": URL})
        return answer.status_code

    assert finish(first) == 401
    assert finish(second, "admin") == 409, "the name is taken, and she chooses another one"
    assert finish(second) == 303
    assert finish(second) == 401
    user_id = town.client.get("/api/v2.0/users/current", base_url=URL).get_json()["user_id"]
    with town.changes():
        third = arrivals.keep(Arrival("default", subject, said, "/", utcnow()))
    assert finish(third) == 401, "she is known, and has to log in"
    assert town.api("DELETE", f"/users/{user_id}", "admin").status_code == 200
    assert finish(second) == 401


def test_disabling_ends_what_was_alive(town: World) -> None:
    """S22"""
    with town.changes():
        alice = users.get_by_name("alice")
        alive = [basic("alice", secrets.issue(kind, alice.id, alice.epoch)[0]) for kind in (Kind.ACCESS, Kind.CLI, Kind.REFRESH)]
        path = f"/users/{alice.id}/disabled"

    def seen() -> list[int]:
        return [town.client.get("/service/token?service=harbor-registry", headers=headers).status_code for headers in alive]

    assert seen() == [200, 200, 200]
    for disabled, expected in ((True, [403, 403, 403]), (False, [401, 401, 401])):
        assert town.api("PUT", path, "admin", json={"disabled": disabled}).status_code == 200
        assert seen() == expected
    assert town.api("GET", "/users/current", "alice").status_code == 200


def test_the_answer_that_learns_of_a_lost_group_is_without_it(olga: Olga, town: World) -> None:
    """S35: the very login by which we hear of it."""
    olga.says("developers", stated_at=utcnow() - timedelta(hours=1))
    with town.changes():
        members.add(operator("t"), projects.get_by_name("web"), groups.onboard(DEVELOPERS), Role.DEVELOPER)
    asked = {"service": "harbor-registry", "scope": "repository:web/app:pull,push"}
    before = town.client.get("/service/token", query_string=asked, headers=olga.token("developers", age=MINUTE)).get_json()
    assert before["scope"] == "repository:web/app:pull,push"
    after = town.client.get("/service/token", query_string=asked, headers=olga.token()).get_json()
    assert after["scope"] == ""
    current = town.api("GET", "/projects/web", headers=olga.token("others"))
    assert current.status_code == 403


def test_what_is_said_again_and_again_is_no_news(olga: Olga) -> None:
    """Else each login, and each look at somebody, would make every process forget everything."""
    olga.says("developers")
    with olga.world.changes():
        before = versioning.current()
    for _ in range(3):
        olga.says("developers")
        assert olga.is_let_in(olga.token("developers", age=-30)) == 200
    with olga.world.changes():
        identity = db.session.scalars(select(UserIdentity)).one()
        assert identity.stated_at is not None
        assert utcnow() - identity.stated_at < timedelta(minutes=1)
        assert versioning.current() == before
        identity.lapses_at = utcnow() + timedelta(days=50)
    olga.says("developers")
    with olga.world.changes():
        renewed = db.session.scalars(select(UserIdentity)).one().lapses_at
        assert renewed is not None
        assert renewed > utcnow() + timedelta(days=89)
