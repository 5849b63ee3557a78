"""S2 S3 S4 and their kind: nobody gives others, machines or himself more than he holds, for longer, or for more places."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.core.errors import Denied
from authsvc.rbac.authority import DOORS, Credential, Door
from authsvc.rbac.giving import AMOUNTS_TO, holds, require_cover, require_holding
from authsvc.rbac.permissions import Permission
from authsvc.rbac.policy import can
from authsvc.rbac.principal import EVERYWHERE, Principal, ProjectRef
from authsvc.rbac.robots import PROJECT_CATALOGUE
from authsvc.rbac.roles import ROLE_PERMISSIONS, Role
from authsvc.secrets.rules import ACTIONS
from tests.rbac.principals import KNOWN, principals
from tests.support.world import World, granted_by
from tests.threats.credentials import Shown, Wallet, id_of

DAY = 24 * 3600
WEB = ProjectRef(3, "web", public=False)
_some = st.frozensets(st.sampled_from(KNOWN), max_size=40)


def wanted(*access: str, name: str = "child", namespace: str = "web", duration: int = -1) -> dict[str, Any]:
    pairs = (text.split(":") for text in access)
    entry = {"kind": "project", "namespace": namespace, "access": [{"resource": r, "action": a} for r, a in pairs]}
    level = "system" if namespace == "*" else "project"
    return {"name": name, "level": level, "duration": duration, "permissions": [entry]}


def token_of(shown: Shown) -> dict[str, list[str]]:
    query = {"service": "harbor-registry", "scope": "repository:web/app:pull,push,delete"}
    return granted_by(shown.open("GET", "/service/token", query_string=query).get_json()["token"])


EVERYTHING = ("repository:pull", "repository:push", "repository:delete")


def test_a_token_that_only_writes_makes_no_robot_that_pulls(wallet: Wallet, town: World) -> None:
    """S2: by whatever way there is to a robot's secret."""
    writes = wallet.access_token("alice", id_of(town, "alice"), projects=["web"], actions=["write"], days=None)
    assert token_of(writes) == {"web/app": []}
    for access in EVERYTHING:
        refused = writes.api("POST", "/robots", json=wanted(access))
        assert refused.status_code == 403, access
        assert access in refused.get_json()["errors"][0]["message"]
    v1 = {"name": "old", "access": [{"resource": "repository", "action": "push"}]}
    assert writes.api("POST", "/projects/web/robots", json=v1).status_code == 403
    assert writes.api("POST", "/robots", json=wanted("label:create")).status_code == 201


@pytest.mark.parametrize("by", ["limited token", "robot"])
def test_a_stronger_robots_secret_is_not_given(wallet: Wallet, town: World, by: str) -> None:
    """H4: to change a robot's secret is to become that robot."""
    strong = wallet.robot(*EVERYTHING)
    (robot,) = [one for one in town.api("GET", "/projects/web/robots", "admin").get_json() if one["name"] == strong.name]
    if by == "robot":
        thief = wallet.robot("robot:create", "robot:read", "robot:list", "robot:delete")
    else:
        thief = wallet.access_token("alice", id_of(town, "alice"), actions=["read", "write"])
    path = f"/robots/{robot['id']}"
    for method, where, body in (
        ("PATCH", path, {"secret": ""}),
        ("PATCH", path, {"secret": "Chosen-by-a-thief-1"}),
        ("POST", f"{path}/secrets", None),
        ("PUT", path, wanted(*EVERYTHING, name=strong.name) | {"id": robot["id"], "disable": False}),
    ):
        refused = thief.api(method, where, json=body)
        assert refused.status_code == 403, (method, where)
        assert "secret" not in refused.get_json()
    assert token_of(strong) == {"web/app": ["pull", "push", "delete"]}
    alice = wallet.by_name("alice", "correct horse battery")
    assert alice.api("PATCH", path, json={"secret": ""}).status_code == 200


