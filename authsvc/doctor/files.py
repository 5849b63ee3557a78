"""Programs, and files below the state directory: whose they are, and who else can read them."""

from __future__ import annotations

import os
import platform
import re
import stat
import subprocess
from pathlib import Path

from authsvc.core import programs, sealing
from authsvc.core.errors import DomainError
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped

_NGINX, _REGISTRY = (1, 18), (2, 8)


def _python(patient: Patient) -> Finding:
    return good(f"Python {platform.python_version()}")


def _nginx(patient: Patient) -> Finding:
    return _version(patient, "nginx", ["-v"], _NGINX)


def _registry(patient: Patient) -> Finding:
    return _version(patient, patient.settings.registry_program, ["--version"], _REGISTRY)


def _version(patient: Patient, program: str, arguments: list[str], oldest: tuple[int, int]) -> Finding:
    if patient.at:
        return skipped("it runs in a container of its own")
    path = programs.find(program)
    if path is None:
        return bad(f"{program} is not installed", "on Debian: apt-get install --no-install-recommends nginx docker-registry")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - the operator's
    said = (done.stdout + done.stderr).strip().partition("\n")[0]
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None:
        return doubtful(f"{program} does not say its version", "see that it is the stock one")
    if (int(found[1]), int(found[2])) < oldest:
        return bad(said, f"{'.'.join(map(str, oldest))} is the oldest that is known to work")
    return good(said)


def _owner(patient: Patient) -> Finding:
    root = patient.layout.root
    if not root.exists():
        return bad(f"there is no {root}", "run `authsvc prepare`, or set TIDEGATE_STATE_DIR to where it is")
    foreign = [path for path in (root, *_secret(patient)) if path.stat().st_uid not in (0, os.geteuid())]
    if foreign:
        return bad(f"{_named(foreign)}: another user's", "run this as the user who runs Tidegate, or chown them to him")
    return good(f"all below {root} is ours")


def _modes(patient: Patient) -> Finding:
    shown = [path for path in _secret(patient) if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if shown:
        return bad(
            f"others may read {_named(shown)}",
            f"chmod 600 {' '.join(str(path) for path in shown[:5])}; who read it may still use it",
        )
    return good("keys and secrets are for their owner only")


def _writable(patient: Patient) -> Finding:
    layout = patient.layout
    places = (layout.root, layout.keys, layout.secrets, layout.tls, layout.config)
    open_ = [path for path in places if path.exists() and path.stat().st_mode & 0o022]
    if open_:
        return bad(f"others may write to {_named(open_)}", f"chmod go-w {' '.join(map(str, open_))}")
    return good("nobody else writes to the state directory")


def _secret(patient: Patient) -> list[Path]:
    layout = patient.layout
    found = [path for place in (layout.keys, layout.secrets) if place.exists() for path in sorted(place.iterdir())]
    return [path for path in [*found, *sorted(layout.tls.glob("*.key"))] if path.suffix != ".lock"]


def _named(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _first_password(patient: Patient) -> Finding:
    file = patient.layout.secrets / "first-admin-password"
    if file.exists():
        return doubtful(
            f"the first administrator's password still lies in {file}", "log in with it, choose another one, and delete the file"
        )
    return good("the first administrator's password does not lie about")


def _sealing_key(patient: Patient) -> Finding:
    try:
        with patient.app.app_context():
            sealing.seal("probe")
    except (OSError, ValueError, DomainError) as error:
        return bad(
            f"it cannot be used: {error}",
            "bring secrets/sealing-key back, or run `authsvc prepare`, which takes it from the database",
        )
    return good("secrets of other systems can be sealed")


CHECKS = (
    Check("files.python", _python),
    Check("files.nginx", _nginx),
    Check("files.registry", _registry),
    Check("files.owner", _owner),
    Check("files.modes", _modes),
    Check("files.writable", _writable),
    Check("files.first-password", _first_password),
    Check("files.sealing-key", _sealing_key),
)
