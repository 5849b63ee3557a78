"""Doublestar patterns, as Harbor's rules have them (its library: doublestar 1.3): `*` and `?` within a path component, `**`
as a whole component for any number of them, `[a-z]`, `[^a-z]`, `{one,two}` and a backslash before what is meant literally.

A pattern becomes a small automaton that reads the text once, so that no pattern is slow: at most text x pattern steps, and
what a step led to is remembered. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

MAX_LENGTH = 1024
_MAX_DEPTH = 16  # of braces within braces
_MAX_REMEMBERED = 4096  # steps of one pattern

Test = Callable[[str], bool]


class BadPattern(ValueError):
    """No pattern: a bracket that stays open, or an empty class; the text says what."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What a rule selects: texts that match its pattern, or those that do not. An empty pattern matches everything."""

    pattern: str
    excludes: bool = False

    def selects(self, text: str) -> bool:
        return matches(self.pattern, text) is not self.excludes


def matches(pattern: str, text: str) -> bool:
    """True if the pattern matches the whole text.

    Raises:
        BadPattern
    """
    return not pattern or _compiled(pattern).matches(text)


def check(pattern: str) -> None:
    """Before a pattern is stored.

    Raises:
        BadPattern
    """
    _compiled(pattern)


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> _Automaton:
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"a pattern has at most {MAX_LENGTH} characters")
    parser = _Parser(pattern)
    end = parser.sequence(parser.state(), depth=0)
    return _Automaton(parser.steps, parser.free, end)


class _Automaton:
    """Sets of states are bits of a number. `steps`: from a state, by a character that passes the test, to another;
    `free`: without any."""

    def __init__(self, steps: list[list[tuple[Test, int]]], free: list[list[int]], end: int) -> None:
        self._steps = steps
        self._reach = [_closure(free, state) for state in range(len(free))]
        self._end = 1 << end
        self._known: dict[tuple[int, str], int] = {}

    def matches(self, text: str) -> bool:
        live = self._reach[0]
        for character in text:
            after = self._known.get((live, character))
            live = self._step(live, character) if after is None else after
            if not live:
                return False
        return bool(live & self._end)

    def _step(self, live: int, character: str) -> int:
        after = 0
        for state, steps in enumerate(self._steps):
            if live >> state & 1:
                for test, target in steps:
                    if test(character):
                        after |= self._reach[target]
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[live, character] = after
        return after


def _closure(free: list[list[int]], state: int) -> int:
    """Where one can be without reading anything more, as bits."""
    reached, waiting = 1 << state, [state]
    while waiting:
        for target in free[waiting.pop()]:
            if not reached >> target & 1:
                reached |= 1 << target
                waiting.append(target)
    return reached


def _anything(character: str) -> bool:
    return True


def _inside(character: str) -> bool:
    return character != "/"


class _Parser:
    """Reads a pattern once and adds states as it goes."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self.steps: list[list[tuple[Test, int]]] = []
        self.free: list[list[int]] = []

    def state(self) -> int:
        """A new state."""
        self.steps.append([])
        self.free.append([])
        return len(self.steps) - 1

    def sequence(self, here: int, depth: int) -> int:
        """From a state to the end of the pattern, or of an alternative within braces; the state after it."""
        while self._at < len(self._pattern) and not (depth and self._pattern[self._at] in ",}"):
            here = self._item(here, depth)
        return here

    def _item(self, here: int, depth: int) -> int:
        if not depth and self._is_deep():
            return self._deep(here)
        character = self._next()
        if character == "*":
            self.steps[here].append((_inside, here))
            return here
        if character == "{":
            return self._alternatives(here, depth + 1)
        if character == "?":
            return self._one(here, _inside)
        if character == "[":
            return self._one(here, self._class())
        return self._one(here, self._literal(character).__eq__)

    def _one(self, here: int, test: Test) -> int:
        there = self.state()
        self.steps[here].append((test, there))
        return there

    def _is_deep(self) -> bool:
        """True where `**` is a whole component; anywhere else it means no more than `*`."""
        before, after = self._pattern[: self._at], self._pattern[self._at : self._at + 3]
        return after in ("**", "**/") and (not before or before.endswith("/"))

    def _deep(self, here: int) -> int:
        self._at += 2
        if self._at == len(self._pattern):  # all that is left, with or without slashes
            self.steps[here].append((_anything, here))
            return here
        self._at += 1
        within = self.state()
        for state in (here, within):
            self.steps[state] += [(_inside, within), ("/".__eq__, here)]
        return here

    def _alternatives(self, here: int, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise BadPattern(f"braces are nested more than {_MAX_DEPTH} deep")
        after = self.state()
        while True:
            start = self.state()
            self.free[here].append(start)
            self.free[self.sequence(start, depth)].append(after)
            if self._next("a { has no }") == "}":
                return after

    def _class(self) -> Test:
        negated = self._pattern[self._at : self._at + 1] == "^"
        self._at += negated
        ranges: list[tuple[str, str]] = []
        while (low := self._next("a [ has no ]")) != "]":
            low = self._member(low)
            if self._pattern[self._at : self._at + 1] == "-":
                self._at += 1
                ranges.append((low, self._member(self._next("a [ has no ]"))))
            else:
                ranges.append((low, low))
        if not ranges:
            raise BadPattern("a [] holds no characters")

        def test(character: str) -> bool:
            return character != "/" and any(low <= character <= high for low, high in ranges) is not negated

        return test

    def _member(self, character: str) -> str:
        if character in "-]":
            raise BadPattern(f"within [] a {character} needs a backslash before it")
        return self._literal(character)

    def _literal(self, character: str) -> str:
        return self._next("a backslash is the last character") if character == "\\" else character

    def _next(self, missing: str = "") -> str:
        if self._at == len(self._pattern):
            raise BadPattern(missing)
        self._at += 1
        return self._pattern[self._at - 1]
