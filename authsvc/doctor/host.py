"""The machine and its file systems, as far as this process sees them."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped

_FILES = 4096
_LITTLE, _NONE = 0.10, 0.02  # of a file system
_MEMORY = 512 * 1024**2
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs"}


def _memory(patient: Patient) -> Finding:
    found = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(found["MemAvailable"].split()[0]) * 1024
    said = f"{free // 1024**2} MiB are available"
    return good(said) if free >= _MEMORY else doubtful(said, "give the host more memory, or lower TIDEGATE_API_WORKERS")


def _open_files(patient: Patient) -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    said = "as many as it likes" if limit == resource.RLIM_INFINITY else str(limit)
    if limit == resource.RLIM_INFINITY or limit >= _FILES:
        return good(f"a process may have {said} files open")
    return doubtful(
        f"a process may have {said} files open", f"raise it to {_FILES} or more (ulimit -Hn, LimitNOFILE=): each client is one"
    )


def _cores(patient: Patient) -> Finding:
    cores, wanted = len(os.sched_getaffinity(0)), patient.settings.token_workers
    said = f"{cores} cores, {wanted} token processes"
    return good(said) if wanted <= cores else doubtful(said, f"set TIDEGATE_TOKEN_WORKERS to {cores}: more only take turns")


def _places(patient: Patient) -> list[Path]:
    return list(patient.layout.disks.values())


def _space(patient: Patient) -> Finding:
    shares = {place: (usage := shutil.disk_usage(place)).free / usage.total for place in _places(patient)}
    return _by_share(shares, "space", "make room, delete tags and run the garbage collection, or move blobs to a larger disk")


def _inodes(patient: Patient) -> Finding:
    states = {place: os.statvfs(place) for place in _places(patient)}
    shares = {place: state.f_favail / state.f_files for place, state in states.items() if state.f_files}
    return _by_share(shares, "inodes", "each blob and tag is a file: take a file system with more of them")


def _by_share(shares: dict[Path, float], what: str, advice: str) -> Finding:
    if not shares:
        return skipped("nothing of it lies on this host")
    least = min(shares, key=lambda place: shares[place])
    said = f"{shares[least]:.0%} of the {what} below {least} is left"
    if shares[least] < _NONE:
        return bad(said, advice)
    return doubtful(said, advice) if shares[least] < _LITTLE else good(said)


def _database_disk(patient: Patient) -> Finding:
    if not patient.settings.database_url.startswith("sqlite:///"):
        return skipped("the database is a server")
    kind = _file_system(Path(patient.settings.database_url.removeprefix("sqlite:///")))
    if kind in _REMOTE:
        return bad(
            f"the database lies on {kind}", "SQLite needs a disk of its own host: move it, or use PostgreSQL (authsvc db move)"
        )
    return good(f"the database lies on {kind}")


def _file_system(path: Path) -> str:
    """The kind of the one that holds `path`, by the longest mount point."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [entry for entry in mounts if path.resolve().is_relative_to(entry[1])]
    return max(holding, key=lambda entry: len(entry[1]))[2] if holding else "an unknown file system"


def _name(patient: Patient) -> Finding:
    host = urlsplit(patient.settings.external_url).hostname or ""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    except OSError as error:
        return bad(
            f"{host} is not found from here: {error}",
            "enter it in the name service, or in /etc/hosts of this host and its clients",
        )
    return good(f"{host} is {', '.join(sorted(found))}")


CHECKS = (
    Check("host.memory", _memory),
    Check("host.open-files", _open_files),
    Check("host.cores", _cores),
    Check("host.space", _space),
    Check("host.inodes", _inodes),
    Check("host.database-disk", _database_disk),
    Check("host.name", _name),
)
