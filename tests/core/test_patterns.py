"""Doublestar patterns: what Harbor's rules say, against a slow but obvious matcher, and never slow themselves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.core.patterns import BadPattern, Selector, check, matches

YES = [
    ("", "anything"), ("**", "a"), ("**", "a/b"), ("*", "v1.0-rc_2"), ("v*", "v1"), ("release-**", "release-9"),
    ("**/b", "b"), ("**/b", "a/a/b"), ("a/**", "a/b/c"), ("a/**/b", "a/b"), ("a/**/b", "a/x/y/b"), ("**/**", "a"),
    ("v?.?", "v1.2"), ("v[0-9]", "v7"), ("v[^0-9]", "vx"), ("[a\\-z]", "-"), ("[!a]", "!"), ("\\*", "*"), ("é?", "éé"),
    ("{dev,test}-*", "test-1"), ("{a,{b,c}}d", "cd"), ("{,x}a", "a"), ("{a/b,c}/d", "a/b/d"), ("a,b}", "a,b}"), ("{a\\,b}", "a,b"),
]  # fmt: skip
NO = [
    ("*", "a/b"), ("v*", "rv1"), ("**b", "a/b"), ("a**", "a/b"), ("a/**", "a"), ("a/**/b", "a/xb"), ("?", "/"), ("[^a]", "/"),
    ("v?", "v"), ("[!a]", "b"), ("[b-a]", "a"), ("{a,b}", "c"), ("{**,x}", "a/b"), ("Latest", "latest"), ("a.c", "abc"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text"), YES)
def test_matches(pattern: str, text: str) -> None:
    assert matches(pattern, text)
    assert not Selector(pattern, excludes=True).selects(text)


@pytest.mark.parametrize(("pattern", "text"), NO)
def test_does_not_match(pattern: str, text: str) -> None:
    assert not matches(pattern, text)
    assert Selector(pattern, excludes=True).selects(text)


@pytest.mark.parametrize(
    "pattern", ["[", "[a", "[]", "[]a]", "[-a]", "[a-]", "{a", "{a,{b}", "a\\", "[a\\", "{" * 40 + "}" * 40, "a" * 1025]
)
def test_no_pattern(pattern: str) -> None:
    with pytest.raises(BadPattern):
        check(pattern)


# Pieces whose meaning is plain by themselves, and all that each can stand for in texts of these letters.
PIECES = {
    "a": {"a"}, "/": {"/"}, "?": {"a", "b"}, "[^a]": {"b"}, "{b,ab}": {"b", "ab"}, "{,a}": {"", "a"},
    "*": {"".join(text) for length in range(6) for text in itertools.product("ab", repeat=length)},
}  # fmt: skip


def slowly(pieces: list[str], text: str) -> bool:
    """By trying everything."""
    if not pieces:
        return not text
    return any(slowly(pieces[1:], text[len(start) :]) for start in PIECES[pieces[0]] if text.startswith(start))


@settings(max_examples=400)
@given(st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=5), st.text("ab/", max_size=5))
def test_against_a_slow_matcher(pieces: list[str], text: str) -> None:
    pattern = "".join(pieces)
    if "**" not in pattern:
        assert matches(pattern, text) is slowly(pieces, text)


@settings(max_examples=400)
@given(st.text("ab/*?[]{},^-\\é", max_size=40), st.text("ab/-", max_size=40))
def test_anything_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    try:
        check(pattern)
    except BadPattern:
        return
    assert isinstance(matches(pattern, text), bool)


@pytest.mark.parametrize(
    "pattern", ["*a" * 500 + "b", "**/" * 300 + "b", "{a,*a}" * 150 + "b", "{*,**,?}" * 120 + "b", "[^b]*" * 200 + "b"]
)
def test_no_pattern_is_slow(pattern: str) -> None:
    """Trying every way to match them would take longer than a test may."""
    assert not matches(pattern, "a" * 255)
