"""The package for hosts without a network, and a host that has none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import Engine, engine
from tests.support.network import inside

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Package:
    """What was packed, unpacked again; `key`: what it is signed with, the public part."""

    release: Path
    key: Path


def pack(built: Engine, directory: Path) -> Package:
    """Of the images that an engine has."""
    private, public = directory / "private.pem", directory / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)
    command = [str(ROOT / "deploy/offline/pack"), str(directory / "made"), "--key", str(private), "--no-build"]
    done = subprocess.run(command, env=built.environ | {"COMPRESS": "cat"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run(["tar", "-xf", done.stdout.split()[-1], "-C", str(directory)], check=True)
    (release,) = directory.glob("tidegate-*")
    return Package(release, public)


@dataclass(frozen=True)
class Host:
    """One that reaches nobody, with an engine."""

    engine: Engine

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command there."""
        command = (*inside(self.engine.namespace), *command)
        return subprocess.run(command, env=self.engine.environ, capture_output=True, text=True, timeout=300, check=False)

    def asks(self, url: str) -> str:
        """What it is answered, whoever says so."""
        program = "import ssl, sys, urllib.request as r; c = ssl._create_unverified_context(); print(r.urlopen(sys.argv[1], context=c).read())"
        done = self.run(sys.executable, "-c", program, url)
        return done.stdout + done.stderr


@contextmanager
def host(directory: Path) -> Iterator[Host]:
    """Start it, and stop it."""
    with engine(directory, network=True) as running:
        yield Host(running)
