"""Systems of Debian's packages, made of nothing: a folder or an archive, as the name says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_UNREAD = ("doc", "man", "locale", "info")


def missing() -> str:
    """Why none can be made here; "" if they can."""
    if os.geteuid() != 0:
        return "to make a Debian system of its own needs root"
    return "" if shutil.which("mmdebstrap") else "mmdebstrap is not installed; on Debian: apt-get install mmdebstrap"


def make(target: Path, packages: str, without: Sequence[str] = ()) -> None:
    """The host's release with these packages (names, separated by commas), and nothing that is there to be read; `without`: what
    is removed in the end, by patterns of paths."""
    release = subprocess.run(
        ["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"], check=True, capture_output=True, text=True
    )
    unread = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD]
    if without:
        unread.append(f'--customize-hook=cd "$1" && rm -rf {" ".join(without)}')
    command = ["mmdebstrap", "--variant=minbase", f"--include={packages}", *unread, release.stdout.strip(), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
