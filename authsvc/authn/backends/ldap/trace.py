"""Try as user: thirteen steps from the URL to the roles, each with what was found, how long it took, and what to do if it
failed. What works here works at login, since both use the same parts. No step shows a password."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authsvc.authn.backends.ldap import filters, prospects
from authsvc.authn.backends.ldap.addresses import can_be_at
from authsvc.authn.backends.ldap.answers import DirectoryDown, WrongPassword
from authsvc.authn.backends.ldap.backend import Named, proof_of
from authsvc.authn.backends.ldap.directory import Ambiguous, Directory, Person, prove
from authsvc.authn.backends.ldap.settings import CONNECT_SECONDS
from authsvc.groups.rules import GroupName

if TYPE_CHECKING:
    from authsvc.authn.backends.ldap.client import Client

ACTIVE_DIRECTORYS_ITEMS = (
    "; usual there: ldap_uid=sAMAccountName,userPrincipalName ldap_filter=(&(objectCategory=person)(objectClass=user)) "
    "ldap_group_search_filter=(objectClass=group)"
)
ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"  # in the supportedCapabilities of its root DSE
# What Active Directory means by the `data` code of a refused bind, and others by their words.
_HINTS = {
    "data 525": "no such user: the search account's DN is wrong",
    "data 52e": "wrong password",
    "data 530": "the account may not log in at this time",
    "data 531": "the account may not log in from this machine",
    "data 532": "the password has expired",
    "data 533": "the account is disabled",
    "data 701": "the account has expired",
    "data 773": "the password must be changed first",
    "data 775": "the account is locked after wrong passwords",
    "nosuchobject": "there is no such entry: check the base DN",
    "size limit": "give our account a higher size limit, or narrow the filter",
    "referr": "ask the directory that holds the entries, or the global catalog (port 3268 or 3269)",
    "certificate": "put the directory's CA into ldap_ca, and use the host name that stands in its certificate",
    "refuse": "check host, port and firewall",
    "in time": "check firewall and load of the directory",
    "confidentiality": "the directory wants TLS: use ldaps:// or ldap_starttls",
    "stronger": "the directory wants TLS: use ldaps:// or ldap_starttls",
    "start tls": "the directory offers no StartTLS here: use ldaps://, or have it switched on there",
    "protocolerror": "the directory offers no StartTLS here: use ldaps://, or have it switched on there",
    "invaliddnsyntax": "a distinguished name looks like ou=people,dc=example,dc=com",
    "several values": "let people log in by an attribute that has one value",
    "the account is disabled": "enable it in the directory",
    "more than": "narrow ldap_group_search_filter to the groups that matter here",
}
# What to do about a step that failed for a reason that no hint above is for.
_BY_STEP = {
    "DNS": "check the host in ldap_url, and what this host resolves it to",
    "TCP": "check host, port and firewall",
    "TLS": "check that the port speaks what ldap_url and ldap_starttls say",
    "root DSE": "check that something that speaks LDAP listens there",
    "bind": "check ldap_search_dn and its password",
    "base DN": "check ldap_base_dn, and what our account may read",
    "filter": "check ldap_filter, ldap_uid and ldap_scope, and what our account may read",
    "user attribute": "let people log in by an attribute that is unique, such as uid or sAMAccountName",
    "try as user": "check the name, ldap_uid and ldap_filter, and the password if one was given",
    "groups": "check ldap_group_base_dn and ldap_group_search_filter",
}


_SECONDS = 60.0  # for all steps with one connection


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `ok` None: not reached, or nothing to check."""

    number: int
    name: str
    ok: bool | None
    detail: str
    hint: str = ""
    milliseconds: float = 0.0


@dataclass
class _Found:
    """What the steps found on their way."""

    addresses: list[str] = field(default_factory=list)
    client: Client | None = None
    person: Person | None = None
    groups: tuple[GroupName, ...] = ()

    def directory(self, named: Named) -> Directory:
        if self.client is None:
            raise DirectoryDown("there is no connection")
        return Directory(named.settings, self.client)


