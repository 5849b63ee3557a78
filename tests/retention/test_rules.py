"""What a policy keeps: Harbor's semantics one by one, and everything together against a model that asks artifact by artifact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.core.errors import BadRequest, Conflict
from authsvc.retention.rules import TEMPLATES, Candidate, kept, parse

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def rule(template: str = "always", tags: str = "**", repositories: str = "**", **changes: Any) -> dict[str, Any]:
    return {
        "id": 0,
        "priority": 0,
        "disabled": False,
        "action": "retain",
        "template": template,
        "params": {},
        "tag_selectors": [selector(tags)],
        "scope_selectors": {"repository": [selector(repositories, "repoMatches")]},
    } | changes


def selector(pattern: str, decoration: str = "matches", extras: str = "") -> dict[str, str]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern, "extras": extras}


def artifact(number: int, *tags: str, pushed: float = 0, pulled: float | None = None) -> Candidate:
    """`pushed` and `pulled`: days ago."""
    at = None if pulled is None else NOW - timedelta(days=pulled)
    return Candidate(number, f"sha256:{number}", tags, NOW - timedelta(days=pushed), at)


def keeps(rules: list[dict[str, Any]], *candidates: Candidate, repository: str = "app") -> set[int] | None:
    found = kept(candidates, parse(rules), repository, NOW)
    return None if found is None else set(found)


def test_what_no_rule_keeps_goes_also_what_none_selects() -> None:
    assert keeps([rule(tags="v*")], artifact(1, "v1"), artifact(2, "dev")) == {1}
    assert keeps([rule("latestPushedK", params={"latestPushedK": 0})], artifact(1, "v1")) == set()


def test_repositories_that_no_rule_selects_are_left_alone() -> None:
    assert keeps([rule(repositories="web/*")], artifact(1, "v1")) is None
    assert keeps([rule(disabled=True)], artifact(1, "v1")) is None
    assert keeps([], artifact(1, "v1")) is None
    excluded = rule(scope_selectors={"repository": [selector("app", "repoExcludes")]})
    assert keeps([excluded], artifact(1, "v1")) is None
    assert keeps([rule(repositories="other"), rule(tags="x")], artifact(1, "v1")) == set(), "only rules that look here count"


def test_any_tag_selects_an_artifact() -> None:
    both = artifact(1, "v1", "dev")
    assert keeps([rule(tags="v*")], both) == {1}
    assert keeps([rule(tag_selectors=[selector("v*", "excludes")])], both) == {1}
    assert keeps([rule(tag_selectors=[selector("v*"), selector("v1", "excludes")])], both, artifact(2, "v1")) == {1}


@pytest.mark.parametrize(
    ("decoration", "extras", "selected"),
    [
        ("matches", "", True),
        ("matches", '{"untagged":true}', True),
        ("matches", '{"untagged":false}', False),
        ("excludes", "", True),
        ("excludes", '{"untagged":false}', True),
        ("excludes", '{"untagged":true}', False),
        ("matches", "{}", False),
    ],
)
def test_untagged(decoration: str, extras: str, selected: bool) -> None:
    assert keeps([rule(tag_selectors=[selector("v*", decoration, extras)])], artifact(1)) == ({1} if selected else set())


def test_templates() -> None:
    some = [artifact(1, "a", pushed=40, pulled=1), artifact(2, "b", pushed=20, pulled=35), artifact(3, "c", pushed=5)]

    def by(template: str, number: int | None = None) -> set[int] | None:
        return keeps([rule(template, params={} if number is None else {template: number})], *some)

    assert by("latestPushedK", 2) == {2, 3}
    assert by("latestPulledN", 2) == {1, 2}
    assert by("latestPulledN", 3) == {1, 2, 3}, "what was never pulled comes last"
    assert by("nDaysSinceLastPush", 20) == {2, 3}
    assert by("nDaysSinceLastPull", 35) == {1, 2}
    assert by("nDaysSinceLastPush") == {2, 3}
    assert by("nDaysSinceLastPull") == {1}
    assert by("nDaysSinceLastPush", 2**31 - 1) == {1, 2, 3}
    assert by("always") == {1, 2, 3}
    assert keeps([rule("latestPushedK")], *(artifact(number, "x") for number in range(12))) == set(range(2, 12))


@pytest.mark.parametrize(
    "wrong",
    [
        {"template": "latestActiveK"},
        {"template": "latestPushedK", "params": {"latestPushedK": -1}},
        {"template": "latestPushedK", "params": {"latestPushedK": 1.5}},
        {"template": "latestPushedK", "params": {"latestPushedK": True}},
        {"template": "latestPushedK", "params": {"latestPushedK": 2**31}},
        {"template": "latestPushedK", "params": {"latestPushedK": "7"}},
        {"tag_selectors": []},
        {"tag_selectors": [selector("[")]},
        {"tag_selectors": [selector("a", "repoMatches")]},
        {"tag_selectors": [selector("a", extras="untagged")]},
        {"tag_selectors": [selector("a", extras="[]")]},
        {"scope_selectors": {"repository": []}},
    ],
)
def test_what_is_no_rule(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        parse([rule(**wrong)])


def test_not_too_many_and_no_two_alike() -> None:
    assert len(parse([rule(tags=str(number)) for number in range(15)])) == 15
    with pytest.raises(BadRequest):
        parse([rule(tags=str(number)) for number in range(16)])
    with pytest.raises(Conflict, match="rule 2 is conflict with rule 0"):
        parse([rule(id=1), rule(tags="x"), rule(id=2)])


tags = st.lists(st.sampled_from(["v1", "v2", "dev", "latest"]), unique=True, max_size=3)
candidates = st.lists(st.tuples(tags, st.integers(0, 60), st.none() | st.integers(0, 60)), max_size=12)
rules = st.lists(
    st.tuples(
        st.sampled_from(sorted(TEMPLATES)), st.integers(0, 40), st.sampled_from(["v*", "**", "dev", "{dev,v1}"]), st.booleans()
    ),
    max_size=4,
    unique=True,
)


@settings(max_examples=300)
@given(candidates, rules)
def test_against_a_model(given_candidates: list[Any], given_rules: list[Any]) -> None:
    some = [artifact(n, *names, pushed=pushed, pulled=pulled) for n, (names, pushed, pulled) in enumerate(given_candidates)]
    matching = {"v*": {"v1", "v2"}, "**": {"v1", "v2", "dev", "latest"}, "dev": {"dev"}, "{dev,v1}": {"dev", "v1"}}

    def is_kept(one: Candidate) -> bool:
        for template, number, pattern, excludes in given_rules:

            def selected(other: Candidate, pattern: str = pattern, excludes: bool = excludes) -> bool:
                return not other.tags or any((tag in matching[pattern]) is not excludes for tag in other.tags)

            if not selected(one):
                continue
            peers = [other for other in some if selected(other)]
            newer = sum((other.pushed, other.id) > (one.pushed, one.id) for other in peers)
            fresher = sum(
                (other.pulled or datetime.min.replace(tzinfo=UTC), other.pushed, other.id)
                > (one.pulled or datetime.min.replace(tzinfo=UTC), one.pushed, one.id)
                for other in peers
            )
            if {
                "always": True,
                "latestPushedK": newer < number,
                "latestPulledN": fresher < number,
                "nDaysSinceLastPush": NOW - one.pushed <= timedelta(days=number),
                "nDaysSinceLastPull": one.pulled is not None and NOW - one.pulled <= timedelta(days=number),
            }[template]:
                return True
        return False

    parsed = [
        rule(template, params={template: number}, tag_selectors=[selector(pattern, "excludes" if excludes else "matches")])
        for template, number, pattern, excludes in given_rules
    ]
    expected = {one.id for one in some if is_kept(one)} if given_rules else None
    assert keeps(parsed, *some) == expected
