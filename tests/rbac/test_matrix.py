"""Roles against the hand-reviewed copy of Harbor's matrix, and what must hold of any such table."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.rbac.explain import explain
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import Rule, can, roles_granting, why
from authsvc.rbac.principal import ANONYMOUS, Principal, ProjectRef
from authsvc.rbac.roles import ALL_PERMISSIONS, BY_POWER, PUBLIC_PERMISSIONS, ROLE_PERMISSIONS, Role, strongest

MATRIX = list(csv.DictReader((Path(__file__).parent / "role_matrix.csv").read_text().splitlines()))
PRIVATE, PUBLIC = ProjectRef(1, "web", public=False), ProjectRef(2, "library", public=True)


def of(row: dict[str, str]) -> Permission:
    return Permission(Resource(row["resource"]), Action(row["action"]))


def user(role: Role | None = None, project: ProjectRef = PRIVATE) -> Principal:
    return Principal(kind="user", id=7, name="alice", roles={project.id: frozenset({role})} if role else {})


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.label)
def test_each_role_holds_exactly_what_harbor_says(role: Role) -> None:
    expected = {of(row) for row in MATRIX if row[role.label] == "Y"}
    assert ROLE_PERMISSIONS[role] == expected


def test_the_public_holds_exactly_what_harbor_says() -> None:
    assert {of(row) for row in MATRIX if row["public"] == "Y"} == PUBLIC_PERMISSIONS


def test_the_matrix_is_complete() -> None:
    assert len(MATRIX) == 76
    assert {of(row) for row in MATRIX} == ALL_PERMISSIONS
    assert [len(ROLE_PERMISSIONS[role]) for role in BY_POWER] == [75, 53, 36, 20, 14]


def test_roles_are_nested() -> None:
    for stronger, weaker in pairwise(BY_POWER):
        assert ROLE_PERMISSIONS[stronger] > ROLE_PERMISSIONS[weaker]


def test_every_role_that_sees_a_project_may_pull_from_it() -> None:
    """The catalog lists by what is visible, so these two must not part."""
    see, pull = Permission(Resource.PROJECT, Action.READ), Permission(Resource.REPOSITORY, Action.PULL)
    for held in (*ROLE_PERMISSIONS.values(), PUBLIC_PERMISSIONS):
        assert (see in held) == (pull in held)


def test_empty_means_no() -> None:
    for permission in ALL_PERMISSIONS:
        assert not can(ANONYMOUS, permission, PRIVATE)
        assert not can(ANONYMOUS, permission, None)
        assert not can(user(), permission, PRIVATE)
        assert not can(user(Role.PROJECT_ADMIN), permission, None)
        assert not can(user(Role.PROJECT_ADMIN, PUBLIC), permission, PRIVATE)
        assert can(ANONYMOUS, permission, PUBLIC) == (permission in PUBLIC_PERMISSIONS)


permissions = st.sampled_from(sorted(ALL_PERMISSIONS))
roles = st.frozensets(st.sampled_from(list(Role)))


@given(roles, st.sampled_from(list(Role)), permissions, st.booleans())
def test_another_role_never_takes_a_permission_away(held: frozenset[Role], more: Role, wanted: Permission, public: bool) -> None:
    project = ProjectRef(1, "web", public=public)
    before = Principal(kind="user", id=1, name="a", roles={1: held})
    after = Principal(kind="user", id=1, name="a", roles={1: held | {more}})
    assert can(after, wanted, project) >= can(before, wanted, project)


@given(roles, permissions, st.booleans(), st.booleans())
def test_explaining_and_deciding_agree(held: frozenset[Role], wanted: Permission, public: bool, sysadmin: bool) -> None:
    project = ProjectRef(1, "web", public=public)
    who = Principal(kind="user", id=1, name="alice", is_sysadmin=sysadmin, roles={1: held})
    explained = explain(who, wanted, "web", project)
    assert explained.allowed == can(who, wanted, project)
    assert explained.allowed == (explained.rule in set(Rule))
    strong = strongest(held)
    assert explained.role == (strong.label if strong else "")


def test_explanations_name_the_rule_and_the_remedy() -> None:
    push = Permission(Resource.REPOSITORY, Action.PUSH)
    assert explain(user(Role.GUEST), push, "web", PRIVATE).reason == (
        "alice is guest in web, which is private; repository:push needs developer or more, which a project administrator can give"
    )
    assert "is public" in explain(ANONYMOUS, Permission(Resource.REPOSITORY, Action.PULL), "library", PUBLIC).reason
    assert explain(user(), push, "nope", None).rule == "no such project"
    assert roles_granting(push)[0] is Role.DEVELOPER
    grant = why(user(Role.DEVELOPER), push, PRIVATE)
    assert grant is not None
    assert (grant.rule, grant.role) == (Rule.ROLE, Role.DEVELOPER)
