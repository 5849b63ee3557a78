"""Patterns with `*` (anything, also nothing) and `?` (one character); every other character is itself, brackets as well, which
names of machines have (`dependabot[bot]`). Pure."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """True if the pattern matches the whole text; at most text x pattern steps."""
    at, after_star, resume = 0, -1, 0
    position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            at += 1
            after_star, resume = at, position
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif after_star >= 0:  # the last star takes one more character
            resume += 1
            at, position = after_star, resume
        else:
            return False
    return not pattern[at:].strip("*")


def says_nothing(pattern: str) -> bool:
    """True if it matches whatever is long enough."""
    return not pattern.strip("*?")
