"""Harbor's q= and sort=."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from authsvc.core.errors import BadRequest
from authsvc.core.query import AllOf, AnyOf, Contains, Exact, Match, Range, filtered, ordered, parse_q, parse_sort
from authsvc.projects.models import Project

COLUMNS = {"name": Project.name, "project_id": Project.id, "public": Project.public, "creation_time": Project.creation_time}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("name=web", {"name": Exact("web")}),
        ("name=~we,public=true", {"name": Contains("we"), "public": Exact("true")}),
        ("ProjectID=[1~5]", {"projectid": Range("1", "5")}),
        ("project_id=[~5]", {"projectid": Range("", "5")}),
        ("k={a b 'c'}", {"k": AnyOf(("a", "b", "c"))}),
        ("k=(1 2)", {"k": AllOf(("1", "2"))}),
        ("name=\\~x", {"name": Exact("~x")}),
        ("name%3Dweb", {"name": Exact("web")}),
    ],
)
def test_parsing(text: str, expected: dict[str, Match]) -> None:
    assert parse_q(text) == expected


@pytest.mark.parametrize(
    "text", ["name", "=x", "name=", "k=[1", "k=[1]", "k={a", "a=b,c", ",".join(f"k{n}=v" for n in range(30))]
)
def test_what_cannot_be_parsed(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_q(text)


def sql(q: str = "", sort: str = "") -> str:
    statement = ordered(filtered(select(Project.id), q, COLUMNS), sort, COLUMNS, [Project.name])
    return " ".join(str(statement).split())


def test_only_columns_of_the_list_can_be_asked_about() -> None:
    for q in ("owner_id=1", "password_hash=~a", "__class__=x", "public=true,nmae=web"):
        with pytest.raises(BadRequest, match="there is no key"):
            sql(q)
    with pytest.raises(BadRequest, match="there is no key"):
        sql(sort="-name,password_hash")
    assert "projects.name = :name_1" in sql("name=x' OR 1=1 --")
    assert sql(sort="-creation_time").endswith("ORDER BY projects.creation_time DESC, projects.name DESC")
    assert sql(sort="-public,creation_time").endswith(
        "ORDER BY projects.public DESC, projects.creation_time ASC, projects.name ASC"
    )


@pytest.mark.parametrize("q", ["project_id=x", "project_id=99999999999999999999", "public=maybe", "creation_time=[soon~]"])
def test_values_of_another_type_are_refused(q: str) -> None:
    with pytest.raises(BadRequest):
        sql(q)


@given(st.text(max_size=60))
def test_anything_else_is_refused_or_understood(text: str) -> None:
    try:
        parse_q(text)
        sql(text, text)
    except BadRequest as error:
        assert error.message


def test_sort() -> None:
    assert parse_sort("name,-creation_time, ,-") == [("name", False), ("creationtime", True)]