@pytest.mark.parametrize("role", list(Role))
def test_a_robot_that_may_add_members_gives_no_role(wallet: Wallet, town: World, role: Role) -> None:
    """S3, L3: neither to somebody new nor to who is a member."""
    adds = wallet.robot("member:create", "member:update", "member:read", "member:list")
    body = {"role_id": role, "member_user": {"username": "mallory"}}
    assert adds.api("POST", "/projects/web/members", json=body).status_code == 403
    assert town.granted("repository:web/app:pull", who="mallory") == {"web/app": []}
    made = town.api("POST", "/projects/web/members", "alice", json=body | {"role_id": Role.LIMITED_GUEST})
    member_id = made.headers["Location"].rpartition("/")[2]
    assert adds.api("PUT", f"/projects/web/members/{member_id}", json={"role_id": role}).status_code == 403


def test_a_robot_with_all_that_robots_can_have_gives_every_role(wallet: Wallet) -> None:
    """What automates a whole project by one robot goes on doing so."""
    full = wallet.robot(*(str(permission) for permission in PROJECT_CATALOGUE))
    for number, role in enumerate(Role):
        body = {"role_id": role, "member_user": {"username": ("mallory", "bob", "admin")[number % 3]}}
        made = full.api("POST", "/projects/web/members", json=body)
        assert made.status_code == 201, made.text
        assert full.api("DELETE", made.headers["Location"].removeprefix("/api/v2.0")).status_code == 200


def test_nobody_raises_himself_by_a_token(wallet: Wallet, town: World) -> None:
    alice = id_of(town, "alice")
    writes = wallet.access_token("alice", alice, actions=["read", "write"])
    for name in ("alice", "mallory"):
        body = {"role_id": Role.GUEST, "member_user": {"username": name}}
        assert writes.api("POST", "/projects/web/members", json=body).status_code == 403


def test_who_may_not_pull_lets_not_everybody_pull(wallet: Wallet, town: World) -> None:
    """L2: to make a project public gives all its images to all."""
    writes = wallet.access_token("alice", id_of(town, "alice"), actions=["read", "write"])
    sets = wallet.robot("project:read", "project:update", "metadata:create", "metadata:update", "metadata:delete")
    public = {"metadata": {"public": "true"}}
    for shown in (writes, sets):
        assert shown.api("PUT", "/projects/web", json=public).status_code == 403
        assert shown.api("PUT", "/projects/web/metadatas/public", json={"public": "true"}).status_code == 403
        assert shown.api("PUT", "/projects/web", json={"metadata": {"auto_scan": "true"}}).status_code == 200
    assert town.granted("repository:web/app:pull") == {"web/app": []}
    assert town.api("PUT", "/projects/web", "alice", json=public).status_code == 200


def test_a_token_that_writes_deletes_and_copies_nothing(wallet: Wallet, town: World) -> None:
    """L2: retention deletes what its rules match, a copy pushes; neither is what "write" says."""
    assert not ACTIONS["write"] & ACTIONS["delete"]
    assert not ACTIONS["write"] & (ACTIONS["push"] - ACTIONS["pull"])
    writes = wallet.access_token("alice", id_of(town, "alice"), actions=["read", "write"])
    rule = {
        "action": "retain",
        "template": "latestPushedK",
        "params": {"latestPushedK": 1},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }
    web = town.api("GET", "/projects/web", "alice").get_json()["project_id"]
    policy = {"algorithm": "or", "rules": [rule], "scope": {"level": "project", "ref": web}, "trigger": {"kind": "Schedule"}}
    assert writes.api("POST", "/retentions", json=policy).status_code == 403
    assert town.api("POST", "/retentions", "alice", json=policy).status_code == 201


def _child(parent: Shown, **body: Any) -> Any:
    return parent.api("POST", "/robots", json=wanted("repository:pull", **body))


