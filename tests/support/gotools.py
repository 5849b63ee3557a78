"""Programs that Debian does not have: built once from their source by `go install`, into the tests' cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.once import one_maker

_BUILD_WITHIN = 1800  # seconds; most take one minute on two busy cores, the largest eleven


class NoGo(Exception):
    """There is no Go here to build it with; the text says what to install."""


def build(module: str, version: str, directory: Path) -> Path:
    """The program of a Go module (its last path element) in `directory`, built if it is missing.

    Raises:
        NoGo
    """
    name = module.rpartition("/")[2]
    built = directory / name
    with one_maker(directory):
        if built.exists():
            return built
        go = shutil.which("go")
        if go is None:
            raise NoGo(f"{name} {version} is not in {directory}, and `go` is not on PATH to build it: install Go 1.24 or newer")
        # Built beside its place and moved there, so that a build that was broken off is never taken for a program.
        making = directory / "making"
        making.mkdir(parents=True, exist_ok=True)
        environ = os.environ | {"GOBIN": str(making)}
        subprocess.run([go, "install", f"{module}@{version}"], env=environ, check=True, timeout=_BUILD_WITHIN)
        (making / name).rename(built)
    return built
