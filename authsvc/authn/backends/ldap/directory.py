"""One directory: who somebody is there, whether a password is his, and which groups he is in."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from authsvc.authn.backends.ldap import accounts, filters
from authsvc.authn.backends.ldap.answers import CutShort, Entry
from authsvc.authn.backends.ldap.settings import LdapSettings
from authsvc.groups.rules import GroupName, GroupType, dn_key, dn_value

if TYPE_CHECKING:
    from authsvc.authn.backends.ldap.client import Client

T = TypeVar("T")
_ANY = "(objectClass=*)"
_DEPTH = 10
_MOST_GROUPS = 2000
_AT_ONCE = 40  # members that one search asks about


class Ambiguous(Exception):
    """Several entries have that name, or an entry several names; nobody can tell who logs in."""


@dataclass(frozen=True, slots=True)
class Person:
    """An entry that can log in. `subject` never changes; `username` is the entry's own spelling, "" if it has several.
    `primary_group`: a SID, which people of Active Directory have and others do not."""

    dn: str
    subject: str
    username: str
    email: str
    realname: str
    disabled: bool
    memberships: tuple[str, ...]
    primary_group: bytes = b""


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
        if found and not found[0].username:
            raise Ambiguous(f"{found[0].dn} has several values of {', '.join(settings.uids)}, and they come in no order")
        return found[0] if found else None

    def by_subject(self, subject: str) -> Person | None:
        """Somebody known from before, also under another name or DN.

        Raises:
            DirectoryDown
        """
        kind, _, value = subject.partition(":")
        if kind == "dn":
            entry = self.client.read(value, self._attributes, self.settings.filter or _ANY)
            return self._person(entry) if entry else None
        by_id = filters.binary("objectGUID", uuid.UUID(value).bytes_le) if kind == "guid" else filters.equal("entryUUID", value)
        found = self._people(filters.every(self.settings.filter, by_id), most=1)
        return found[0] if found else None

    def matching(self, text: str, most: int = 100) -> list[Person]:
        """People whose name holds `text`, for those who look for members.

        Raises:
            DirectoryDown
        """
        settings = self.settings
        wanted = filters.some(filters.contains(uid, text) for uid in settings.uids)
        return [person for person in self._people(filters.every(settings.filter, wanted), most) if person.username][:most]

    @property
    def _attributes(self) -> list[str]:
        settings = self.settings
        named = [*settings.uids, settings.mail, settings.realname, settings.membership]
        return [*named, "entryUUID", "objectGUID", *accounts.ATTRIBUTES]

    def _people(self, filter_: str, most: int) -> list[Person]:
        settings = self.settings
        entries = self.client.search(settings.base_dn, filter_, self._attributes, scope=settings.scope, most=most)
        return [self._person(entry) for entry in entries]

    def _person(self, entry: Entry) -> Person:
        settings = self.settings
        names = next((values for uid in settings.uids if (values := entry.texts(uid))), [])
        return Person(
            dn=entry.dn,
            subject=_subject(entry),
            username=names[0] if len(names) == 1 else "",
            email=entry.first(settings.mail),
            realname=entry.first(settings.realname),
            disabled=accounts.is_disabled(entry, time.time()),
            memberships=tuple(entry.texts(settings.membership)),
            primary_group=accounts.primary_group(entry),
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
            self._add(found, GroupName(GroupType.LDAP, dn_value(dn), dn))
        if not self.settings.group_base_dn:
            self._follow(found)
        elif person.primary_group:
            self._at_once(found, person)
        else:
            self._climb(found, person)
        return tuple(found.values())

    def _at_once(self, found: dict[str, GroupName], person: Person) -> None:
        """In Active Directory: the primary group, which does not list its members, and all others by the rule for chains."""
        primary = self._search_groups(filters.binary("objectSid", person.primary_group))
        members = [person.dn, *(group.dn for group in primary)]
        wanted = filters.groups_in_chain(members) if self.settings.nested else filters.groups_of(members[:1], "")
        for group in [*primary, *self._search_groups(wanted)]:
            self._add(found, group)

    def _climb(self, found: dict[str, GroupName], person: Person) -> None:
        """From a person to his groups, from these to theirs, and so on."""
        uid, nested = person.username, self.settings.nested
        frontier = [person.dn, *(group.dn for group in found.values() if nested)]
        for _ in range(_DEPTH if nested else 1):
            above = []
            for start in range(0, len(frontier), _AT_ONCE):
                wanted = filters.groups_of(frontier[start : start + _AT_ONCE], "" if start else uid)
                above += [group.dn for group in self._search_groups(wanted) if self._add(found, group)]
            if not above:
                return
            frontier, uid = above, ""

    def _follow(self, found: dict[str, GroupName]) -> None:
        """The same without a base to search below: each group's own attribute lists the groups it is in."""
        frontier = [group.dn for group in found.values()]
        for _ in range(_DEPTH if self.settings.nested else 0):
            entries = [entry for dn in frontier if (entry := self.client.read(dn, [self.settings.membership]))]
            parents = [parent for entry in entries for parent in entry.texts(self.settings.membership)]
            frontier = [dn for dn in parents if self._add(found, GroupName(GroupType.LDAP, dn_value(dn), dn))]

    def matching_groups(self, text: str = "", dn: str = "", most: int = 100) -> list[GroupName]:
        """Groups whose name holds `text`, or the one of that DN.

        Raises:
            DirectoryDown
        """
        settings = self.settings
        if dn:
            entry = self.client.read(dn, [settings.group_name], settings.group_filter or _ANY)
            return [self._group(entry)] if entry else []
        return self._search_groups(filters.contains(settings.group_name, text), most)[:most]

    def _search_groups(self, filter_: str, most: int = _MOST_GROUPS) -> list[GroupName]:
        settings = self.settings
        wanted = filters.every(settings.group_filter, filter_)
        entries = self.client.search(settings.group_base_dn, wanted, [settings.group_name], scope=settings.group_scope, most=most)
        return [self._group(entry) for entry in entries]

    def _group(self, entry: Entry) -> GroupName:
        return GroupName(GroupType.LDAP, entry.first(self.settings.group_name) or dn_value(entry.dn), entry.dn)

    @staticmethod
    def _add(found: dict[str, GroupName], group: GroupName) -> bool:
        """True if it was not known.

        Raises:
            CutShort: there are too many; a part of them would be a wrong answer.
        """
        if group.key in found:
            return False
        if len(found) >= _MOST_GROUPS:
            raise CutShort(f"somebody is in more than {_MOST_GROUPS} groups: narrow ldap_group_search_filter")
        found[group.key] = group
        return True


def ask(settings: LdapSettings, question: Callable[[Directory], T], seconds: float | None = None) -> T:
    """Connect with the service's account and ask; `seconds` as in `client.connected`.

    Raises:
        DirectoryDown
    """
    from authsvc.authn.backends.ldap.client import connected  # noqa: PLC0415 - see below

    with connected(settings, seconds=seconds) as client:
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
