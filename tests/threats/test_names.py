"""S11 S17 S23 S30 S31, F3, F8 and their kind: texts are compared by the rule of whose they are, or refused at the border."""

from __future__ import annotations

import re
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.authn.backends.keyless import rules
from authsvc.authn.onboarding import Proof, obstacle, onboard
from authsvc.core import wildcards
from authsvc.core.errors import BadRequest, InvalidCredentials
from authsvc.core.text import is_login
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import ProjectRef
from authsvc.users import names
from authsvc.users import service as users
from tests.support.world import World, basic

ROBOTS = "robot$"
LETTERS = st.text(alphabet="ab*?[]!", max_size=8)


@given(pattern=LETTERS, text=st.text(alphabet="ab[]!", max_size=10))
def test_only_two_characters_of_a_pattern_are_more_than_themselves(pattern: str, text: str) -> None:
    literal = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    assert wildcards.matches(pattern, text) == (re.fullmatch(literal, text, re.DOTALL) is not None)


@given(pattern=st.text(alphabet="ab*?", max_size=8), text=st.text(alphabet="ab", max_size=10))
def test_what_they_mean_is_what_everybody_knows(pattern: str, text: str) -> None:
    assert wildcards.matches(pattern, text) == fnmatchcase(text, pattern)


def test_no_pattern_is_slow() -> None:
    """Thousands of millions of steps, if each star tried everything."""
    assert not wildcards.matches("*a" * 120 + "b", "a" * 255)


@pytest.mark.parametrize(
    ("actor", "fits"), [("dependabot[bot]", True), ("dependabotb", False), ("dependaboto", False), ("dependabott", False)]
)
def test_brackets_in_a_trust_rule_are_brackets(actor: str, fits: bool) -> None:
    """S11: the name of a machine, and the account that a stranger makes to be taken for it."""
    claims = {"aud": "registry", "actor": actor}
    assert (rules.misfit("registry", {"actor": "dependabot[bot]"}, claims) == "") is fits


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "*?*"])
def test_a_rule_that_says_nothing_is_none(pattern: str) -> None:
    with pytest.raises(BadRequest):
        rules.check("https://ci.example", "registry", {"actor": pattern}, ["pull"])


def test_brackets_in_a_repository_pattern_bind_nothing() -> None:
    class Rule:
        project_id, repositories, actions = 3, "[fb]*", ["pull"]

    job = rules.workload("job", [Rule()])
    web = ProjectRef(3, "web", public=False)
    assert not can(job, Permission(Resource.REPOSITORY, Action.PULL), web, "web/frontend")


LOOK_ALIKES = [
    "ad\u00admin",
    "admin\u200b",
    "admin\u202e",
    "\u0430dmin",  # Cyrillic
    "\u2800",
    "..",
    "-",
    "\uff41dmin",
    "a\u034fdmin",
    "admin\ufe0f",
    "Ju\u0308rgen",
    "\u0391lice",  # Greek
]


@pytest.mark.parametrize("name", [*LOOK_ALIKES, "oidc", "<token>", "anonymous", "Current", "tidegate-x", "robot-x", "a b", "a:b"])
def test_names_that_look_like_others(world: World, name: str) -> None:
    """S31: whoever makes the account."""
    body = {"username": name, "password": "Long-enough-to-be-1", "email": "x@example.com", "realname": "x"}
    assert world.api("POST", "/users", "admin", json=body).status_code == 400


@pytest.mark.parametrize(
    "name", ["j\u00fcrgen", "\u4e2d\u6587", "\u4e2d\u6587-dev", "\u0438\u0432\u0430\u043d", "o'neil", "max@x.test"]
)
def test_names_of_people_everywhere(world: World, name: str) -> None:
    body = {"username": name, "password": "Long-enough-to-be-1", "email": "x@example.com", "realname": "x"}
    assert world.api("POST", "/users", "admin", json=body).status_code == 201
    assert world.api("GET", "/users/current", headers=basic(name, "Long-enough-to-be-1")).status_code == 200