def trace(named: Named, username: str = "", password: str = "") -> list[Step]:
    """All thirteen steps; those after the first failure are not tried. Without a password the bind as the user is left out.
    Needs a transaction that reads."""
    found = _Found()
    steps: list[Step] = []
    with ExitStack() as stack:
        for number, (name, check) in enumerate(_checks(named, username, password, found, stack), 1):
            failed = any(step.ok is False for step in steps)
            steps.append(Step(number, name, None, "not reached") if failed else _run(number, name, check))
    return steps


def _run(number: int, name: str, check: Callable[[], str]) -> Step:
    start = time.perf_counter()
    ok: bool | None = True
    try:
        detail = check()
        ok = None if detail.startswith("skipped") else True
    except (DirectoryDown, Ambiguous, WrongPassword, OSError) as error:
        ok, detail = False, str(error) or type(error).__name__
    said = detail.lower()
    hint = "" if ok is not False else next((hint for sign, hint in _HINTS.items() if sign in said), _BY_STEP.get(name, ""))
    return Step(number, name, ok, detail, hint, round((time.perf_counter() - start) * 1000, 1))


def _checks(
    named: Named, username: str, password: str, found: _Found, stack: ExitStack
) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "URL", lambda: named.settings.url
    yield "DNS", lambda: _resolve(named, found)
    yield "TCP", lambda: _tcp(named, found)
    yield "TLS", lambda: _tls(named, found, stack)
    yield "root DSE", lambda: _root(named, found)
    yield "bind", lambda: _bind(named, found)
    yield "base DN", lambda: _base(named, found)
    yield "filter", lambda: _filter(named, found)
    yield "user attribute", lambda: _attribute(named, found)
    yield "try as user", lambda: _try(named, found, username, password)
    yield "groups", lambda: _groups(named, found)
    yield "roles", lambda: _roles(named, found)
    yield "lockout policy", lambda: _lockout(named, found)


def _resolve(named: Named, found: _Found) -> str:
    infos = socket.getaddrinfo(named.settings.host, named.settings.port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(info[4][0]) for info in infos)
    found.addresses = [address for address in addresses if can_be_at(address)]
    if not found.addresses:
        raise DirectoryDown(f"{', '.join(addresses)} is no address that a directory can be at")
    return ", ".join(sorted(found.addresses))


def _tcp(named: Named, found: _Found) -> str:
    for address in found.addresses[:-1]:
        with suppress(OSError):
            return _connect(address, named.settings.port)
    return _connect(found.addresses[-1], named.settings.port)


def _connect(address: str, port: int) -> str:
    with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
        return f"connected to {address}"


def _tls(named: Named, found: _Found, stack: ExitStack) -> str:
    settings = named.settings
    from authsvc.authn.backends.ldap.client import connected  # noqa: PLC0415 - see directory.prove

    found.client = stack.enter_context(connected(settings, as_service=False, seconds=_SECONDS))
    if not settings.tls and not settings.starttls:
        return "skipped: passwords cross the network in the clear; use ldaps:// or ldap_starttls"
    shown = _described(found.client.certificate) if settings.verify else "certificate not checked (ldap_verify_cert is off)"
    return f"{'StartTLS' if settings.starttls else 'TLS'}, {shown}"


def _described(certificate: Mapping[str, Any]) -> str:
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    issuer = next((value for part in certificate.get("issuer", ()) for key, value in part if key == "commonName"), "?")
    until = certificate.get("notAfter", "?")
    return f"certificate and host name are right: for {', '.join(names[:5]) or '?'}, by {issuer}, until {until}"


