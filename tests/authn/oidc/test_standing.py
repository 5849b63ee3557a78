"""Who leaves the provider leaves here; who changes groups there changes them here; and a provider may be down for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from authsvc.authn.backends.oidc import tasks
from authsvc.authn.backends.oidc.backend import FLOW_SECONDS
from authsvc.authn.backends.oidc.models import OidcGrant
from authsvc.core import versioning
from authsvc.core.db import db, utcnow
from authsvc.core.sealing import unseal
from authsvc.core.settings import Settings
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.jobs.context import JobContext
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.wsgi import Front
from tests.authn.oidc.people import URL, Person, configure
from tests.support.issuer import ci_issuer
from tests.support.oidc_provider import OidcProvider, oidc_provider
from tests.support.waiting import eventually
from tests.support.world import World, basic, granted_by

OFFLINE = {"oidc_scope": "openid profile email groups offline_access", "oidc_extra_redirect_parms": '{"prompt": "consent"}'}
DAY = 24 * 3600


def recheck(world: World) -> dict[str, int]:
    with world.front.flask.app_context():
        extensions = world.front.flask.extensions
        return tasks.recheck(JobContext(world.front.flask.config["TIDEGATE"], extensions["registry"], lambda: None))


def last_word(world: World, *, seconds_ago: int) -> None:
    """As if the provider had been asked so long ago, and nobody remembered who showed what."""
    with world.changes():
        at = utcnow() - timedelta(seconds=seconds_ago)
        db.session.execute(db.update(OidcGrant).values(checked_at=at, asked_at=None))
        versioning.bump(db.session)


def grants(world: World) -> list[tuple[str, str]]:
    """(sealed, refresh token) of all."""
    with world.changes():
        return [(sealed, unseal(sealed)) for sealed in db.session.scalars(select(OidcGrant.sealed))]


def status(world: World, secret: str, name: str = "olga") -> int:
    return world.client.get("/service/token?service=harbor-registry", headers=basic(name, secret)).status_code


def cli_secret(person: Person) -> str:
    path = f"/api/v2.0/users/{person.current()['user_id']}/cli_secret"
    made = person.client.post(path, base_url=URL, headers={"Origin": URL})
    assert made.status_code == 201, made.text
    return str(made.get_json()["secret"])


@pytest.fixture
def olga(login_world: World, oidc: OidcProvider, person: Callable[[str], Person]) -> Person:
    configure(login_world, oidc, **OFFLINE)
    made = person("olga")
    assert made.log_in() == (302, "/")
    return made


@pytest.fixture
def secret(olga: Person) -> str:
    return cli_secret(olga)


def test_a_refresh_token_is_kept_sealed(login_world: World, olga: Person) -> None:
    ((sealed, token),) = grants(login_world)
    assert len(token) > 20
    with login_world.changes():
        rows = [str(db.session.execute(db.text(f"SELECT * FROM {table.name}")).all()) for table in db.metadata.sorted_tables]
    assert sealed in "".join(rows)
    assert token not in "".join(rows)


def test_whoever_has_left_may_do_nothing_until_he_is_back(
    login_world: World, oidc: OidcProvider, olga: Person, secret: str, person: Callable[[str], Person]
) -> None:
    """By the schedule, whatever he logs in with."""
    olga.log_in()  # a new CLI secret ended the session
    token = olga.client.post("/api/v2.0/users/2/access-tokens", json={"name": "x"}, base_url=URL, headers={"Origin": URL})
    access_token = token.get_json()["token"]
    last_word(login_world, seconds_ago=600)
    assert recheck(login_world) == {"read": 1, "gone": 0, "unanswered": 0}
    with oidc.changed(left=["olga"]):
        last_word(login_world, seconds_ago=600)
        assert recheck(login_world) == {"read": 0, "gone": 1, "unanswered": 0}
        assert (status(login_world, secret), status(login_world, access_token)) == (403, 403)
        assert olga.client.get("/api/v2.0/users/current", base_url=URL).status_code == 403
        assert grants(login_world) == []
        assert recheck(login_world) == {"read": 0, "gone": 0, "unanswered": 0}
    assert status(login_world, secret) == 403, "only a login can say that he is back"
    assert person("olga").log_in() == (302, "/")
    assert (status(login_world, secret), status(login_world, access_token)) == (200, 200)


def test_groups_follow_the_provider(login_world: World, oidc: OidcProvider, olga: Person, secret: str) -> None:
    login_world.project("web", 1)
    with login_world.changes():
        group = groups.onboard(GroupName(GroupType.OIDC, "registry-developers"))
        members.add(operator("test"), projects.get_by_name("web"), group, Role.DEVELOPER)

    def granted() -> dict[str, list[str]]:
        path = "/service/token?service=harbor-registry&scope=repository:web/a:push"
        return granted_by(login_world.client.get(path, headers=basic("olga", secret)).get_json()["token"])

    assert granted() == {"web/a": ["push"]}
    with oidc.changed(olga=["chess"]):
        last_word(login_world, seconds_ago=600)
        recheck(login_world)
        assert granted() == {"web/a": []}
    last_word(login_world, seconds_ago=DAY)
    assert status(login_world, secret) == 200
    assert granted() == {"web/a": ["push"]}, "asked when the secret was shown"


@pytest.mark.parametrize("chosen", [False, True])
def test_without_any_schedule_a_cli_secret_asks_by_itself(
    make_settings: Callable[..., Settings], oidc: OidcProvider, chosen: bool
) -> None:
    """Also one that is remembered, and one of the owner's own choice."""
    world = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",), external_url=URL, oidc_check_seconds=1)))
    world.user("admin", sysadmin=True)
    configure(world, oidc, **OFFLINE)
    olga = Person(world, "olga")
    olga.log_in()
    secret = "Chosen by olga 1" if chosen else cli_secret(olga)
    if chosen:
        own = {"Origin": URL}
        olga.client.put("/api/v2.0/users/2/cli_secret", json={"secret": secret}, base_url=URL, headers=own)
    assert status(world, secret) == 200
    with oidc.changed(left=["olga"]):
        eventually(lambda: status(world, secret) == 403)  # it asks once a second
        refused = world.client.get("/service/token?service=harbor-registry", headers=basic("olga", secret))
        assert (refused.status_code, "has ended" in refused.text) == (403, True)
        assert world.api("GET", "/system/login-failures", "admin").get_json() == [], "it was no guess"
    olga.close()
    world.close()


