"""A real OpenLDAP server with people, nested groups, TLS below a CA of its own, a size limit and a referral."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import make_authority
from tests.support.ports import free_ports
from tests.support.waiting import until_up

BASE = "dc=example,dc=com"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "directory admin"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "canary-of-the-search-account"
PASSWORD = "correct horse battery"
LIMITED = f"cn=limited,{BASE}"  # an account that gets 5 entries at most

_CONFIG = """
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
include {schema}/nis.schema
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload ppolicy
allow bind_anon_cred bind_anon_dn
pidfile {directory}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSVerifyClient never
database mdb
suffix {base}
rootdn {admin}
rootpw {admin_password}
directory {directory}/data
maxsize 1073741824
dbnosync
limits dn.exact="{limited}" size=5 size.prtotal=5
index objectClass,uid,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
overlay ppolicy
"""


def _person(uid: str, **attributes: str) -> str:
    extra = "".join(f"{name}: {value}\n" for name, value in attributes.items())
    return (
        f"dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid.title()} Example\nsn: Example\n"
        f"mail: {re.sub('[^a-z0-9]', '', uid)}@example.com\nuserPassword: {PASSWORD}\n{extra}\n"
    )


def _group(name: str, *members: str) -> str:
    listed = "".join(f"member: {member}\n" for member in members)
    return f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n{listed}\n"


def person_dn(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


def group_dn(name: str) -> str:
    return f"cn={name},ou=groups,{BASE}"


_REFERRAL = (
    f"dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n"
    f"ref: ldap://127.0.0.1:1/ou=elsewhere,{BASE}\n"
)
_SEED = "\n".join(
    [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
        f"dn: ou=twins,{BASE}\nobjectClass: organizationalUnit\nou: twins\n",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n",
        f"dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {READER_PASSWORD}\n",
        f"dn: {LIMITED}\nobjectClass: person\ncn: limited\nsn: limited\nuserPassword: {READER_PASSWORD}\n",
        _REFERRAL,
        *(_person(uid) for uid in ("alice", "bob", "carol", "dave", "Zoë*(star)", "admin")),
        f"dn: uid=bob,ou=twins,{BASE}\nobjectClass: inetOrgPerson\nuid: twin\ncn: Twin\nsn: Twin\nuserPassword: x\n",
        f"dn: cn=twin,ou=twins,{BASE}\nobjectClass: inetOrgPerson\nuid: twin\ncn: twin\nsn: Twin\nuserPassword: x\n",
        *(_person(f"extra{number}") for number in range(10)),
        _group("developers", person_dn("alice"), person_dn("bob")),
        _group("engineers", group_dn("developers"), person_dn("carol")),
        _group("everybody", group_dn("engineers")),
        _group("loop", group_dn("everybody"), group_dn("loop")),
        _group("admins", person_dn("dave")),
        *(_group(f"many{number}", person_dn("carol")) for number in range(10)),
    ]
)


@dataclass(frozen=True, slots=True)
class Slapd:
    """A running server; `ca` in PEM."""

    port: int
    tls_port: int
    ca: str
    directory: Path

    def settings(self, **changes: object) -> dict[str, object]:
        """Harbor's items for it."""
        return {
            "ldap_url": f"ldaps://localhost:{self.tls_port}",
            "ldap_ca": self.ca,
            "ldap_search_dn": READER,
            "ldap_search_password": READER_PASSWORD,
            "ldap_base_dn": f"ou=people,{BASE}",
            "ldap_uid": "uid",
            "ldap_group_base_dn": f"ou=groups,{BASE}",
            "ldap_group_search_filter": "(objectClass=groupOfNames)",
        } | changes

    def change(self, ldif: str) -> None:
        """Change entries."""
        command = ["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", ADMIN_PASSWORD]
        subprocess.run(command, input=ldif, text=True, check=True, capture_output=True)

    @contextmanager
    def locked(self, uid: str, since: str) -> Iterator[None]:
        """Somebody's account locked for a while (slapo-ppolicy)."""
        entry = f"dn: {person_dn(uid)}\nchangetype: modify\n"
        self.change(f"{entry}add: pwdAccountLockedTime\npwdAccountLockedTime: {since}\n")
        try:
            yield
        finally:
            self.change(f"{entry}delete: pwdAccountLockedTime\n")

    def leave(self, uid: str, group: str) -> None:
        """Take somebody out of a group."""
        self.change(f"dn: {group_dn(group)}\nchangetype: modify\ndelete: member\nmember: {person_dn(uid)}\n")

    def join(self, uid: str, group: str) -> None:
        """Put somebody into a group."""
        self.change(f"dn: {group_dn(group)}\nchangetype: modify\nadd: member\nmember: {person_dn(uid)}\n")


@contextmanager
def slapd(directory: Path) -> Iterator[Slapd]:
    """Start one with its seed."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin")
    assert program, "slapd is not installed; on Debian: apt-get install slapd ldap-utils"
    port, tls_port = free_ports(2)
    (directory / "data").mkdir(parents=True)
    authority = make_authority(directory, "localhost")
    (directory / "slapd.conf").write_text(
        _CONFIG.format(
            schema="/etc/ldap/schema",
            modules=next(Path("/usr/lib").glob("**/ldap/back_mdb*.la"), Path("/usr/lib/ldap/x")).parent,
            directory=directory,
            ca=authority.ca,
            certificate=authority.certificate,
            key=authority.key,
            base=BASE,
            admin=ADMIN,
            admin_password=f'"{ADMIN_PASSWORD}"',
            limited=LIMITED,
        )
    )
    urls = f"ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "-h", urls, "-f", str(directory / "slapd.conf"), "-d", "0"], stdout=log, stderr=log)
    running = Slapd(port, tls_port, authority.ca.read_text(), directory)
    try:
        _seed(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _seed(running: Slapd, process: subprocess.Popen[bytes]) -> None:
    command = ["ldapadd", "-x", "-H", f"ldap://127.0.0.1:{running.port}", "-D", ADMIN, "-w", ADMIN_PASSWORD, "-M"]

    def seeded() -> bool:
        done = subprocess.run(command, input=_SEED.encode(), capture_output=True, check=False)
        assert done.returncode == 0 or b"contact LDAP server" in done.stderr, done.stderr.decode()
        return done.returncode == 0

    until_up(process, running.directory / "log", seeded)