def _root(named: Named, found: _Found) -> str:
    root = found.directory(named).client.root()
    is_active_directory = ACTIVE_DIRECTORY in root.texts("supportedCapabilities")
    kind = "Active Directory" if is_active_directory else "an LDAP directory"
    vendor = root.first("vendorName") or ("OpenLDAP" if "OpenLDAProotDSE" in root.texts("objectClass") else "")
    usual = ACTIVE_DIRECTORYS_ITEMS if is_active_directory else ""
    by, holds = f" by {vendor}" if vendor else "", ", ".join(root.texts("namingContexts")) or "nothing that it tells"
    return f"{kind}{by}; holds {holds}{usual}"


def _bind(named: Named, found: _Found) -> str:
    if not named.settings.bind_dn:
        return "skipped: no ldap_search_dn, so we ask as nobody"
    found.directory(named).client.bind(named.settings.bind_dn, named.settings.bind_password)
    return f"as {named.settings.bind_dn}"


def _base(named: Named, found: _Found) -> str:
    entries = found.directory(named).client.search(named.settings.base_dn, "(objectClass=*)", ["1.1"], scope=0)
    if not entries:
        raise DirectoryDown(f"there is no entry {named.settings.base_dn}, or our account may not see it")
    return entries[0].dn


def _filter(named: Named, found: _Found) -> str:
    settings = named.settings
    wanted = filters.every(settings.filter, filters.some(f"({uid}=*)" for uid in settings.uids))
    entries = found.directory(named).client.search(settings.base_dn, wanted, [settings.uids[0]], scope=settings.scope, most=1000)
    if not entries:
        raise DirectoryDown(f"the filter {wanted} finds nobody below {settings.base_dn}")
    names = ", ".join(entry.first(settings.uids[0]) or entry.dn for entry in entries[:5])
    return f"{'more than 1000' if len(entries) > 1000 else len(entries)} entries, such as {names}"


def _attribute(named: Named, found: _Found) -> str:
    settings = named.settings
    uid = settings.uids[0]
    entries = found.directory(named).client.search(
        settings.base_dn, settings.filter or "(objectClass=*)", [uid], scope=settings.scope, most=1000
    )
    values = [entry.first(uid).casefold() for entry in entries if entry.first(uid)]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise Ambiguous(f"{uid} is not unique: {', '.join(twice[:5])} stand for several entries, and cannot log in")
    return f"{uid} is unique among {len(values)} entries"


def _try(named: Named, found: _Found, username: str, password: str) -> str:
    if not username:
        return "skipped: no user name given"
    person = found.person = found.directory(named).find(username)
    if person is None:
        raise DirectoryDown(f"nobody below {named.settings.base_dn} has the name {username} and fits the filter")
    shown = f"{person.dn} as {person.username}, e-mail {person.email or 'none'}, name {person.realname or 'none'}"
    if person.disabled:
        raise DirectoryDown(f"{shown}: the account is disabled there")
    if not password:
        return f"{shown}; no password given, so not bound"
    prove(named.settings, person.dn, password)
    return f"{shown}; the password is right"


def _groups(named: Named, found: _Found) -> str:
    if found.person is None:
        return "skipped: no user"
    found.groups = found.directory(named).groups_of(found.person)
    return f"{len(found.groups)}: {', '.join(sorted(group.name for group in found.groups)) or 'none'}"


def _roles(named: Named, found: _Found) -> str:
    if found.person is None:
        return "skipped: no user"
    return prospects.told(named.name, proof_of(named, found.person, found.groups))


def _lockout(named: Named, found: _Found) -> str:
    entries = found.directory(named).client.search(
        named.settings.base_dn, "(|(objectClass=domainDNS)(objectClass=pwdPolicy))", ["lockoutThreshold", "pwdMaxFailure"], most=5
    )
    limits = [
        text for entry in entries for name in ("lockoutThreshold", "pwdMaxFailure") for text in entry.texts(name) if text != "0"
    ]
    if not limits:
        return "none that we can see: wrong passwords are bounded by Tidegate alone"
    return f"the directory locks accounts after {limits[0]} wrong passwords; keep TIDEGATE_LOGIN_ATTEMPTS below that"