@pytest.mark.parametrize(
    "login", [" alice", "alice ", "  alice", "al  ice", "alice\t", "alice\u00a0", "ali\u00adce", "ali\u034fce"]
)
def test_no_login_is_by_another_form_of_a_name(world: World, login: str) -> None:
    """S17: a directory does not see the difference, and what counts guesses would. Nothing is asked about it."""
    world.user("alice")
    assert not is_login(login)
    assert world.api("GET", "/users/current", headers=basic(login)).status_code == 401
    assert world.api("GET", "/system/login-failures", "admin").get_json() == []


@given(st.text(max_size=30))
def test_what_others_call_somebody_becomes_a_name(name: str) -> None:
    """F3: for ever the same, and one with which he can log in."""
    fitted = names.fitted(name, ROBOTS)
    assert fitted == names.fitted(name, ROBOTS)
    if fitted:
        names.check_storable(fitted)
        names.check_free(fitted, ROBOTS)
        assert is_login(fitted)
        assert names.fitted(fitted, ROBOTS) == fitted


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Jane Doe", "Jane_Doe"),
        ("Werner,M.", "Werner_M."),
        ("max#EXT#@corp.onmicrosoft.com", "max_EXT_@corp.onmicrosoft.com"),
        ("github:max", "github_max"),
        ("robot-svc", "user-robot-svc"),
        ("oidc", "user-oidc"),
        ("dora", "dora"),
    ],
)
@pytest.mark.parametrize("kind", ["ldap", "oidc"])
def test_nobody_is_refused_for_what_he_is_called(world: World, theirs: str, ours: str, kind: Any) -> None:
    """F3"""
    with world.changes():
        for _ in range(2):
            found = onboard(Proof(kind, "default", "one", theirs))
            assert users.get(found.account_id).username == ours
        other = onboard(Proof(kind, "default", "two", theirs + "")) if theirs != ours else None
        if other is not None:
            assert users.get(other.account_id).username.startswith(f"{ours}-")
            assert other.account_id != found.account_id


@pytest.mark.parametrize("kind", ["ldap", "oidc"])
@pytest.mark.parametrize("theirs", ["dora", "Jane Doe", "\u00e9ric", "robot-x", "", " ", "admin@example.com"])
def test_what_is_said_to_be_in_the_way_is(world: World, theirs: str, kind: Any) -> None:
    """By the trace as at the login: the one is asked what the other does."""
    for name in ("dora", "Jane_Doe"):
        world.user(name)
    proof = Proof(kind, "default", "one", theirs)
    with world.changes():
        said = obstacle(proof)
    with world.changes(), pytest.raises(InvalidCredentials) if said else nullcontext():
        onboard(proof)


def test_nobody_takes_a_name_that_is_anothers(world: World) -> None:
    world.user("dora")
    with world.changes(), pytest.raises(InvalidCredentials, match="name of another user"):
        onboard(Proof("ldap", "default", "one", "dora"))


def test_names_and_addresses_are_one_space(world: World) -> None:
    """S23: either logs in, so neither is taken as the other."""
    world.user("alice")
    body = {"username": "alice@example.com", "password": "Long-enough-to-be-1", "email": "z@example.com", "realname": "x"}
    for name in ("alice@example.com", "ALICE@example.com"):
        assert world.api("POST", "/users", "admin", json=body | {"username": name}).status_code == 409
    assert world.api("POST", "/users", "admin", json=body | {"username": "max@x.test"}).status_code == 201
    assert world.api("POST", "/users", "admin", json=body | {"username": "eve", "email": "MAX@x.test"}).status_code == 409
    assert world.api("PUT", "/users/2", "alice", json={"email": "max@x.test"}).status_code == 409
    with world.changes(), pytest.raises(InvalidCredentials):
        onboard(Proof("oidc", "default", "stranger", "alice@example.com"))
    assert world.api("GET", "/users/current", headers=basic("alice@example.com")).get_json()["username"] == "alice"


def test_a_directorys_person_is_not_kept_out_by_an_address(world: World) -> None:
    """F8: the directory gives the name, and somebody here has it as an e-mail that nobody has looked at."""
    world.user("eva-admin")
    with world.changes():
        found = onboard(Proof("ldap", "default", "entry", "eva-admin@example.com"))
        assert users.get(found.account_id).username == "eva-admin@example.com"
