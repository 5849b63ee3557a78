"""What another registry answers may be anything; of what is expected this is what is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(row: Mapping[str, Any], name: str) -> str:
    """A text of an object; "" if it is none."""
    return value if isinstance(value := row.get(name), str) else ""


def names_in(row: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """The names of the objects in a list of an object."""
    return tuple(filter(None, (text(one, "name") for one in objects(row.get(what)))))
