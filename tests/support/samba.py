"""A real Active Directory domain: Samba's, in a folder of its own (kept).

It needs root, for the chroot and because a domain controller listens on the usual ports (loopback only).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian
from tests.support.once import one_maker, place
from tests.support.waiting import until_up

REALM, DOMAIN = "AD.EXAMPLE.TEST", "ADEX"
BASE = "DC=ad,DC=example,DC=test"
ADMIN_PASSWORD = "Passw0rd-of-the-admin"
PASSWORD = "Passw0rd-of-everybody"
READER = f"CN=reader,CN=Users,{BASE}"
_PACKAGES = "samba,samba-ad-dc,samba-ad-provision,samba-dsdb-modules,samba-vfs-modules,winbind,python3-samba"
_PORTS = (389, 636, 3268, 3269)
_SEED = f"""
samba-tool user create reader '{PASSWORD}'
samba-tool user create alice '{PASSWORD}' --given-name=Alice --surname=Example --mail-address=alice@ad.example.test
samba-tool user create bob '{PASSWORD}'
samba-tool user create locked '{PASSWORD}'
samba-tool user disable locked
samba-tool group add developers
samba-tool group add engineers
samba-tool group add everybody
samba-tool group addmembers developers alice
samba-tool group addmembers engineers developers
samba-tool group addmembers everybody engineers
"""
_PROVISION = (
    f"samba-tool domain provision --realm={REALM} --domain={DOMAIN} --server-role=dc --dns-backend=NONE --host-name=dc1 "
    f"--host-ip=127.0.0.1 --adminpass='{ADMIN_PASSWORD}' --option='interfaces=lo' --option='bind interfaces only=yes' "
    "--option='vfs objects='"
)
_STATE = "/var/lib/samba"
_CACHE = place("samba", _PACKAGES + _PROVISION + _SEED)


@dataclass(frozen=True, slots=True)
class ActiveDirectory:
    """A running domain controller."""

    def run(self, script: str) -> None:
        """Change it by its own commands."""
        _inside(_root(), script)

    def settings(self, **changes: object) -> dict[str, object]:
        """Harbor's items for it."""
        return {
            "ldap_url": "ldaps://localhost:636",
            "ldap_verify_cert": False,  # its own certificate is for dc1, not for localhost
            "ldap_search_dn": READER,
            "ldap_search_password": PASSWORD,
            "ldap_base_dn": BASE,
            "ldap_uid": "sAMAccountName,userPrincipalName",
            "ldap_filter": "(&(objectCategory=person)(objectClass=user))",
            "ldap_group_base_dn": BASE,
            "ldap_group_search_filter": "(objectClass=group)",
        } | changes


def group_dn(name: str) -> str:
    return f"CN={name},CN=Users,{BASE}"


def missing() -> str:
    """Why it cannot run here; "" if it can."""
    return debian.missing()


def _root() -> Path:
    """The folder with Samba and a domain in it, made once."""
    root, ready = _CACHE / "root", _CACHE / "ready"
    with one_maker(_CACHE):
        if not ready.exists():
            shutil.rmtree(root, ignore_errors=True)
            _make(root)
            ready.touch()
    return root


def _make(root: Path) -> None:
    debian.make(root, _PACKAGES)
    (root / "etc/samba/smb.conf").unlink(missing_ok=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost dc1.ad.example.test dc1\n")
    _inside(root, f"{_PROVISION}\n{_SEED}cp -a {_STATE} {_STATE}.made")


def _inside(root: Path, script: str) -> None:
    command = [*_isolated(root), "sh", "-ec", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def _isolated(root: Path) -> list[str]:
    """A mount namespace of its own, and `root` as the root."""
    setup = 'mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec chroot "$0" "$@"'
    return ["unshare", "--mount", "--", "sh", "-ec", setup, str(root)]


@contextmanager
def active_directory() -> Iterator[ActiveDirectory]:
    """Start the domain controller."""
    root = _root()
    for port in _PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is taken; the domain controller needs it"
    _inside(root, f"rm -rf {_STATE}; cp -a {_STATE}.made {_STATE}")  # whatever was changed in it before
    # It ends with the tests, however they end: its ports are needed by the next ones.
    command = [
        "setpriv",
        "--pdeathsig",
        "TERM",
        *_isolated(root),
        "samba",
        "--foreground",
        "--no-process-group",
        "--model=single",
        "--debug-stdout",
        "--option=server services=ldap",  # all others listen as well, some on ports that the system gives to whoever asks for any
    ]
    with (_CACHE / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        until_up(process, _CACHE / "log", _answers)
        yield ActiveDirectory()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _answers() -> bool:
    with socket.create_connection(("127.0.0.1", 636), timeout=5):
        return True
