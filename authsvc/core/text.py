"""Text that others wrote."""

from __future__ import annotations

import re
from typing import Any

_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Whether every database of ours holds a text, or all texts of a JSON value: none has a NUL character, which PostgreSQL
    does not take, nor half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    match value:
        case str():
            return _UNSTORABLE.search(value) is None
        case dict():
            return all(is_storable(key) and is_storable(inner) for key, inner in value.items())
        case list():
            return all(map(is_storable, value))
    return True
