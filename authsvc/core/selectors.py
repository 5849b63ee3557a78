"""Harbor's selectors, as rules of immutability and retention carry them: `{kind, decoration, pattern, extras}`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authsvc.core.errors import BadRequest
from authsvc.core.patterns import BadPattern, Selector, check

KIND = "doublestar"
TAG = ("matches", "excludes")
REPOSITORY = ("repoMatches", "repoExcludes")


def parse(given: Mapping[str, Any], decorations: tuple[str, str]) -> Selector:
    """A selector of tags or repositories, which differ in their decorations.

    Raises:
        BadRequest: an unknown kind or decoration, or no pattern.
    """
    if given["kind"] != KIND:
        raise BadRequest(f"the kind of a selector must be {KIND}")
    if given["decoration"] not in decorations:
        raise BadRequest(f"the decoration of a selector must be {' or '.join(decorations)}, not {given['decoration'][:32]!r}")
    try:
        check(given["pattern"])
    except BadPattern as error:
        raise BadRequest(f"the pattern {given['pattern'][:64]!r} cannot be used: {error}") from error
    return Selector(given["pattern"], excludes=given["decoration"] == decorations[1])


def described(selector: Selector, decorations: tuple[str, str]) -> list[dict[str, str]]:
    """The selector on the wire."""
    return [{"kind": KIND, "decoration": decorations[selector.excludes], "pattern": selector.pattern}]
