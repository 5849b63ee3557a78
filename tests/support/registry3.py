"""Registry 3, which Debian does not have yet."""

from __future__ import annotations

from pathlib import Path

from tests.support import gotools, once
from tests.support.gotools import NoGo as NoGo  # noqa: PLC0414 - what `program` raises
from tests.support.rounds import THOROUGH

CACHE = once.CACHE / "registry3"
VERSIONS = ("v3.0.0", "v3.1.1") if THOROUGH else ("v3.1.1",)


def program(version: str) -> Path:
    """The registry's program, built if it is missing: six minutes on two busy cores for the first version, one for the next.

    Raises:
        NoGo
    """
    return gotools.build("github.com/distribution/distribution/v3/cmd/registry", version, CACHE / version)