def test_a_provider_that_is_down_is_believed_for_a_while(login_world: World, person: Callable[[str], Person]) -> None:
    with oidc_provider(URL) as gone:
        configure(login_world, gone, **OFFLINE)
        olga = person("olga")
        olga.log_in()
        secret = cli_secret(olga)
        olga.log_in()
    last_word(login_world, seconds_ago=1800)
    assert recheck(login_world) == {"read": 0, "gone": 0, "unanswered": 1}
    assert status(login_world, secret) == 200
    last_word(login_world, seconds_ago=DAY)
    refused = login_world.client.get(
        "/service/token?service=harbor-registry&scope=repository:a/b:pull", headers=basic("olga", secret)
    )
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert status(login_world, "tgc_wrong") == 401
    assert login_world.token(who="admin").status_code == 200
    assert olga.client.get("/api/v2.0/users/current", base_url=URL).status_code == 200, (
        "a session was made by the provider's own word"
    )


def test_a_refresh_token_is_used_once_whoever_asks_at_the_same_time(
    login_world: World, oidc: OidcProvider, olga: Person, secret: str
) -> None:
    """This provider ends everything when one comes twice."""
    for _ in range(3):
        last_word(login_world, seconds_ago=1800)
        assert _together(lambda: status(login_world, secret), 8) == [200] * 8
        with login_world.changes():
            assert (utcnow() - db.session.scalars(select(OidcGrant.checked_at)).one()).total_seconds() < 60
    last_word(login_world, seconds_ago=1800)
    assert recheck(login_world) == {"read": 1, "gone": 0, "unanswered": 0}


def _together(ask: Callable[[], int], count: int) -> list[int]:
    barrier = threading.Barrier(count)
    answers: list[int] = []

    def wait_and_ask() -> None:
        barrier.wait()
        answers.append(ask())

    threads = [threading.Thread(target=wait_and_ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_refresh_token_goes_to_nobody_else(login_world: World, oidc: OidcProvider, olga: Person, secret: str) -> None:
    with ci_issuer() as other:
        configure(login_world, oidc, oidc_endpoint=other.url, oidc_client_secret="x")
        last_word(login_world, seconds_ago=1800)
        assert recheck(login_world)["unanswered"] == 1
        assert other.asked == []
    configure(login_world, oidc)
    last_word(login_world, seconds_ago=1800)
    assert recheck(login_world)["read"] == 1


def test_without_offline_access_nobody_is_asked(
    login_world: World, oidc: OidcProvider, olga: Person, secret: str, person: Callable[[str], Person]
) -> None:
    assert len(grants(login_world)) == 1
    configure(login_world, oidc, oidc_scope="openid profile email groups")
    person("olga").log_in()
    assert grants(login_world) == []
    with oidc.changed(left=["olga"]):
        assert recheck(login_world) == {"read": 0, "gone": 0, "unanswered": 0}
        assert status(login_world, secret) == 200


def test_what_is_nobodys_is_forgotten(login_world: World, oidc: OidcProvider, olga: Person) -> None:
    with login_world.changes():
        users.delete("test", users.get_by_name("olga"))
    last_word(login_world, seconds_ago=FLOW_SECONDS - 60)
    recheck(login_world)
    assert len(grants(login_world)) == 1, "somebody may still be choosing a name"
    last_word(login_world, seconds_ago=FLOW_SECONDS + 60)
    assert recheck(login_world) == {"read": 0, "gone": 0, "unanswered": 0}
    assert grants(login_world) == []
