"""What a policy chooses, and what it is called where it goes."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.errors import BadRequest
from authsvc.replication import rules
from authsvc.replication.planning import Item, compare, items
from authsvc.replication.rules import Found, Naming, choice, literal_names


@pytest.mark.parametrize(
    ("repository", "namespace", "levels", "named"),
    [
        ("a/b/c/d", "", -1, "a/b/c/d"),
        ("a/b/c/d", "n", -1, "n/d"),
        ("a/b/c/d", "n", 0, "n/a/b/c/d"),
        ("a/b/c/d", "n", 1, "n/b/c/d"),
        ("a/b/c/d", "n/m", 2, "n/m/c/d"),
        ("a/b/c/d", "n", 3, "n/d"),
        ("busybox", "n", -1, "n/busybox"),
        ("busybox", "n", 0, "n/busybox"),
    ],
)
def test_names_as_harbor_makes_them(repository: str, namespace: str, levels: int, named: str) -> None:
    assert Naming(namespace, levels).of(repository) == named


@pytest.mark.parametrize(("repository", "levels"), [("a/b", 2), ("busybox", 1), ("a/" + "b" * 255, 1), ("a/B", 1)])
def test_a_name_that_cannot_be_is_said_to_be_none(repository: str, levels: int) -> None:
    with pytest.raises(BadRequest):
        Naming("n", levels).of(repository)


def filters(**given: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "value": value} for kind, value in given.items()]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ([], ("v1", "v2", "x")),
        (filters(tag="v*"), ("v1", "v2")),
        (filters(tag="**"), ("v1", "v2", "x")),
        (filters(tag="{v1,x}"), ("v1", "x")),
        ([{"type": "tag", "value": "v*", "decoration": "excludes"}], ("x",)),
        (filters(tag="none"), None),
        (filters(label=["a"]), ("v1", "v2", "x")),
        (filters(label=["a", "b"]), None),
        ([{"type": "label", "value": ["a", "b"], "decoration": "excludes"}], ("v1", "v2", "x")),
        ([{"type": "label", "value": ["a"], "decoration": "excludes"}], None),
        (filters(resource="image"), None),
        (filters(resource="artifact"), ("v1", "v2", "x")),
        (filters(resource=""), ("v1", "v2", "x")),
    ],
)
def test_what_is_chosen_of_an_artifact(given: list[dict[str, Any]], chosen: tuple[str, ...] | None) -> None:
    found = choice(given).chosen(Found("sha256:1", ("v1", "v2", "x"), frozenset({"a"}), "CHART"))
    assert (found.tags if found else None) == chosen


def test_what_has_no_tag_is_chosen_where_no_tag_is_asked_for() -> None:
    untagged = Found("sha256:1")
    assert choice([]).chosen(untagged) == choice(filters(tag="**")).chosen(untagged) == untagged
    assert choice(filters(tag="*")).chosen(untagged) is None
    assert choice([{"type": "tag", "value": "v*", "decoration": "excludes"}]).chosen(untagged) is None


@pytest.mark.parametrize(
    "given",
    [
        filters(size="1"),
        filters(name="a") * 2,
        [{"type": "name", "value": "a", "decoration": "excludes"}],
        [{"type": "tag", "value": "a", "decoration": "repoMatches"}],
        filters(tag=["a"]),
        filters(tag="[a"),
        filters(label=[1]),
        filters(label=[""]),
        filters(label=["a"] * 101),
        filters(resource="chart"),
        filters(name=None),
    ],
)
def test_filters_that_cannot_be_used_are_refused(given: list[dict[str, Any]]) -> None:
    with pytest.raises(BadRequest):
        choice(given)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("library/app", ("library/app",)),
        ("library/{app,web}", ("library/app", "library/web")),
        ("{a,b}/c", ("a/c", "b/c")),
        ("library/*", None),
        ("library/{a,b*}", None),
        ("{a,{b,c}}/d", None),
        ("**", None),
        ("", None),
        ("library/a[bc]", None),
    ],
)
def test_names_that_need_not_be_looked_for(pattern: str, named: tuple[str, ...] | None) -> None:
    assert literal_names(pattern) == named


class There:
    """A destination that holds some tags and digests."""

    def __init__(self, tags: dict[str, str], digests: frozenset[str] = frozenset()) -> None:
        self._tags, self._digests = tags, digests

    def tags(self, _repository: str, wanted: list[str]) -> dict[str, str]:
        return {tag: self._tags[tag] for tag in wanted if tag in self._tags}

    def held(self, _repository: str, digests: list[str]) -> frozenset[str]:
        return self._digests & frozenset(digests)


def digest(number: int) -> str:
    return f"sha256:{number:064}"


def test_what_is_lacking_and_what_is_something_else() -> None:
    one, two, three, signature, other = map(digest, range(5))
    chosen = [Found(one, ("v1", "v2")), Found(two, ("v3",), attached=(Found(signature), Found(other, ("sig",)))), Found(three)]
    wanted = items(chosen)
    assert [item.digest for item in wanted] == [one, two, signature, other, three], "what is attached follows its subject"
    there: Any = There({"v1": one, "v3": "other", "sig": other}, frozenset({signature}))
    found = compare(there, "n/a", wanted, override=False)
    assert (found.looked, found.equal) == (5, 2)
    assert found.lacking == [Item(one, ("v2",)), Item(three, ())]
    assert found.excepted == ["n/a:v3 is something else there, and nothing is to be overridden"]
    assert compare(there, "n/a", wanted, override=True).lacking == [Item(one, ("v2",)), Item(two, ("v3",)), Item(three, ())]


def test_what_is_no_digest_or_tag_is_left_out() -> None:
    assert items([Found("../x", ("v1",)), Found(digest(1), ("../x",)), Found(digest(2), ("v1", "../x"))]) == [
        Item(digest(2), ("v1",))
    ]


def test_what_went_wrong_fits_a_sentence() -> None:
    assert rules.excepted(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"
    assert rules.excepted([]) == ""
