"""Clients of the OCI world that Debian does not have: taken from PATH, or built once into the tests' cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support import gotools, once
from tests.support.rounds import THOROUGH

# Name -> module and version.
SMALL = {
    "crane": ("github.com/google/go-containerregistry/cmd/crane", "v0.22.1"),
    "regctl": ("github.com/regclient/regclient/cmd/regctl", "v0.11.7"),
    "oras": ("oras.land/oras/cmd/oras", "v1.3.6"),
}
# Five and eleven minutes on two busy cores: built only where there is time.
LARGE = {
    "cosign": ("github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5"),
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
}


class Missing(Exception):
    """It is not here; the text says how it gets here."""


def program(name: str) -> str:
    """The program of that name.

    Raises:
        Missing
    """
    module, version = (SMALL | LARGE)[name]
    directory = once.CACHE / "clients" / version
    if found := shutil.which(name):
        return found
    if name in LARGE and not (directory / name).exists() and not THOROUGH:
        raise Missing(f"{name} is neither on PATH nor in {directory}; THOROUGH=1 builds it there")
    try:
        return str(gotools.build(module, version, Path(directory)))
    except gotools.NoGo as missing:
        raise Missing(str(missing)) from missing
