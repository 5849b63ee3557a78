"""Scopes that clients ask for.

Source: distribution "Token Scope Documentation": `type[(class)]:name:action[,action...]`. Several scopes come as
repeated parameters, as one value with blanks between, or both; a name may hold `:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from authsvc.core.errors import BadRequest

MAX_SCOPES = 100
MAX_LENGTH = 512
_TYPE = re.compile(r"([a-z0-9]+)(?:\(([a-z0-9]+)\))?")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for on one resource; `resource_class` is "" for all that matters here."""

    type: str
    name: str
    actions: frozenset[str]
    resource_class: str = ""


def parse(values: Iterable[str]) -> tuple[Scope, ...]:
    """Parse the values of all `scope` parameters; requests for the same resource are merged, order is kept.

    A scope that cannot be read asks for nothing and is left out: clients send scopes of their own accord (mount
    candidates, plugins), and one that fails would break an ordinary push.

    Raises:
        BadRequest: too many scopes, or one that is too long.
    """
    texts = [text for value in values for text in value.split(" ") if text]
    if len(texts) > MAX_SCOPES or any(len(text) > MAX_LENGTH for text in texts):
        raise BadRequest(f"at most {MAX_SCOPES} scopes of at most {MAX_LENGTH} characters each can be asked for")
    merged: dict[tuple[str, str, str], frozenset[str]] = {}
    for text in texts:
        scope = _parse_one(text)
        if scope is not None:
            key = (scope.type, scope.resource_class, scope.name)
            merged[key] = merged.get(key, frozenset()) | scope.actions
    return tuple(Scope(type_, name, actions, class_) for (type_, class_, name), actions in merged.items())


def _parse_one(text: str) -> Scope | None:
    type_, first, rest = text.partition(":")
    name, last, actions = rest.rpartition(":")
    match = _TYPE.fullmatch(type_)
    if not (first and last and name) or match is None:
        return None
    return Scope(match[1], name, frozenset(filter(None, actions.split(","))), match[2] or "")
