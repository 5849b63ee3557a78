"""Registry 3, which Debian does not have yet: built once from its source by `go install`, into the ignored cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "registry3"
VERSIONS = ("v3.0.0", "v3.1.1")
_MODULE = "github.com/distribution/distribution/v3/cmd/registry"
_BUILD_WITHIN = 1800  # seconds; six minutes on two busy cores for the first version, one for the next


class NoGo(Exception):
    """There is no Go here to build it with; the text says what to install."""


def program(version: str) -> Path:
    """The registry's program, built if it is missing.

    Raises:
        NoGo
    """
    built = CACHE / version / "registry"
    if not built.exists():
        go = shutil.which("go")
        if go is None:
            raise NoGo(
                f"registry {version} is not in {built.parent}, and `go` is not on PATH to build it: install Go 1.23 or newer"
            )
        # Built beside its place and moved there, so that a build that was broken off is never taken for a program.
        making = CACHE / version / "making"
        making.mkdir(parents=True, exist_ok=True)
        environ = os.environ | {"GOBIN": str(making)}
        subprocess.run([go, "install", f"{_MODULE}@{version}"], env=environ, check=True, timeout=_BUILD_WITHIN)
        (making / "registry").rename(built)
    return built
