"""Text that others wrote."""

from __future__ import annotations

import re
from typing import Any

# Unicode's Default_Ignorable_Code_Point beyond what `str.isprintable` tells: marks and fillers that nobody sees, and that
# directories leave out when they compare (RFC 4518 2.2).
_UNSEEN = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_LONGEST_PATH = 1024  # bytes
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


def is_seen(text: str) -> bool:
    """Whether all of it can be seen; blanks are between words only, and one each: a name must be what it looks like."""
    return text.isprintable() and text.split() == text.split(" ") and _UNSEEN.search(text) is None


def is_login(name: str) -> bool:
    """Whether it can be the name of somebody who logs in; clients show tokens under none."""
    return not name or is_seen(name)


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


def own_path(path: str) -> str:
    """A path of our own to go on to; whatever else was asked for becomes the front page (open redirect), and so does what is
    too long for a cookie."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own and len(path.encode()) <= _LONGEST_PATH else "/"