def test_what_ends_makes_nothing_that_lives_longer(wallet: Wallet, town: World) -> None:
    """S4: of a token of some days, or a robot of some days."""
    alice = id_of(town, "alice")
    for parent in (
        wallet.access_token("alice", alice, days=3),
        wallet.robot("robot:create", "repository:pull", "robot:delete", "robot:read", duration=3),
    ):
        for duration in (-1, 4, 365):
            refused = _child(parent, duration=duration)
            assert refused.status_code == 403, duration
            assert "is good until" in refused.get_json()["errors"][0]["message"]
        made = _child(parent, duration=2, name=f"c{time.monotonic_ns()}")
        assert made.status_code == 201, made.text
        path = f"/robots/{made.get_json()['id']}"
        longer = wanted("repository:pull", name=made.get_json()["name"]) | {"id": made.get_json()["id"], "disable": False}
        assert parent.api("PUT", path, json=longer).status_code == 403
    for parent in (wallet.access_token("alice", alice, days=None), wallet.by_name("alice", "correct horse battery")):
        made = _child(parent, name=f"c{time.monotonic_ns()}")
        assert made.status_code == 201, made.text


def test_what_is_bound_to_networks_makes_nothing_free(wallet: Wallet, town: World) -> None:
    bound = wallet.access_token("alice", id_of(town, "alice"), networks=["127.0.0.1"], days=None)
    body = wanted("repository:pull", duration=1)
    refused = bound.api("POST", "/robots", json=body, headers={"X-Real-IP": "127.0.0.1"})
    assert refused.status_code == 403
    assert "networks" in refused.get_json()["errors"][0]["message"]


def test_a_robot_takes_those_with_it_that_it_made(wallet: Wallet, town: World) -> None:
    parent = wallet.robot("robot:create", "robot:read", "robot:list", "robot:delete", *EVERYTHING)
    chain, names = parent, []
    for generation in range(3):
        body = wanted("robot:create", "robot:read", "robot:list", *EVERYTHING, name=f"g{generation}")
        made = chain.api("POST", "/robots", json=body).get_json()
        chain = wallet.by_name(made["name"], made["secret"])
        names.append(made["name"])
        assert token_of(chain) == {"web/app": ["pull", "push", "delete"]}
    (first,) = [one for one in town.api("GET", "/projects/web/robots", "admin").get_json() if one["name"] == parent.name]
    assert town.api("DELETE", f"/robots/{first['id']}", "admin").status_code == 200
    left = [one["name"] for one in town.api("GET", "/projects/web/robots", "admin").get_json()]
    assert not set(names) & set(left)
    assert chain.open("GET", "/service/token?service=harbor-registry").status_code == 401


def test_a_project_goes_with_robots_that_made_each_other(wallet: Wallet, town: World) -> None:
    parent = wallet.robot("robot:create", "robot:read", "repository:pull")
    assert _child(parent).status_code == 201
    assert town.api("DELETE", "/projects/web", "alice").status_code == 200


# -- of whoever it may be ---------------------------------------------------------------------------------------------


@given(giver=principals(), asked=_some, place=st.sampled_from([None, WEB, ProjectRef(EVERYWHERE, "", public=False)]))
def test_given_is_held(giver: Principal, asked: frozenset[Permission], place: ProjectRef | None) -> None:
    try:
        require_holding(giver, asked, place)
    except Denied:
        assert not all(holds(giver, permission, place) for permission in asked)
        return
    repository = "web/anything" if place == WEB else ""
    for permission in asked:
        amounts = AMOUNTS_TO.get(permission, frozenset([permission]))
        assert can(giver, permission, place, repository) or all(can(giver, one, place, repository) for one in amounts)


@given(giver=principals(), end=st.none() | st.floats(0, 1000))
def test_the_child_lives_no_longer(giver: Principal, end: float | None) -> None:
    try:
        require_cover(giver, end)
    except Denied:
        return
    authority = giver.authority
    assert authority.credential is not Credential.NONE
    ends = authority.expires_at
    assert Door.CREDENTIALS in DOORS[authority.credential] or ends is None or (end is not None and end <= ends)


def test_roles_amount_to_what_robots_can_hold() -> None:
    full = Principal(kind="robot", id=0, name="full", robot_id=1, permissions={WEB.id: PROJECT_CATALOGUE})
    assert all(holds(full, permission, WEB) for role in Role for permission in ROLE_PERMISSIONS[role])
    owner = Principal(kind="user", id=1, name="owner", roles={WEB.id: frozenset({Role.PROJECT_ADMIN})})
    assert all(holds(owner, permission, WEB) for permission in PROJECT_CATALOGUE)
