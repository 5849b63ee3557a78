"""The operations of Harbor's REST API v2.0: what they are called, and by which path. Those that nothing serves answer 501."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("harbor_operations.txt")
_NAME = re.compile(r"<[^>]+>|\{[^}]+\}")


@dataclass(frozen=True, slots=True)
class HarborOperation:
    """`path` with its names in braces, below the API's prefix; `name` is the operation id."""

    tag: str
    method: str
    path: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is recognised by, however its names are written."""
        return self.method, shape(self.path)


def shape(path: str) -> str:
    """A path without the names in it, of an URL map or of Harbor's document."""
    return _NAME.sub("{}", path).rstrip("/")


@cache
def operations() -> tuple[HarborOperation, ...]:
    """All of them, in Harbor's order."""
    found, tag = [], ""
    for line in _FILE.read_text().splitlines():
        if line.startswith("["):
            tag = line.strip("[]")
        elif not line.startswith("#"):
            found.append(HarborOperation(tag, *line.split()))
    return tuple(found)
