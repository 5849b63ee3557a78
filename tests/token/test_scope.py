"""Scopes and grants: narrow, never fail; granted is asked and allowed, never more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.core.errors import BadRequest
from authsvc.core.names import is_repository, project_of
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.rbac.roles import Role
from authsvc.token.grants import grant
from authsvc.token.scope import MAX_SCOPES, Scope, parse

PROJECTS = {"web": ProjectRef(1, "web", public=False), "library": ProjectRef(2, "library", public=True)}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["repository:a/b:pull"], [("repository", "a/b", {"pull"})]),
        (["repository:a/b:pull,push repository:c/d:pull"], [("repository", "a/b", {"pull", "push"}), ("repository", "c/d", {"pull"})]),
        (["repository:a/b:pull", "repository:a/b:push"], [("repository", "a/b", {"pull", "push"})]),
        (["repository:host:5000/a:pull"], [("repository", "host:5000/a", {"pull"})]),
        (["registry:catalog:*"], [("registry", "catalog", {"*"})]),
        (["repository:a/b:"], [("repository", "a/b", set())]),
        (["", " ", "repository", "repository:x", ":a/b:pull", "REPO:a/b:pull"], []),
    ],
)  # fmt: skip
def test_parsing(values: list[str], expected: list[tuple[str, str, set[str]]]) -> None:
    assert [(scope.type, scope.name, set(scope.actions)) for scope in parse(values)] == expected


def test_plugins_have_a_class_and_get_nothing() -> None:
    (scope,) = parse(["repository(plugin):web/a:pull"])
    assert scope.resource_class == "plugin"
    assert grant(Principal("user", 1, "root", is_sysadmin=True), [scope], PROJECTS.get) == ()


def test_too_much_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse([f"repository:a/b{n}:pull" for n in range(MAX_SCOPES + 1)])
    with pytest.raises(BadRequest):
        parse(["repository:" + "a/" * 300 + "b:pull"])


words = st.text(st.sampled_from("ab/:,*()._-A%\x00 é"), max_size=20)
scope_texts = st.one_of(
    words,
    st.builds(
        "{}:{}:{}".format,
        st.sampled_from(["repository", "registry", "repository(plugin)", "x"]),
        st.sampled_from(["web/app", "library/app", "nope/app", "catalog", "web", "WEB/app", "web//app", "web/../x"]),
        st.sampled_from(["pull", "push", "delete", "*", "pull,push", "pull,push,delete,*", "frobnicate", ""]),
    ),
)
callers = st.builds(
    Principal,
    kind=st.just("user"),
    id=st.just(1),
    name=st.just("alice"),
    is_sysadmin=st.booleans(),
    roles=st.dictionaries(st.sampled_from([1, 2, 3]), st.frozensets(st.sampled_from(list(Role)), min_size=1)),
)


@given(callers, st.lists(scope_texts, max_size=10))
def test_granted_is_within_asked_and_allowed(who: Principal, texts: list[str]) -> None:
    asked = parse(texts)
    by_key: dict[tuple[str, str], Scope] = {(scope.type, scope.name): scope for scope in asked if not scope.resource_class}
    for access in grant(who, asked, PROJECTS.get):
        wanted = by_key[access.type, access.name].actions
        for action in access.actions:
            assert action in wanted or "*" in wanted
            if access.type == "registry":
                assert (access.name, action) == ("catalog", "*")
                assert who.is_sysadmin
            else:
                assert action in ("pull", "push", "delete")
                assert is_repository(access.name)
                project = PROJECTS[project_of(access.name)]
                assert can(who, Permission(Resource.REPOSITORY, Action(action)), project)


@given(callers, st.lists(scope_texts, max_size=6))
def test_asking_twice_changes_nothing(who: Principal, texts: list[str]) -> None:
    assert grant(who, parse(texts + texts), PROJECTS.get) == grant(who, parse(texts), PROJECTS.get)
