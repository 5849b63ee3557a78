"""One directory: who somebody is there, whether a password is his, and which groups he is in."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from authsvc.authn.backends.ldap import filters
from authsvc.authn.backends.ldap.answers import Entry
from authsvc.authn.backends.ldap.settings import LdapSettings
from authsvc.groups.rules import GroupName, GroupType, dn_key

if TYPE_CHECKING:
    from authsvc.authn.backends.ldap.client import Client

T = TypeVar("T")
_DISABLED = 0x2  # userAccountControl (MS-ADTS 2.2.16): ADS_UF_ACCOUNTDISABLE
ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"  # supportedCapabilities of Active Directory
_DEPTH = 10
_MOST_GROUPS = 2000


class Ambiguous(Exception):
    """Several entries have that name; nobody can tell which of them logs in."""


@dataclass(frozen=True, slots=True)
class Person:
    """An entry that can log in. `subject` never changes; `username` is the entry's own spelling."""

    dn: str
    subject: str
    username: str
    email: str
    realname: str
    disabled: bool
    memberships: tuple[str, ...]


class Directory:
    """Questions to one directory, on one connection with the service's account."""

    def __init__(self, settings: LdapSettings, client: Client) -> None:
        self.settings = settings
        self.client = client

    def find(self, name: str) -> Person | None:
        """Who logs in by that name; None if nobody does.

        Raises:
            Ambiguous, DirectoryDown
        """
        settings = self.settings
        found = self._people(filters.user(settings.filter, settings.uids, name), most=2)
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} entries below {settings.base_dn} have the name {name}")
        return found[0] if found else None

    def by_subject(self, subject: str) -> Person | None:
        """Somebody known from before, also under another name or DN.

        Raises:
            DirectoryDown
        """
        kind, _, value = subject.partition(":")
        if kind == "dn":
            return next((one for one in self._people(self.settings.filter or "(objectClass=*)") if dn_key(one.dn) == value), None)
        if kind == "guid":
            escaped = "".join(f"\\{byte:02x}" for byte in uuid.UUID(value).bytes_le)
            found = self._people(filters.every(self.settings.filter, f"(objectGUID={escaped})"), most=1)
        else:
            found = self._people(filters.every(self.settings.filter, filters.equal("entryUUID", value)), most=1)
        return found[0] if found else None

    def matching(self, text: str, most: int = 100) -> list[Person]:
        """People whose name holds `text`, for those who look for members.

        Raises:
            DirectoryDown
        """
        settings = self.settings
        wanted = filters.some(filters.contains(uid, text) for uid in settings.uids)
        return self._people(filters.every(settings.filter, wanted), most=most)[:most]

    def _people(self, filter_: str, most: int = 1000) -> list[Person]:
        settings = self.settings
        wanted = [*settings.uids, settings.mail, settings.realname, settings.membership]
        wanted += ["entryUUID", "objectGUID", "userAccountControl"]
        entries = self.client.search(settings.base_dn, filter_, wanted, scope=settings.scope, most=most)
        return [self._person(entry) for entry in entries]

    def _person(self, entry: Entry) -> Person:
        settings = self.settings
        control = entry.first("userAccountControl")
        return Person(
            dn=entry.dn,
            subject=_subject(entry),
            username=next((value for uid in settings.uids if (value := entry.first(uid))), ""),
            email=entry.first(settings.mail),
            realname=entry.first(settings.realname),
            disabled=control.isdigit() and bool(int(control) & _DISABLED),
            memberships=tuple(entry.texts(settings.membership)),
        )

    # -- groups --------------------------------------------------------------------------------------------------------

    def groups_of(self, person: Person) -> tuple[GroupName, ...]:
        """Every group of a person: by the attribute that lists them, and by searching for members below the group base;
        through groups in groups, if that is wanted.

        Raises:
            CutShort, DirectoryDown
        """
        found: dict[str, GroupName] = {}
        for dn in person.memberships:
            self._add(found, GroupName(GroupType.LDAP, _name_in(dn), dn))
        if self.settings.group_base_dn and self._is_active_directory() and self.settings.nested:
            for group in self._search_groups(filters.groups_in_chain(self.settings.group_filter, person.dn)):
                self._add(found, group)
        elif self.settings.group_base_dn:
            self._climb(found, person)
        elif self.settings.nested:
            self._follow(found)
        return tuple(found.values())

    def _climb(self, found: dict[str, GroupName], person: Person) -> None:
        """From a person to his groups, from these to theirs, and so on."""
        uid = person.username
        frontier = [person.dn, *(group.dn for group in found.values() if self.settings.nested)]
        for _ in range(_DEPTH if self.settings.nested else 1):
            above = []
            for number, dn in enumerate(frontier):
                wanted = filters.groups_of(self.settings.group_filter, dn, uid if number == 0 else "")
                above += [group.dn for group in self._search_groups(wanted) if self._add(found, group)]
            if not above:
                return
            frontier, uid = above, ""

    def _follow(self, found: dict[str, GroupName]) -> None:
        """The same without a base to search below: each group's own attribute lists the groups it is in."""
        frontier = [group.dn for group in found.values()]
        for _ in range(_DEPTH):
            above = []
            for dn in frontier:
                entries = self.client.search(dn, "(objectClass=*)", [self.settings.membership], scope=0)
                parents = [parent for entry in entries for parent in entry.texts(self.settings.membership)]
                above += [parent for parent in parents if self._add(found, GroupName(GroupType.LDAP, _name_in(parent), parent))]
            if not above:
                return
            frontier = above

    def matching_groups(self, text: str = "", dn: str = "", most: int = 100) -> list[GroupName]:
        """Groups whose name holds `text`, or the one of that DN.

        Raises:
            DirectoryDown
        """
        settings = self.settings
        if dn:
            entries = self.client.search(dn, settings.group_filter or "(objectClass=*)", [settings.group_name], scope=0)
            return [self._group(entry) for entry in entries]
        wanted = filters.every(settings.group_filter, filters.contains(settings.group_name, text))
        return self._search_groups(wanted, most)[:most]

    def _search_groups(self, filter_: str, most: int = _MOST_GROUPS) -> list[GroupName]:
        settings = self.settings
        entries = self.client.search(
            settings.group_base_dn, filter_, [settings.group_name], scope=settings.group_scope, most=most
        )
        return [self._group(entry) for entry in entries]

    def _group(self, entry: Entry) -> GroupName:
        return GroupName(GroupType.LDAP, entry.first(self.settings.group_name) or _name_in(entry.dn), entry.dn)

    def _is_active_directory(self) -> bool:
        return ACTIVE_DIRECTORY in self.client.root().texts("supportedCapabilities")

    @staticmethod
    def _add(found: dict[str, GroupName], group: GroupName) -> bool:
        """True if it was not known; nothing is added past the bound."""
        if group.key in found or len(found) >= _MOST_GROUPS:
            return False
        found[group.key] = group
        return True


def ask(settings: LdapSettings, question: Callable[[Directory], T]) -> T:
    """Connect with the service's account and ask.

    Raises:
        DirectoryDown
    """
    from authsvc.authn.backends.ldap.client import connected  # noqa: PLC0415 - see below

    with connected(settings) as client:
        return question(Directory(settings, client))


def prove(settings: LdapSettings, dn: str, password: str) -> None:
    """Bind as an entry, on a connection of its own.

    Raises:
        WrongPassword, DirectoryDown
    """
    # ldap3 takes a tenth of a second to load, and where no directory is configured nobody needs it.
    from authsvc.authn.backends.ldap.client import connected  # noqa: PLC0415

    with connected(settings, as_service=False) as client:
        client.bind(dn, password)


def _subject(entry: Entry) -> str:
    """What never changes about an entry: its UUID; where there is none, its DN."""
    guid = entry.raw("objectGUID")
    if len(guid) == 16:
        return f"guid:{uuid.UUID(bytes_le=guid)}"
    unique = entry.first("entryUUID")
    return f"uuid:{unique}" if unique else f"dn:{dn_key(entry.dn)}"


def _name_in(dn: str) -> str:
    """The first value in a DN: `developers` of `cn=developers,ou=groups`."""
    return dn.partition(",")[0].partition("=")[2].strip() or dn
